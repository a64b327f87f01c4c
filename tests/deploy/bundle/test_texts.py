from collections.abc import Callable
from dataclasses import replace

import pytest

from deploy.bundle import schema
from deploy.bundle.make import BundleContents, make
from deploy.bundle.texts import Baseline, CardFacts, WithoutNetwork, render_card
from deploy.jobs import Measurement
from tests.deploy.npu_reports import npu_report
from tests.deploy.subject import SUBJECT

Orders = Callable[..., BundleContents]


@pytest.fixture
def measured(model: schema.Model) -> schema.Model:
    subject = SUBJECT | {"target": "arm:cortex-a76", "sha256": model.file.sha256}
    failed = Measurement(**subject, error="no such core")
    timed = failed.model_copy(update={"error": None, "p50_ms": 0.0412, "peak_rss_kb": 50_000})
    return model.model_copy(update={"measurements": (timed, failed)})


def test_card_tells_picture_quality_size_limits_licence_and_use(
    parts: dict[str, bytes],
) -> None:
    answer = parts["CARD.md"].decode()
    for part in (
        *("# small, int8", "![What it draws](contact_sheet.png)", "6×6 pictures, grey"),
        *("| Fréchet distance | 1.50 | 0.25 |", "## Limits", "yours.", "golden/inputs.bin"),
        *("1. It was drawn up.", "recipe *small*, seed 1"),
    ):
        assert part in answer
    assert "--force" not in answer
    assert "None" not in answer


def test_card_tells_speed_by_target_and_what_could_not_be_measured(
    measured: schema.Model,
) -> None:
    answer = render_card(measured, CardFacts()).decode()
    assert "| arm:cortex-a76 | – | –  | 1 | 0.0412 | – | 51.2 | – |" in answer
    assert "arm:cortex-a76, 1 threads: no such core." in answer
    assert (
        "Not measured."
        in render_card(measured.model_copy(update={"measurements": ()}), CardFacts()).decode()
    )


def test_card_tells_instructions_where_they_are_counted(measured: schema.Model) -> None:
    counted = measured.measurements[0].model_copy(update={"instructions": 1_680_000})
    card = render_card(measured.model_copy(update={"measurements": (counted,)}), CardFacts())
    assert "| 1,680,000 |" in card.decode()


def test_card_tells_an_npus_estimate_below_the_table_of_times(measured: schema.Model) -> None:
    timed, failed = measured.measurements
    about = {"target": "npu:ethos-u55-128", "runtime": "ethos-u-vela", "runtime_version": "5.2.0"}
    compiled, partly = (
        timed.model_copy(update={**about, "p50_ms": None, "npu": npu_report(30_000, on_npu=whole)})
        for whole in (True, False)
    )
    measurements = (timed, compiled, partly, failed)
    card = render_card(measured.model_copy(update={"measurements": measurements}), CardFacts())
    answer = card.decode()
    assert (
        "npu:ethos-u55-128: 30,000 bytes of flash, 6,000 of SRAM; 0.8000 ms by its compiler's "
        "estimate (ethos-u-vela 5.2.0; nothing was run)."
    ) in answer
    assert "2 of 3 operations stay on the CPU (ethos-u-vela" in answer
    assert "| npu:" not in answer


def test_card_says_why_there_is_no_speed(model: schema.Model) -> None:
    assert "Left out." in render_card(model, CardFacts(no_speed="Left out.")).decode()


def test_card_sets_what_needs_no_network_beside_it(model: schema.Model) -> None:
    judged = model.model_copy(update={"quality": schema.BundleQuality(psnr_truth=12.61)})
    trivial = WithoutNetwork("bicubic", schema.BundleQuality(psnr_truth=30.04))
    answer = render_card(judged, CardFacts(trivial=trivial)).decode()
    assert "| | this file | bicubic | floor | what it says |" in answer
    assert "| PSNR to the truth | 12.6 | 30.0 |  | " in answer
    assert "*Bicubic* needs no network" in answer
    assert "needs no network:" not in render_card(judged, CardFacts()).decode()


def test_card_sets_the_baseline_beside_it(model: schema.Model) -> None:
    dense = Baseline(4000, 3000, schema.BundleQuality(frechet=1.25))
    answer = render_card(
        model, CardFacts(baseline=dense, parameters=12, zeros=0.5, float_ops=0)
    ).decode()
    assert "| Fréchet distance | 1.50 | 1.25 | 0.25 |" in answer
    assert "| 4,000 |" in answer
    assert "12 parameters, 50 % of the weights are zero" in answer


def test_forced_bundle_says_so_on_top(order_of: Orders) -> None:
    forced = order_of(gates_failed=("zeros >= 0.75",), unfinished=("stage report has not run",))
    answer = make(forced)["CARD.md"].decode()
    top = answer[: answer.index("## What it draws")]
    assert "Not good enough by its own recipe, bundled with `--force`" in top
    assert "`zeros >= 0.75`" in top
    assert "From an unfinished run" in top
    assert "stage report has not run." in top


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [
        (
            0.978,
            "a small classifier of the same data\n(right on 97.8 % of the test pictures; sha256",
        ),
        (None, "a published network\n(sha256 of its weights"),
    ],
)
def test_card_names_the_judge(accuracy: float | None, words: str, model: schema.Model) -> None:
    judge = {"judge_sha256": "5" * 64, "judge_accuracy": accuracy}
    judged = model.model_copy(update={"quality": model.quality.model_copy(update=judge)})
    assert f"{words} `{'5' * 16}…`)." in render_card(judged, CardFacts()).decode()


def test_card_calls_no_picture_real_where_a_teacher_drew_all(model: schema.Model) -> None:
    precise = model.quality.model_copy(update={"precision": 0.5, "density": 1.0, "recall": 0.5})
    judged = model.model_copy(update={"quality": precise})
    of_a_teacher = render_card(judged, CardFacts(real_pictures=False)).decode()
    quality = of_a_teacher.partition("## Quality")[2].partition("## Size")[0]
    assert "held against pictures of its teacher that were never" in quality
    assert "is what the teacher's pictures score against others of it" in quality
    assert "share of drawn pictures that look like the teacher's ones" in quality
    assert "real" not in quality
    assert "real pictures score against real ones" in render_card(judged, CardFacts()).decode()


def test_unmeasured_quality_is_told_and_not_shown_as_zero(model: schema.Model) -> None:
    bare = model.model_copy(update={"quality": schema.BundleQuality()})
    answer = render_card(bare, CardFacts()).decode()
    assert "Not measured." in answer
    assert "0.00" not in answer


def test_names_cannot_write_markup(order_of: Orders) -> None:
    evil = replace(
        order_of(class_names=("a|b", "<script>", "`*_\n# c")), name="[x](http://example)"
    )
    answer = make(evil)["CARD.md"].decode()
    assert "a\\|b" in answer
    assert "<script>" not in answer
    assert "\n# c" not in answer
    assert "[x](" not in answer


def test_how_it_was_made_cannot_write_markup(model: schema.Model) -> None:
    steps = ("A teacher of run a<script>.",)
    assert (
        "1. A teacher of run a\\<script\\>." in render_card(model, CardFacts(steps=steps)).decode()
    )


def test_name_is_no_statement_of_an_encoding(order_of: Orders) -> None:
    source = make(replace(order_of(), name="coding:rot13"))["code/generator.py"]
    compile(source, "generator.py", "exec")  # Python looks for one in the first two lines


def test_entity_in_a_name_is_shown_as_it_is(order_of: Orders) -> None:
    answer = make(replace(order_of(), name="&lt;b&gt;"))["CARD.md"].decode()
    assert answer.startswith("# \\&lt;b\\&gt;")
