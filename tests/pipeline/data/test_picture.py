import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.arrays import Images
from pipeline.data import picture

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)

Colour = int | tuple[int, ...]


def read(path: Path, image_size: int, channels: int) -> Images:
    whole = picture.read(path.read_bytes(), channels, draft=2 * image_size)
    return picture.cropped(whole.image, (image_size, image_size))


def halves(
    left: Colour, right: Colour, size: tuple[int, int] = (40, 40), mode: str = "RGB"
) -> Image.Image:
    image = Image.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


def corners(pixels: Images) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Upper left and lower right pixel."""
    return tuple(pixels[0, 0].tolist()), tuple(pixels[-1, -1].tolist())


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "ppm", "tif", "webp", "tga"])
def test_read_gives_the_colours_of_every_lossless_format(tmp_path: Path, ending: str) -> None:
    options = {"lossless": True} if ending == "webp" else {}
    path = save(halves(RED, BLUE), tmp_path / f"a.{ending}", **options)
    pixels = read(path, 8, 3)
    assert pixels.shape == (8, 8, 3)
    assert pixels.dtype == np.uint8
    assert corners(pixels) == (RED, BLUE)


def test_read_gives_one_channel_for_grey(tmp_path: Path) -> None:
    pixels = read(save(halves(WHITE, GREEN), tmp_path / "a.png"), 8, 1)
    assert pixels.shape == (8, 8, 1)
    assert corners(pixels) == ((255,), (150,))  # ITU-R BT.601: 0.587 of 255


def test_read_gives_three_equal_channels_for_a_grey_file(tmp_path: Path) -> None:
    pixels = read(save(Image.new("L", (9, 9), 77), tmp_path / "a.png"), 4, 3)
    assert (pixels == 77).all()
    assert pixels.shape == (4, 4, 3)


@pytest.mark.parametrize("size", [(90, 30), (30, 90), (91, 31), (3, 9)])
def test_read_cuts_the_square_in_the_middle(tmp_path: Path, size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, RED)
    short = min(size)
    left, top = (size[0] - short) // 2, (size[1] - short) // 2
    image.paste(BLUE, (left, top, left + short, top + short))
    pixels = read(save(image, tmp_path / "a.png"), 8, 3)
    assert (pixels[1:-1, 1:-1] == BLUE).all()


def test_read_resizes_with_antialiasing(tmp_path: Path) -> None:
    lines = np.zeros((256, 256), np.uint8)
    lines[:, ::2] = 255
    pixels = read(save(Image.fromarray(lines), tmp_path / "a.png"), 32, 1)
    assert np.abs(pixels.astype(int) - 127.5).max() < 5  # plain picking of pixels gives 0 or 255


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 500), (500, 2)])
def test_read_enlarges_small_and_narrow_images(tmp_path: Path, size: tuple[int, int]) -> None:
    path = save(Image.new("RGB", size, RED), tmp_path / "a.png")
    pixels = read(path, 16, 3)
    assert pixels.shape == (16, 16, 3)
    assert (pixels == RED).all()


# What EXIF calls 2..8, as the transformation that was applied when the file was stored.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", STORED)
def test_read_turns_an_image_upright_as_exif_says(tmp_path: Path, orientation: int) -> None:
    upright = Image.new("L", (64, 64), 0)
    upright.paste(255, (0, 0, 32, 32))
    upright.paste(128, (32, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(upright.transpose(STORED[orientation]), tmp_path / "a.jpg", exif=exif, quality=95)
    pixels = read(path, 8, 1)[..., 0].astype(int)
    assert np.abs(pixels[1, [1, -2]] - [255, 128]).max() < 6
    assert np.abs(pixels[-2, [1, -2]]).max() < 6


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_read_keeps_the_pixels_of_a_file_with_garbage_for_exif(tmp_path: Path, ending: str) -> None:
    path = save(halves(RED, BLUE), tmp_path / f"a.{ending}", exif=b"Exif\0\0garbage")
    assert read(path, 8, 3).shape == (8, 8, 3)


def test_read_lays_transparent_pixels_on_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    image.paste((0, 0, 255, 128), (4, 0, 8, 8))
    pixels = read(save(image, tmp_path / "a.png"), 8, 3)
    assert corners(pixels) == (WHITE, (127, 127, 255))


def test_read_lays_a_palette_with_a_transparent_colour_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([0, 0, 0, 0, 255, 0])
    image.paste(1, (4, 0, 8, 8))
    path = save(image, tmp_path / "a.png", transparency=0)
    assert corners(read(path, 8, 3)) == (WHITE, GREEN)


def test_read_lays_grey_with_alpha_on_white(tmp_path: Path) -> None:
    image = Image.new("LA", (8, 8), (0, 0))
    image.paste((10, 255), (4, 0, 8, 8))
    path = save(image, tmp_path / "a.png")
    assert corners(read(path, 8, 1)) == ((255,), (10,))


def test_read_gives_the_colours_of_a_palette(tmp_path: Path) -> None:
    path = save(halves(RED, BLUE).quantize(4), tmp_path / "a.png")
    assert corners(read(path, 8, 3)) == (RED, BLUE)


def test_read_gives_black_and_white_for_one_bit(tmp_path: Path) -> None:
    path = save(halves(0, 1, mode="1"), tmp_path / "a.png")
    assert corners(read(path, 8, 1)) == ((0,), (255,))


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_read_scales_16_bit_grey_to_8(tmp_path: Path, ending: str) -> None:
    deep = np.repeat(np.array([0, 128 * 257, 65535], np.uint16), 3).reshape(3, 3)
    path = save(Image.fromarray(deep), tmp_path / f"a.{ending}")
    assert read(path, 3, 1)[:, 0, 0].tolist() == [0, 128, 255]


def test_read_refuses_pixels_without_a_known_range(tmp_path: Path) -> None:
    for array in (np.ones((4, 4), np.float32), np.full((4, 4), 1 << 20, np.int32)):
        path = save(Image.fromarray(array), tmp_path / "a.tif")
        with pytest.raises(ValueError, match="no fixed range"):
            read(path, 4, 1)


def test_read_gives_the_colours_of_a_cmyk_jpeg(tmp_path: Path) -> None:
    path = save(halves(RED, BLUE).convert("CMYK"), tmp_path / "a.jpg", quality=95, subsampling=0)
    pixels = read(path, 8, 3).astype(int)
    assert np.abs(pixels[4, 1] - RED).max() < 12
    assert np.abs(pixels[4, -2] - BLUE).max() < 12


@pytest.mark.parametrize("channels", [1, 3])
def test_read_gives_a_lab_picture_in_grey_and_in_colour(channels: int, tmp_path: Path) -> None:
    path = save(Image.new("LAB", (8, 8), (255, 128, 128)), tmp_path / "a.tif")
    assert read(path, 8, channels).min() > 250


def test_read_gives_a_large_jpeg_as_if_it_were_decoded_whole(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    image = Image.fromarray(noise).resize((800, 600), Image.Resampling.BICUBIC)
    fast = read(save(image, tmp_path / "a.jpg", quality=95), 64, 3)
    whole = read(save(Image.open(tmp_path / "a.jpg"), tmp_path / "a.png"), 64, 3)
    difference = np.abs(fast.astype(int) - whole)
    assert difference.mean() < 1
    assert difference.max() <= 4


def test_read_takes_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (GREEN, RED, BLUE)]
    path = save(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read(path, 4, 3) == GREEN).all()


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "webp", "tif"])
def test_read_raises_for_a_truncated_file(tmp_path: Path, ending: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    path = save(Image.fromarray(noise), tmp_path / f"a.{ending}")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(Exception, match=r".+"):
        read(path, 8, 3)


def png(path: Path, side: int, *, bits: int, colour: int, rows: bytes) -> Path:
    """A PNG file of ``rows``, each beginning with its filter 0; ``colour`` is 0 grey or 2 RGB."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


def huge_png(path: Path, side: int) -> Path:
    """A valid PNG of black pixels, side × side, one bit each: small as a file, not in memory."""
    return png(path, side, bits=1, colour=0, rows=b"\0" * ((side // 8 + 1) * side))


def test_read_refuses_what_may_be_a_decompression_bomb(tmp_path: Path) -> None:
    assert read(huge_png(tmp_path / "small.png", 64), 8, 1).max() == 0
    for error, side in (
        (Image.DecompressionBombWarning, 9600),
        (Image.DecompressionBombError, 14000),
    ):
        with pytest.raises(error, match="bomb"):
            read(huge_png(tmp_path / "bomb.png", side), 8, 1)


def test_endings_are_those_that_pillow_opens() -> None:
    assert {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif"} <= picture.endings()
    assert not {".pdf", ".txt", ""} & picture.endings()  # Pillow writes .pdf but cannot read it
    assert not {".h5", ".hdf", ".mpg", ".grib"} & picture.endings()  # it knows them, and no pixels


def noise(*shape: int) -> Images:
    return np.random.default_rng(7).integers(0, 256, shape).astype(np.uint8)


def test_fit_leaves_what_fits_already() -> None:
    images = noise(3, 28, 28, 1)
    assert picture.fit(images, (28, 28), 1) is images


def test_fit_puts_28_pixels_amid_background_for_32() -> None:
    images = noise(3, 28, 28, 1)
    fitted = picture.fit(images, (32, 32), 1)
    assert fitted.shape == (3, 32, 32, 1)
    assert (fitted[:, 2:-2, 2:-2] == images).all()
    assert fitted.astype(int).sum() == images.astype(int).sum()


def test_fit_resizes_to_any_other_size_with_antialiasing() -> None:
    lines = np.zeros((2, 28, 28, 1), np.uint8)
    lines[:, :, ::2] = 254
    fitted = picture.fit(lines, (7, 7), 1)
    assert fitted.shape == (2, 7, 7, 1)
    assert np.abs(fitted[:, :, 1:-1].astype(int) - 127).max() < 4
    assert picture.fit(lines, (64, 64), 3).shape == (2, 64, 64, 3)


def test_fit_keeps_images_in_order_and_colours_apart() -> None:
    images = np.zeros((4, 28, 28, 3), np.uint8)
    images[np.arange(3), ..., np.arange(3)] = 200
    fitted = picture.fit(images, (8, 8), 3)
    assert fitted[:, 4, 4].tolist() == [[200, 0, 0], [0, 200, 0], [0, 0, 200], [0, 0, 0]]


def test_fit_repeats_grey_for_three_channels() -> None:
    images = noise(3, 28, 28, 1)
    fitted = picture.fit(images, (28, 28), 3)
    assert fitted.shape == (3, 28, 28, 3)
    assert (fitted == images).all()


def test_fit_greys_colour_exactly_as_pillow_does() -> None:
    images = noise(3, 28, 28, 3)
    expected = [np.asarray(Image.fromarray(image).convert("L")) for image in images]
    fitted = picture.fit(images, (28, 28), 1)
    assert fitted.dtype == np.uint8
    assert (fitted[..., 0] == expected).all()


# ---------------------------------------------------------------------- what was done; tiles


def changes(path: Path) -> tuple[str, ...]:
    return picture.read(path.read_bytes(), 3).changes


def test_read_says_nothing_of_a_plain_picture_or_of_alpha_that_hides_nothing(
    tmp_path: Path,
) -> None:
    assert changes(save(halves(RED, BLUE), tmp_path / "a.png")) == ()
    assert changes(save(halves(RED, BLUE), tmp_path / "a.jpg")) == ()
    assert changes(save(Image.new("RGBA", (8, 8), (9, 9, 9, 255)), tmp_path / "b.png")) == ()


def test_read_says_what_was_done_to_the_pixels(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), 30 * index) for index in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert changes(tmp_path / "a.gif") == (picture.FIRST_FRAME,)
    assert changes(save(Image.new("RGBA", (8, 8)), tmp_path / "a.png")) == (picture.TRANSPARENCY,)
    assert changes(save(Image.new("CMYK", (8, 8)), tmp_path / "a.jpg")) == (picture.CMYK,)


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3)])
def test_read_scales_16_bits_and_says_so(tmp_path: Path, colour: int, channels: int) -> None:
    row = b"\0" + struct.pack(">H", 200 * 257) * 4 * channels
    path = png(tmp_path / "a.png", 4, bits=16, colour=colour, rows=row * 4)
    assert changes(path) == (picture.SIXTEEN_BITS,)
    assert (read(path, 4, 3) == 200).all()


def test_read_lays_the_transparent_value_of_16_bit_grey_on_white(tmp_path: Path) -> None:
    values = (200 * 257, 100 * 257, 100 * 257 + 1, 0)
    image = Image.fromarray(np.array([values], np.uint16))
    path = save(image, tmp_path / "a.png", transparency=100 * 257)
    assert changes(path) == (picture.SIXTEEN_BITS, picture.TRANSPARENCY)
    assert picture.read(path.read_bytes(), 1).image.tobytes() == bytes([200, 255, 100, 0])
    path = save(image, tmp_path / "b.png", transparency=7)
    assert changes(path) == (picture.SIXTEEN_BITS,)


def test_read_takes_the_first_frame_though_a_later_one_is_broken(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.roll(noise(40, 40), index)) for index in range(3)]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    first = read(path, 8, 3)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert (read(path, 8, 3) == first).all()


def test_tiles_are_cut_out_of_the_middle_row_by_row(tmp_path: Path) -> None:
    pixels = noise(11, 14, 3)
    tiles = picture.tiles(Image.fromarray(pixels), (4, 4))
    assert tiles.shape == (6, 4, 4, 3)
    assert (tiles[0] == pixels[1:5, 1:5]).all()
    assert (tiles[1] == pixels[1:5, 5:9]).all()
    assert (tiles[5] == pixels[5:9, 9:13]).all()


def test_tiles_refuse_a_picture_that_is_smaller() -> None:
    with pytest.raises(ValueError, match="10×3 pixels are less than a tile of 4×4"):
        picture.tiles(Image.new("L", (10, 3)), (4, 4))


def test_oblong_part_in_the_middle_is_cut_out() -> None:
    image = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    pixels = picture.cropped(image, (4, 8))
    assert pixels.shape == (4, 8, 1)
    assert pixels[:, :, 0].tolist() == np.arange(64).reshape(8, 8)[2:6].tolist()
    assert picture.fit(pixels[np.newaxis], (2, 4), 3).shape == (1, 2, 4, 3)


def test_oblong_tiles_keep_their_pixels() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    tiles = picture.tiles(Image.fromarray(pixels), (2, 3))
    assert tiles.shape == (4, 2, 3, 1)
    assert tiles[1, ..., 0].tolist() == pixels[:2, 3:].tolist()
