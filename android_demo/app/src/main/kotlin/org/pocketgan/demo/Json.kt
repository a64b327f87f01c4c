package org.pocketgan.demo

import org.json.JSONArray
import org.json.JSONObject

/** Maps, lists, numbers, texts and nulls as org.json has them. */
fun toJson(value: Any?): Any = when (value) {
    null -> JSONObject.NULL
    is Map<*, *> -> JSONObject().also { json ->
        value.forEach { (name, each) -> json.put(name as String, toJson(each)) }
    }
    is Iterable<*> -> JSONArray(value.map(::toJson))
    else -> value
}
