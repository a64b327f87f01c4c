package org.pocketgan.demo

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Path
import android.graphics.PorterDuff
import android.graphics.PorterDuffXfermode
import android.graphics.RectF
import java.io.Serializable

/** What a brush hides of a photo on its way, or uncovers; in shares, so that it fits each size of the photo. */
data class Stroke(
    val hides: Boolean,
    /** Of the photo's shorter side. */
    val width: Float,
    /** x, y, x, y, … as shares of the photo's width and height. */
    val points: List<Float> = emptyList(),
) : Serializable {
    /** This stroke, further on to a point. */
    fun to(x: Float, y: Float) = copy(points = points + listOf(x, y))

    /** Draw it on a photo that lies at [place]. */
    fun draw(canvas: Canvas, place: RectF, paint: Paint) {
        paint.style = Paint.Style.STROKE
        paint.strokeCap = Paint.Cap.ROUND
        paint.strokeJoin = Paint.Join.ROUND
        paint.strokeWidth = width * minOf(place.width(), place.height())
        val path = Path()
        points.chunked(2).forEachIndexed { number, (x, y) ->
            val (left, top) = place.left + x * place.width() to place.top + y * place.height()
            if (number == 0) path.moveTo(left, top)
            path.lineTo(left, top) // of one point a dot
        }
        canvas.drawPath(path, paint)
    }
}

/** What [strokes] hide of a photo of that size: opaque there, else clear; null where nothing is hidden. */
fun maskOf(strokes: List<Stroke>, width: Int, height: Int): Bitmap? {
    if (strokes.none { it.hides }) return null
    val mask = Bitmap.createBitmap(width, height, Bitmap.Config.ALPHA_8)
    val canvas = Canvas(mask)
    val place = RectF(0f, 0f, width.toFloat(), height.toFloat())
    for (stroke in strokes) {
        val paint = Paint().apply { isAntiAlias = false }
        if (!stroke.hides) paint.xfermode = PorterDuffXfermode(PorterDuff.Mode.CLEAR)
        stroke.draw(canvas, place, paint)
    }
    return mask
}
