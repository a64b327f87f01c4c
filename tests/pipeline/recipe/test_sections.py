from pipeline.recipe.plain import as_dict
from pipeline.recipe.reading import load_recipe


def test_sizes_say_the_width_first_and_their_shapes_the_height() -> None:
    loaded = load_recipe("digits", ["--convert.sizes", "[480x320, 64x64]"])
    assert loaded.convert.shapes == {"480x320": (320, 480), "64x64": (64, 64)}
    assert as_dict(loaded)["convert"]["sizes"] == ["480x320", "64x64"]
