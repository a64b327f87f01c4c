import re
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.errors import PocketganError
from pipeline.recipe.reading import find_recipe, load_recipe, shipped_recipes
from pipeline.recipe.sections import Recipe


def refusal(name: str, overrides: tuple[str, ...] = ()) -> PocketganError:
    with pytest.raises(PocketganError) as caught:
        load_recipe(name, overrides)
    assert caught.value.remedy
    return caught.value


# ---------------------------------------------------------------------- good recipes


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_loads_and_bears_its_name(name: str) -> None:
    assert load_recipe(name).name == name
    assert find_recipe(name).read_text(encoding="utf-8").startswith("# ")


def test_digits_is_among_the_shipped_recipes_and_has_gates() -> None:
    assert "digits" in shipped_recipes()
    assert "float_ops == 0" in load_recipe("digits").report.gates


@pytest.mark.parametrize("text", ["", "# nothing yet", "{}", "null"])
def test_empty_recipe_is_refused_and_its_remedy_works(
    text: str, recipe: Callable[..., str]
) -> None:
    error = refusal(recipe(text))
    assert "is empty" in error.problem
    (line,) = re.findall("`(.*)`", error.remedy)
    assert load_recipe(recipe(line)) == Recipe(name="mine")


def test_recipe_takes_its_name_from_the_file_and_the_rest_from_the_defaults(
    recipe: Callable[..., str],
) -> None:
    assert load_recipe(recipe("seed: 1")) == Recipe(name="mine")


def test_recipe_of_a_path_changes_the_defaults(recipe: Callable[..., str]) -> None:
    loaded = load_recipe(
        recipe("name: other\nseed: 3\ntrain: {steps: 7, generator_weights: {drop: 0.25}}\n")
    )
    assert (loaded.name, loaded.seed, loaded.train.steps) == ("other", 3, 7)
    assert loaded.train.generator_weights.drop == 0.25
    assert loaded.train.batch == Recipe(name="mine").train.batch


@pytest.mark.parametrize("name", ["we[1]rd.yaml", "st*r.yaml", "qu?y.yaml", "a b.yaml"])
def test_recipe_is_read_whatever_its_file_is_called(name: str, recipe: Callable[..., str]) -> None:
    assert load_recipe(recipe("train: {steps: 7}", name)).train.steps == 7


def test_command_line_goes_before_the_file(recipe: Callable[..., str]) -> None:
    path = recipe("train: {steps: 7, batch: 5}\nreport: {gates: [zeros >= 0.5]}\n")
    loaded = load_recipe(
        path,
        [
            *("--train.steps", "9"),
            "--seed=4",
            *("--train.discriminator_weights.l2", "0.5"),
            *("--benchmark.threads", "[1, 2, 4]"),
            *("--report.gates", "[]"),
            *("--prune.layers", "{project: 0.3, pixels: 0.1}"),
            *("--prune.first_layer", "0.2"),
            *("--prune.last_layer", "null"),
            *("--generator.conditional", "true"),
            *("--data.folder", "somewhere"),
        ],
    )
    assert (loaded.train.steps, loaded.train.batch, loaded.seed) == (9, 5, 4)
    assert loaded.train.discriminator_weights.l2 == 0.5
    assert loaded.benchmark.threads == [1, 2, 4]
    assert loaded.report.gates == []
    assert loaded.prune.layers == {"project": 0.3, "pixels": 0.1}
    assert (loaded.prune.first_layer, loaded.prune.last_layer) == (0.2, None)
    assert loaded.generator.conditional is True
    assert loaded.data.folder == Path("somewhere")


def test_one_layer_can_be_named_on_the_command_line(recipe: Callable[..., str]) -> None:
    path = recipe("prune: {layers: {pixels: 0.1}}")
    layers = load_recipe(path, ["--prune.layers.project", "0.3"]).prune.layers
    assert layers == {"pixels": 0.1, "project": 0.3}


def test_gate_can_be_added_on_the_command_line() -> None:
    gates = load_recipe("digits", ["--report.gates+", "modes == 10"]).report.gates
    assert gates == [*load_recipe("digits").report.gates, "modes == 10"]


# ---------------------------------------------------------------------- bad recipes


def test_unknown_recipe_lists_those_there_are_and_guesses() -> None:
    error = refusal("digit")
    assert "'digit'" in error.problem
    assert error.remedy.startswith("Did you mean 'digits'? Known: ")
    assert refusal("qqqq").remedy.startswith("Known: ")


def test_folder_is_no_recipe(tmp_path: Path) -> None:
    assert str(tmp_path) in refusal(str(tmp_path)).problem


BAD_FILES = {
    "picture beyond all memory": ("data: {image_size: 100000}", ("data.image_size", "100000")),
    "value that holds itself": ("train: {augment: &a [*a]}", ("a value holds itself",)),
    "name with a NUL": ('name: "a\\0b"', ("name", "cannot be the name of a folder")),
    "name of the runs' own cache": ("name: .cache", ("name", "cannot be the name of a folder")),
    "one generator of several": (
        "{generator: {codes: {discrete: 1}}, train: {multi_agent: true}}",
        ("train.multi_agent", "values of the discrete code"),
    ),
    "generators with continuous codes": (
        "{generator: {codes: {discrete: 4, continuous: 1}}, train: {multi_agent: true}}",
        ("train.multi_agent", "values of the discrete code"),
    ),
    "more codes than numbers": (
        "generator: {latent: 2, codes: {continuous: 3}}",
        ("generator.codes.continuous", "of 2 numbers 3"),
    ),
    "class and code": (
        "generator: {conditional: true, codes: {discrete: 3}}",
        ("generator.codes.discrete", "ends with the class already"),
    ),
    "codes of one half of a picture": (
        "{generator: {codes: {continuous: 2}}, discriminator: {name: cogan}}",
        ("generator.codes", "'cogan' judges each half"),
    ),
    "truncation without styles": (
        "generator: {name: dcgan, truncation: 0.5}",
        ("generator.truncation", "'dcgan' has no styles"),
    ),
    "networks that cannot grow": (
        "{train: {growth: 0.5}, generator: {name: progressive}}",
        ("train.growth", "dcgan and progressive cannot grow"),
    ),
    "codes of pictures that grow": (
        "{train: {growth: 0.5}, generator: {name: progressive, codes: {continuous: 1}}, "
        "discriminator: {name: progressive}}",
        ("train.growth", "generator.codes needs pictures that have their size"),
    ),
    "unknown key": ("train: {stepz: 3}", ("train", "stepz")),
    "unknown section": ("trian: {steps: 3}", ("trian",)),
    "wrong type": ("train: {steps: many}", ("train.steps", "many")),
    "fraction for a whole number": ("train: {steps: 2.5}", ("train.steps", "2.5")),
    "number for a list": ("train: {augment: 3}", ("train.augment", "3")),
    "word for a switch": ("generator: {conditional: perhaps}", ("generator.conditional",)),
    "out of range": ("train: {steps: -1}", ("train.steps", "-1")),
    "share above 1": ("prune: {sparsity: 1.5}", ("prune.sparsity", "1.5")),
    "no number": ("train: {generator_rate: .nan}", ("train.generator_rate", "nan")),
    "deep out of range": ("train: {generator_weights: {drop: 1}}", ("generator_weights.drop",)),
    "layer out of range": ("prune: {layers: {project: 1.3}}", ("prune.layers.project", "1.3")),
    "bits too few": ("quantize: {bits: 1}", ("quantize.bits", "1")),
    "layer's bits too many": ("quantize: {layers: {up: 9}}", ("quantize.layers.up", "9")),
    "layer's bits broken": ("quantize: {layers: {up: 2.5}}", ("quantize.layers", "2.5")),
    "seed too large for NumPy": ("seed: 4294967296", ("seed", "4294967296")),
    "no threads": ("benchmark: {threads: []}", ("benchmark.threads",)),
    "unknown source": ("data: {source: digitz}", ("data.source", "digitz")),
    "gate that is a number": ("report: {gates: [3]}", ("report.gates", "3")),
    "name that is a path": ("name: ../up", ("name", "../up")),
    "name that is a dot": ("name: .", ("name", "'.'")),
    "number for a section": ("train: 3", ("train", "3")),
    "number for a deep section": ("train: {generator_weights: 3}", ("train.generator_weights",)),
    "section without keys": ("train:", ("train",)),
    "key without a value": ("train: {steps: }", ("train.steps",)),
    "seed without a value": ("seed:", ("seed",)),
    "list": ("- 1\n- 2", ("[1, 2]",)),
    "word": ("hello", ("hello",)),
    "bracket left open": ("train: {steps: [", ("line 1",)),
    "tab for spaces": ("train:\n\tsteps: 3", ("line 2",)),
    "key that is no word": ("? [a]\n: b", ("line 1",)),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_recipe_is_refused_by_its_file_and_key(case: str, recipe: Callable[..., str]) -> None:
    text, named = BAD_FILES[case]
    path = recipe(text)
    problem = refusal(path).problem
    assert problem.startswith(f"recipe {path}: ")
    for part in named:
        assert part in problem.removeprefix(f"recipe {path}: ")
    assert "\n" not in problem


@pytest.mark.parametrize("content", [bytes(range(256)), b"\x00" * 20, b"\xff\xfe\x00t\x00r"])
def test_binary_file_is_no_recipe(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    assert refusal(str(path)).problem.startswith(f"recipe {path}: ")


BAD_OVERRIDES = {
    "unknown key": (("--train.stepz", "3"), "--train.stepz"),
    "key cut short": (("--train.step", "3"), "--train.step"),
    "wrong type": (("--train.steps", "many"), "train.steps"),
    "out of range": (("--train.steps", "-3"), "train.steps"),
    "threads without number": (("--threads", "100000000"), "threads: 100000000 must be > 0 and <="),
    "no value": (("--train.steps",), "train.steps"),
    "no dashes": (("train.steps=3",), "train.steps=3"),
    "word for a list": (("--train.augment", "shift"), "train.augment"),
    "number for a section": (("--train", "3"), "train"),
    "unknown source": (("--data.source", "digitz"), "data.source"),
    "path for a name": (("--name", "a/b"), "a/b"),
    "layer out of range": (("--prune.layers.project", "1.3"), "prune.layers.project"),
    "layer's bits too few": (("--quantize.layers.project", "1"), "quantize.layers.project"),
    "budget below zero": (("--budget.max_gzip_kb", "-3"), "budget.max_gzip_kb: -3 must be > 0"),
    "budget of nothing": (("--budget.max_macs", "0"), "budget.max_macs: 0 must be > 0"),
    "budget without end": (("--budget.max_kb", "inf"), "budget.max_kb: inf is not finite"),
    "rate without end": (("--train.generator_rate", "inf"), "generator_rate: inf is not finite"),
    "weight without end": (("--student.matching", "1e999"), "student.matching: inf is not finite"),
    "white that is no number": (("--teacher.pixels", "[0, .nan]"), "teacher.pixels: [0.0, nan] is"),
    "budget that is a word": (("--budget.max_ms", "few"), "budget.max_ms: no number: 'few'"),
    "size of nothing": (("--convert.sizes", "[0x0]"), "convert.sizes: 0 must be width x height"),
    "size without a height": (("--convert.sizes", "[32x]"), "convert.sizes: 32x must be"),
}


@pytest.mark.parametrize("case", BAD_OVERRIDES)
def test_bad_override_is_refused_by_the_command_line_and_its_key(case: str) -> None:
    overrides, named = BAD_OVERRIDES[case]
    problem = refusal("digits", overrides).problem
    assert problem.startswith("command line: ")
    assert named in problem
    assert "Union subtypes" not in problem


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("--train.stepz", "3"), "there is no option --train.stepz. Did you mean '--train.steps'?"),
        (("--data.steps=3",), "there is no option --data.steps. Did you mean '--train.steps'?"),
        (("--evaluate.judge", "me"), "evaluate.judge: me must be one of 'auto', 'trained'"),
        (("--train.augment", "shift"), "train.augment: shift must be a list, as [shift]"),
        (("--generator.conditional", "perhaps"), "perhaps must be true or false"),
        (("--prune.layers", "x"), "prune.layers: x must be names and values"),
        (("--teacher.pixels", "3"), "must be a list of its values"),
        (("--search.student", "x"), "x must be keys and values"),
    ],
)
def test_wrong_value_is_told_in_plain_words(overrides: tuple[str, ...], words: str) -> None:
    problem = refusal("digits", overrides).problem
    assert words in problem
    for jargon in ("typing", "Expected", "dict", "tuple", "bool", "import path"):
        assert jargon not in problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train: {stepz: 3}", "there is no key 'train.stepz'. Did you mean 'train.steps'?"),
        ("trian: {steps: 3}", "there is no key 'trian'. Did you mean 'train'?"),
        ("steps: 3", "there is no key 'steps'. Did you mean"),
        ("train.steps: 3\nqqqq: 3", "there is no key 'qqqq'"),
        ("seed: 3\nname: a\nseed: 4", "the key 'seed' stands twice, in lines 1 and 3"),
        ("train: {steps: 3, batch: 4, steps: 5}", "the key 'steps' stands twice, in lines 1 and 1"),
        ("report:\n  gates: [{a: 1, a: 2}]", "the key 'a' stands twice"),
    ],
)
def test_key_that_is_mistyped_or_stands_twice_is_refused(
    text: str, words: str, recipe: Callable[..., str]
) -> None:
    problem = refusal(recipe(text)).problem
    assert problem.endswith(words) or words in problem


def test_values_that_share_an_alias_are_no_twins(recipe: Callable[..., str]) -> None:
    text = "prune: {layers: &same {a: 0.1}, first_layer: 0.2}\nquantize: {steps: 3}\n"
    assert load_recipe(recipe(text + "data: {source: digits}")).quantize.steps == 3


def test_bad_file_is_named_before_the_command_line_is_looked_at(
    recipe: Callable[..., str],
) -> None:
    path = recipe("train: {steps: -1}")
    assert refusal(path, ("--train.steps", "5")).problem.startswith(f"recipe {path}: ")
