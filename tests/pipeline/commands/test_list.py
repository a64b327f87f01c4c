from rich.console import Console

from pipeline.commands.list import catalogue, render


def test_everything_a_recipe_may_name_is_described_in_a_line() -> None:
    names_by_kind = catalogue()
    assert set(names_by_kind) == {
        *("recipes", "data sources", "degradations", "generators", "discriminators", "losses"),
        *("blocks of students that read latents", "blocks of students that read pictures"),
        *("augmentations", "second domains"),
    }
    for kind, names in names_by_kind.items():
        assert names, kind
        for name, described in names.items():
            assert len(described) > 10, name
            assert "\n" not in described, name


def test_recipe_is_described_by_its_whole_comment() -> None:
    assert "come to mean something without any label" in catalogue()["recipes"]["infogan"]


def test_catalogue_is_shown_with_every_name() -> None:
    console = Console(width=100)
    with console.capture() as output:
        console.print(render({"losses": {"hinge": "as in [Miyato 2018]"}}))
    assert output.get().split() == ["losses", "hinge", "as", "in", "[Miyato", "2018]"]
