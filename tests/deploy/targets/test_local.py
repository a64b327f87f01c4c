from pathlib import Path

from deploy.harness import MeasuringPlan, measure
from deploy.targets.local import Local


def test_plain_kernels_are_another_target_with_their_own_name(int8_file: Path) -> None:
    fast, plain = measure(
        {"int8": int8_file}, [Local(), Local(xnnpack=False)], plan=MeasuringPlan(rounds=1, runs=8)
    )
    assert (fast.target, plain.target) == ("local", "local:plain")
    assert (fast.delegate, plain.delegate) == ("xnnpack", "none")
    assert fast.error is plain.error is None
