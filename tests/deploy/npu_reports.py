"""Reports as an NPU's compiler gives them; nothing is compiled."""

from deploy.jobs import NpuOperation, NpuReport

CPU = "2 of 3 operations stay on the CPU"


def npu_report(flash: int, *, on_npu: bool = True) -> NpuReport:
    """Of a file of three operations, two of which may stay on the CPU."""
    figures = ("sram_bytes", "cycles", "estimated_ms")
    off = {"on_npu": on_npu, "reason": None if on_npu else "unsupported DataType Float32 (map)"}
    return NpuReport(
        accelerator="ethos-u55-128",
        system="Ethos_U55_High_End_Embedded",
        memory_mode="Shared_Sram",
        clock_hz=5e8,
        flash_bytes=flash,
        npu_flash_bytes=flash - 100,
        sram_bytes=6000 if on_npu else None,
        cycles=400_000 if on_npu else None,
        estimated_ms=0.8 if on_npu else None,
        macs=1000,
        operations=(
            NpuOperation(index=0, operation="Reshape", layer="", on_npu=True),
            NpuOperation(index=1, operation="Conv2D", layer="map", **off),
            NpuOperation(index=2, operation="Tanh", layer="image", **off),
        ),
        absent={} if on_npu else dict.fromkeys(figures, CPU),
    )
