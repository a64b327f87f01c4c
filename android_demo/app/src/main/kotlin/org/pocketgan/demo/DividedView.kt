package org.pocketgan.demo

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.RectF
import android.util.AttributeSet
import android.view.MotionEvent
import android.view.View
import android.view.ViewConfiguration
import android.widget.ImageView
import kotlin.math.abs

/** Two pictures of one thing, on either side of a line that a finger moves. */
class DividedView(context: Context, attributes: AttributeSet? = null) : View(context, attributes) {
    private val paint = Paint()
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = Color.WHITE }
    private val edge = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = 0x80000000.toInt() }
    private val place = RectF()
    private val slop = ViewConfiguration.get(context).scaledTouchSlop
    private var downX = 0f
    private var left: Bitmap? = null
    private var right: Bitmap? = null

    /** Told when a finger moves the line. */
    var moved: (Float) -> Unit = {}

    /** Where the line is, from 0 (left) to 1. */
    var share = 0.5f
        set(value) {
            field = value.coerceIn(0f, 1f)
            invalidate()
        }

    /** Where [right] is null [left] is all there is to see. */
    fun show(left: Bitmap?, right: Bitmap?) {
        val shape = this.left?.let { it.width to it.height }
        this.left = left
        this.right = right
        if (shape != left?.let { it.width to it.height }) requestLayout()
        invalidate()
    }

    override fun onMeasure(widthSpec: Int, heightSpec: Int) {
        val width = getDefaultSize(suggestedMinimumWidth, widthSpec)
        val most = resources.displayMetrics.heightPixels * 3 / 5
        val height = left?.let { width * it.height / it.width } ?: 0
        setMeasuredDimension(width, height.coerceIn(0, most))
    }

    override fun onDraw(canvas: Canvas) {
        val left = left ?: return
        fit(left)
        val right = right ?: return draw(canvas, left)
        val x = place.left + share * place.width()
        canvas.save()
        canvas.clipRect(place.left, place.top, x, place.bottom)
        draw(canvas, left)
        canvas.restore()
        canvas.save()
        canvas.clipRect(x, place.top, place.right, place.bottom)
        draw(canvas, right)
        canvas.restore()
        val dp = resources.displayMetrics.density
        canvas.drawRect(x - 2 * dp, place.top, x + 2 * dp, place.bottom, edge)
        canvas.drawRect(x - dp, place.top, x + dp, place.bottom, line)
        canvas.drawCircle(x, place.centerY(), HANDLE * dp + dp, edge)
        canvas.drawCircle(x, place.centerY(), HANDLE * dp, line)
    }

    private fun draw(canvas: Canvas, bitmap: Bitmap) {
        // Pixels that are enlarged stay squares.
        paint.isFilterBitmap = bitmap.width > place.width()
        canvas.drawBitmap(bitmap, null, place, paint)
    }

    private fun fit(bitmap: Bitmap) {
        val scale = minOf(width.toFloat() / bitmap.width, height.toFloat() / bitmap.height)
        val (w, h) = bitmap.width * scale to bitmap.height * scale
        place.set((width - w) / 2, (height - h) / 2, (width + w) / 2, (height + h) / 2)
    }

    /** A finger that goes sideways moves the line; one that goes up or down scrolls. */
    override fun onTouchEvent(event: MotionEvent): Boolean {
        if (right == null) return false
        when (event.actionMasked) {
            MotionEvent.ACTION_DOWN -> downX = event.x
            MotionEvent.ACTION_MOVE -> if (abs(event.x - downX) > slop) {
                parent.requestDisallowInterceptTouchEvent(true)
                downX = Float.NEGATIVE_INFINITY // from now on each move counts
                moveTo(event.x)
            }
            MotionEvent.ACTION_UP -> {
                moveTo(event.x)
                performClick()
            }
        }
        return true
    }

    private fun moveTo(x: Float) {
        if (place.width() <= 0) return
        share = (x - place.left) / place.width()
        moved(share)
    }

    override fun getAccessibilityClassName(): CharSequence = ImageView::class.java.name

    private companion object {
        const val HANDLE = 10
    }
}
