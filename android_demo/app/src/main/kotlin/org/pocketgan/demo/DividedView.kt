package org.pocketgan.demo

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.PointF
import android.graphics.RectF
import android.util.AttributeSet
import android.view.KeyEvent
import android.view.MotionEvent
import android.view.View
import android.view.ViewConfiguration
import android.widget.ImageView
import kotlin.math.abs
import kotlin.math.hypot

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

    /** What a finger or the arrow keys paint with; null where a finger moves the line. */
    var brush: Stroke? = null
        set(value) {
            field = value
            isFocusable = value != null
            invalidate()
        }

    /** Told what was painted. */
    var painted: (Stroke) -> Unit = {}
    private var stroke: Stroke? = null

    /** Where the keys' brush is, as shares of the picture. */
    private var cursor = PointF(0.5f, 0.5f)

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
        val right = right
        if (right == null) draw(canvas, left) else drawBoth(canvas, left, right)
        drawBrush(canvas)
    }

    private fun drawBoth(canvas: Canvas, left: Bitmap, right: Bitmap) {
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

    /** The stroke that is being painted, or where keys would paint. */
    private fun drawBrush(canvas: Canvas) {
        stroke?.draw(canvas, place, Paint(Paint.ANTI_ALIAS_FLAG).apply { color = STROKE })
        val brush = brush ?: return
        if (!isFocused) return
        val (x, y) = place.left + cursor.x * place.width() to place.top + cursor.y * place.height()
        val radius = brush.width * minOf(place.width(), place.height()) / 2
        val ring = Paint(Paint.ANTI_ALIAS_FLAG).apply { style = Paint.Style.STROKE }
        for ((colour, width) in listOf(Color.BLACK to 4, Color.WHITE to 2)) {
            ring.color = colour
            ring.strokeWidth = width * resources.displayMetrics.density
            canvas.drawCircle(x, y, radius, ring)
        }
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
        brush?.let { return paint(it, event) }
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

    private fun paint(brush: Stroke, event: MotionEvent): Boolean {
        when (event.actionMasked) {
            MotionEvent.ACTION_DOWN -> {
                parent.requestDisallowInterceptTouchEvent(true)
                stroke = reach(brush, event.x, event.y)
            }
            MotionEvent.ACTION_MOVE -> stroke = stroke?.let { reach(it, event.x, event.y) }
            MotionEvent.ACTION_UP -> {
                stroke?.let { painted(reach(it, event.x, event.y)) }
                stroke = null
                performClick()
            }
            MotionEvent.ACTION_CANCEL -> stroke = null
        }
        invalidate()
        return true
    }

    /** A stroke up to a place; points that lie close together would only make it heavy. */
    private fun reach(stroke: Stroke, x: Float, y: Float): Stroke {
        val (toX, toY) = (x - place.left) / place.width() to (y - place.top) / place.height()
        val last = stroke.points.takeLast(2)
        val isClose = last.isNotEmpty() && hypot(toX - last[0], toY - last[1]) < stroke.width / 8
        return if (isClose) stroke else stroke.to(toX, toY)
    }

    /** Arrows move the brush, the middle of them paints where it is. */
    override fun onKeyDown(code: Int, event: KeyEvent): Boolean {
        val brush = brush ?: return super.onKeyDown(code, event)
        val (x, y) = when (code) {
            KeyEvent.KEYCODE_DPAD_LEFT -> -STEP to 0f
            KeyEvent.KEYCODE_DPAD_RIGHT -> STEP to 0f
            KeyEvent.KEYCODE_DPAD_UP -> 0f to -STEP
            KeyEvent.KEYCODE_DPAD_DOWN -> 0f to STEP
            KeyEvent.KEYCODE_DPAD_CENTER, KeyEvent.KEYCODE_SPACE -> {
                painted(brush.to(cursor.x, cursor.y))
                return true
            }
            else -> return super.onKeyDown(code, event)
        }
        cursor = PointF((cursor.x + x).coerceIn(0f, 1f), (cursor.y + y).coerceIn(0f, 1f))
        invalidate()
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
        const val STEP = 0.05f
        const val STROKE = 0x9946C2B2.toInt()
    }
}
