from collections.abc import Callable

import pytest

from deploy.errors import PocketganError
from pipeline.stage import StageContext
from pipeline.stages.quantize_student import quantize_student


def test_bits_that_the_search_chooses_are_not_asked_for_in_vain(
    ctx: Callable[..., StageContext],
) -> None:
    check = quantize_student.check or pytest.fail("nothing is checked")
    with pytest.raises(PocketganError, match=r"quantize\.bits: 4 would change nothing") as refused:
        check(ctx("--quantize.bits", "4"))
    assert refused.value.remedy == "Leave it out, and set search.bits to [4]."
    check(ctx("--search.bits", "[4]"))
