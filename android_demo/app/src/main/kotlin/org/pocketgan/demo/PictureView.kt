package org.pocketgan.demo

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Rect
import android.util.AttributeSet
import android.view.Gravity
import android.view.View
import android.view.ViewGroup
import android.widget.GridLayout
import android.widget.ImageView

/** A small picture, enlarged without smoothing: each pixel stays a square. */
class PictureView(context: Context, attributes: AttributeSet? = null) : View(context, attributes) {
    private val paint = Paint().apply { isFilterBitmap = false }
    private val place = Rect()
    private var bitmap: Bitmap? = null

    /** Show colours, row after row. Allocates nothing while the size stays. */
    fun show(colours: IntArray, width: Int, height: Int) {
        val target = bitmap?.takeIf { it.width == width && it.height == height }
            ?: Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888).also { bitmap = it }
        target.setPixels(colours, 0, width, 0, 0, width, height)
        invalidate()
    }

    override fun onMeasure(widthSpec: Int, heightSpec: Int) {
        val width = getDefaultSize(suggestedMinimumWidth, widthSpec)
        val room = MeasureSpec.getSize(heightSpec)
        val height = when (MeasureSpec.getMode(heightSpec)) {
            MeasureSpec.EXACTLY -> room
            MeasureSpec.AT_MOST -> minOf(width, room)
            else -> width
        }
        setMeasuredDimension(width, height)
    }

    override fun onDraw(canvas: Canvas) {
        val picture = bitmap ?: return
        place.set(paddingLeft, paddingTop, width - paddingRight, height - paddingBottom)
        val scale = minOf(
            place.width().toFloat() / picture.width,
            place.height().toFloat() / picture.height,
        )
        place.inset(
            ((place.width() - picture.width * scale) / 2).toInt(),
            ((place.height() - picture.height * scale) / 2).toInt(),
        )
        canvas.drawBitmap(picture, null, place, paint)
    }

    override fun getAccessibilityClassName(): CharSequence = ImageView::class.java.name
}

/** Fill a grid with [count] pictures of one size, side by side. */
fun GridLayout.addPictures(count: Int): List<PictureView> = List(count) {
    PictureView(context).also { picture ->
        val place = GridLayout.LayoutParams(
            GridLayout.spec(GridLayout.UNDEFINED),
            GridLayout.spec(GridLayout.UNDEFINED, 1f),
        )
        place.width = 0
        place.height = ViewGroup.LayoutParams.WRAP_CONTENT
        place.setGravity(Gravity.FILL_HORIZONTAL)
        val margin = resources.getDimensionPixelSize(R.dimen.gap)
        place.setMargins(margin, margin, margin, margin)
        addView(picture, place)
    }
}
