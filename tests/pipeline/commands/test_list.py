from rich.console import Console

from pipeline.commands import list as catalogue


def test_everything_a_recipe_may_name_is_described_in_a_line() -> None:
    known = catalogue.known()
    assert set(known) == {
        *("recipes", "data sources", "generators", "discriminators", "losses", "augmentations")
    }
    for kind, names in known.items():
        assert names, kind
        for name, described in names.items():
            assert len(described) > 10, name
            assert "\n" not in described, name


def test_catalogue_is_shown_with_every_name() -> None:
    console = Console(width=100)
    with console.capture() as shown:
        console.print(catalogue.render({"losses": {"hinge": "as in [Miyato 2018]"}}))
    assert shown.get().split() == ["losses", "hinge", "as", "in", "[Miyato", "2018]"]
