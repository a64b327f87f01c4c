import json

import pytest

from pipeline.cli import main


def test_doctor_tells_the_machine_and_what_is_wrong_with_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["machine"]["cores"] >= 1
    assert isinstance(document["advice"], list)
    assert document["trains"].startswith("on ")
    assert main(["doctor"]) == 0
