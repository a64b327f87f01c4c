package org.pocketgan.demo

import android.app.Application

/** What all activities share. Tests put their own in its place. */
open class DemoApplication : Application() {
    open val runtime: Runtime by lazy { TfliteRuntime() }
    open val shelf: Shelf get() = AssetShelf(assets)
    val bundles get() = Bundles(shelf)
}
