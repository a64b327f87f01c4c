import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from pipeline.report.run.columns import BY_NAME, columns_of
from pipeline.report.run.gates import check_all, parse_gate
from pipeline.report.run.page import Exhibits, render, sheets, table
from pipeline.report.run.schema import TrivialReport
from tests.pipeline.report.conftest import unmeasured

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Tags that do not balance, ids, references, and the text outside style sheets."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        self.unbalanced += self.open

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "srcset", "action"):
                self.references.append(value)
            assert not name.startswith("on"), f"{tag} has a handler: {name}"

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(f"/{tag}")

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words += data


@pytest.fixture(scope="module")
def text(report, exhibits):
    return render(report, exhibits)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


@pytest.fixture(scope="module")
def bare(report):
    """A report with one variant of which little is known."""
    variant = report.variants[2].model_copy(
        update={
            "quality": unmeasured("no judge", samples=1, seed=1),
            "measurements": (),
            "kernels": (),
            "macs": None,
            "absent": {"macs": "an unknown operation", "qat_steps": "no QAT"},
        }
    )
    return report.model_copy(update={"variants": (variant,), "gates": (), "stages": ()})


def test_page_is_well_formed(page):
    assert page.unbalanced == []
    assert len(page.ids) == len(set(page.ids))


def test_page_refers_to_nothing_outside_itself_but_the_page_that_draws_beside_it(page, text):
    inner = {f"#{name}" for name in page.ids}
    outer = {r for r in page.references if r not in inner and not r.startswith("data:image/")}
    assert outer == {"../gallery.html"}
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert not re.search(r"https?:", text)
    assert not {"script", "link", "iframe", "base"} & set(page.tags)


def test_page_shows_every_variant_with_samples_and_difference(page, text, report):
    for variant in report.variants:
        assert page.words.count(variant.name) >= 3
        assert f'alt="Samples: {variant.name}"' in text
    assert text.count('alt="Difference of') == len(report.variants) - 1
    assert 'alt="Samples: real"' in text


def test_page_is_fit_for_phones_and_dark_rooms(text):
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert "prefers-color-scheme: dark" in text


def test_page_names_the_judge_and_how_often_it_is_right_if_that_was_measured(page, bare):
    words = " ".join(page.words.split())
    assert "a small network trained on these pictures, which learned to tell the" in words
    assert "; it is right on 97.8 % of the test images. Quality figures" in words
    published = bare.judge.model_copy(update={"name": "a published one", "accuracy": None})
    text = render(bare.model_copy(update={"judge": published}), Exhibits())
    words = " ".join(Page(text).words.split())
    assert "The judge is a published one, which learned to" in words
    assert "tell the classes. Quality figures compare" in words


def test_page_begins_with_the_verdict(page):
    assert page.words.index("14×") < page.words.index("The files")
    assert "all 7 gates passed" in page.words


def test_page_says_which_gate_cannot_fail(report):
    report = check_all((parse_gate("recall_drop <= 0.7"),), report)
    words = Page(render(report, Exhibits())).words
    assert "the one gate passed, which could not fail" in words
    assert "(cannot fail: float32 itself has Recall 0.700)" in words


def test_page_says_at_the_top_which_gates_failed(report):
    gates = tuple(map(parse_gate, ("zeros >= 0.99", "psnr >= 5")))
    without_quality = report.variant("int8").model_copy(
        update={"quality": unmeasured("no judge", samples=1, seed=1)}
    )
    changed = report.model_copy(update={"variants": (report.variants[0], without_quality)})
    head = Page(render(check_all(gates, changed), Exhibits())).words.partition("The files")[0]
    assert "2 of 2 gates failed" in head
    assert "it is 0.8" in head
    assert "not measured: no judge" in head


def test_page_is_the_same_for_the_same_report(bare, exhibits):
    samples_only = Exhibits(samples=exhibits.samples)
    assert render(bare, samples_only) == render(bare, samples_only)


def test_page_escapes_hostile_names(report):
    hostile = '<script>alert(1)</script>" onerror="x $^{$ 漢 '
    quality = unmeasured(hostile, samples=1, seed=1)
    variant = report.variants[0].model_copy(update={"name": hostile, "quality": quality})
    stage = report.stages[0].model_copy(update={"name": hostile, "events": (hostile,)})
    dataset = report.dataset.model_copy(update={"classes": (hostile,) * 10, "notes": (hostile,)})
    changed = report.model_copy(
        update={
            "recipe_name": hostile,
            "recipe": {hostile: hostile},
            "variants": (report.variants[6], variant),
            "stages": (stage,),
            "dataset": dataset,
            "environment": {hostile: [hostile]},
        }
    )
    images = np.zeros((2, 4, 4, 1), np.uint8)
    history = {"step": [0.0, 1.0], f"{hostile}_loss": [1.0, 2.0]}
    exhibits = Exhibits(samples={hostile: images}, histories={hostile: history})
    page = Page(render(changed, exhibits))
    assert page.unbalanced == []
    assert "script" not in page.tags
    assert hostile in page.words


def test_page_does_without_samples_histories_and_film(bare):
    page = Page(render(bare, Exhibits()))
    assert page.unbalanced == []
    assert "How it learned" not in page.words
    assert "What they draw" not in page.words


def test_page_does_without_baseline_speeds_and_qualities(bare):
    words = Page(render(bare, Exhibits())).words
    assert "Nothing was timed on this machine." in words
    assert "an unknown operation" in words


@pytest.mark.parametrize("as_path", [True, False])
def test_page_embeds_the_film_from_a_file_or_its_content(bare, tmp_path, as_path):
    picture = io.BytesIO()
    Image.new("L", (4, 4)).save(picture, "PNG")
    content = picture.getvalue()
    path = tmp_path / "film.png"
    path.write_bytes(content)
    film = path if as_path else content
    encoded = base64.b64encode(content).decode()
    assert f'src="data:image/png;base64,{encoded}"' in render(bare, Exhibits(film=film))


@pytest.mark.parametrize(("size", "width"), [(28, 8 * 30 - 2), (64, 4 * 66 - 2)])
def test_page_shows_fewer_of_bigger_pictures(report, size, width):
    images = np.zeros((64, size, size, 3), np.uint8)
    (sheet,) = sheets(report, {"float32": images})
    content = base64.b64decode(sheet.samples.partition(",")[2])
    assert Image.open(io.BytesIO(content)).width == width


def test_targets_other_than_this_machine_get_a_section_of_their_own(report):
    assert 'id="targets"' not in render(report, Exhibits())
    int8 = report.variant("int8")
    (here, *_) = int8.measurements
    there = here.model_copy(update={"target": "ssh:pi@board", "p90_ms": 1.25})
    on_a_phone = int8.model_copy(update={"measurements": (*int8.measurements, there)})
    variants = tuple(on_a_phone if v.name == "int8" else v for v in report.variants)
    page = render(report.model_copy(update={"variants": variants}), Exhibits())
    assert 'id="targets"' in page
    assert "1.25 ms" in page
    assert not Page(page).unbalanced


def test_table_marks_the_best_and_explains_the_absent(report):
    rows, footnotes = table(report)
    by_name = {row.name: row for row in rows}
    assert by_name["int8"].cells[1].best
    assert not by_name["float32"].cells[1].best
    psnr = by_name["float32"].cells[columns_of(report).index(BY_NAME["psnr"])]
    assert (psnr.text, footnotes[psnr.footnote - 1]) == ("–", "it is the reference")
    assert rows[-1].name == "real against real"
    assert [row.role for row in rows].count("ships") == 1


def test_search_has_a_section_only_where_there_was_one(report, compressed):
    assert 'id="search"' not in render(report, Exhibits())
    page = Page(render(compressed, Exhibits()))
    assert page.unbalanced == []
    assert len(page.ids) == len(set(page.ids))
    for words in (
        "The search",
        "Keras file dcgan.keras, written by Keras 2.15.0, 1,030,657 parameters",
        compressed.search.reason,
        "given up after 67 steps",
        "hundredths of the",
        "its bits were shared out anew among them",
    ):
        assert words in page.words


def test_page_of_a_generator_that_reads_pictures_speaks_of_pictures(report, exhibits):
    trivial = TrivialReport(name="bicubic", quality=report.floor)
    text = render(report.model_copy(update={"trivial": trivial}), exhibits)
    words = " ".join(Page(text).words.split())
    assert "Every file was given the same pictures" in words
    assert "may come nearer" in words
    assert "The same latents" not in text
    unpaired = {"dataset": report.dataset.model_copy(update={"unpaired": True}), "trivial": trivial}
    keys = "<dt>Fréchet distance</dt>"
    assert keys not in text
    assert keys in render(report.model_copy(update=unpaired), exhibits)
    assert "may come nearer" not in Page(render(report, exhibits)).words


def test_files_of_a_student_say_what_they_are(compressed, exhibits):
    remarks = {row.name: row.remark for row in table(compressed)[0]}
    assert remarks["float32"] == "teacher"
    assert remarks["student-float32"] == "student before rounding"
    words = " ".join(Page(render(compressed, exhibits)).words.split())
    assert "drawn by float32, the teacher, and below by int8, the student." in words
    assert "difference to float32, the teacher, amplified" in words
    assert "real images get against other real images" in words


def test_floor_says_of_how_many_pictures_it_is_where_these_are_fewer_than_the_files_drew(report):
    few = report.floor.model_copy(update={"samples": 1200})
    for floor, remark in ((few, "of 1,200 pictures"), (report.floor, "")):
        rows, _ = table(report.model_copy(update={"floor": floor}))
        assert (rows[-1].role, rows[-1].remark) == ("floor", remark)


def test_page_says_where_no_real_pictures_were_given(compressed):
    search = compressed.search.model_copy(update={"real_pictures": False})
    changed = compressed.model_copy(update={"search": search})
    words = " ".join(Page(render(changed, Exhibits())).words.split())
    assert "no real ones were given" in words
    assert "real images get against" not in words
    assert "real against real" not in words
    assert table(changed)[0][-1].name == "reference against reference"


def test_search_escapes_hostile_names(compressed):
    hostile = "<script>alert(1)</script>"
    tried = tuple(s.model_copy(update={"words": hostile}) for s in compressed.search.tried)
    changes = {"tried": tried, "reason": hostile, "teacher": hostile}
    search = compressed.search.model_copy(update=changes)
    page = Page(render(compressed.model_copy(update={"search": search}), Exhibits()))
    assert "script" not in page.tags
    assert page.words.count(hostile) == len(tried) + 2


def test_film_that_would_be_most_of_the_page_stays_outside(report, exhibits):
    small, large = (replace(exhibits, animation=bytes(size)) for size in (4_000_000, 4_000_001))
    assert "data:image/gif" in render(report, small)
    assert "data:image/gif" not in render(report, large)
