from pathlib import Path

import pytest
import torch

from esrgan.hardware import choose_precision


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu amx_bf16 sse", "bf16-mixed"),
        ("fpu avx512_bf16", "bf16-mixed"),
        ("fpu avx512f sse", "32-true"),
    ],
)
def test_bfloat16_is_chosen_where_the_cpu_has_it_in_hardware(
    flags: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
    monkeypatch.setattr("esrgan.hardware.CPU_FLAGS", tmp_path / "cpuinfo")
    assert choose_precision(precision="auto", accelerator="cpu") == expected


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_gpu_is_asked_for_hardware_not_emulation(
    native: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return including_emulation or native

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert choose_precision(precision="auto", accelerator="gpu") == expected


def test_a_wish_is_granted() -> None:
    assert choose_precision(precision="32-true", accelerator="cpu") == "32-true"


def test_other_words_are_refused() -> None:
    with pytest.raises(ValueError, match=r"precision \(16-mixed\) must be one of auto, bf16-mixed"):
        choose_precision(precision="16-mixed", accelerator="gpu")
