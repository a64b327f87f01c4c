import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.report.run import schema
from pipeline.report.run.latents import view
from pipeline.report.run.page import Exhibits, render
from pipeline.report.run.schema import LatentsReport, Report

WALK = np.arange(3 * 2 * 5, dtype=np.uint8).reshape(3, 2, 5, 1, 1, 1).repeat(4, 3).repeat(4, 4)


def picture(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_strip_has_a_row_a_latent_and_generator_and_a_column_a_step(latents: LatentsReport) -> None:
    (strip,) = view(latents, {"weights 1": WALK}).strips
    middles = picture(strip.picture)[2::6, 2::6, 0]
    np.testing.assert_array_equal(middles, np.arange(30).reshape(6, 5))


def test_caption_tells_effect_agreement_chance_and_strength(latents: LatentsReport) -> None:
    (strip,) = view(latents, {"weights 1": WALK}).strips
    assert strip.caption == (
        "changes a pixel by 17.2%; agreement in pixels 0.93 (0.08 by chance), 0.97 times as "
        "strong; agreement in the judge's features 0.88 (0.11 by chance), 1.02 times as strong"
    )


def test_values_of_a_discrete_code_are_no_direction(latents: LatentsReport) -> None:
    assert view(latents, {"discrete code": WALK}).strips[0].caption == "a column a value"


@pytest.mark.parametrize("asked", [True, False])
def test_page_and_report_have_the_section_where_it_was_asked_for(
    report: Report, latents: LatentsReport, exhibits: Any, *, asked: bool
) -> None:
    contents = report.model_copy(update={"latents": latents if asked else None})
    text = render(contents, Exhibits(samples=exhibits.samples, walks={"weights 1": WALK}))
    assert ("What the latents mean" in text) == asked
    assert ('"latents"' in schema.dumps(contents)) == asked


def test_report_with_latents_is_read_as_it_was_written(
    report: Report, latents: LatentsReport, tmp_path: Any
) -> None:
    contents = report.model_copy(update={"latents": latents})
    (tmp_path / "report.json").write_text(schema.dumps(contents))
    assert schema.read(tmp_path / "report.json").latents == latents
