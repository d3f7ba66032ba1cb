from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from esrgan import hardware
from esrgan.hardware import (
    choose_device,
    choose_precision,
    fastest_dtype,
    free_memory,
    require_accelerator,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)


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


@pytest.mark.parametrize(
    ("flags", "dtype"),
    [
        ("flags : fpu avx512f avx512_bf16 sse", torch.bfloat16),
        ("flags : amx_bf16", torch.bfloat16),
        ("Features : fp asimd bf16", torch.bfloat16),
        ("flags : fpu avx512f avx512_vnni", torch.float32),
    ],
)
def test_a_cpu_that_multiplies_bfloat16_uses_it(flags, dtype, monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text(f"model name : any\n{flags}\n")
    monkeypatch.setattr(hardware, "CPU_FLAGS", tmp_path / "cpuinfo")
    assert fastest_dtype(CPU) == dtype


def test_a_cpu_that_says_nothing_computes_in_float32(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "CPU_FLAGS", tmp_path / "missing")
    assert fastest_dtype(CPU) == torch.float32


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_a_gpu_uses_the_format_of_its_generation(capability, dtype, monkeypatch):
    asked = []
    monkeypatch.setattr(
        torch.cuda, "get_device_capability", lambda device: asked.append(device) or capability
    )
    assert fastest_dtype(GPU) == dtype
    assert asked == [GPU]


def test_another_device_computes_in_float32():
    assert fastest_dtype(torch.device("mps")) == torch.float32


def test_free_memory_is_what_programs_can_have_without_swapping(monkeypatch):
    memory = SimpleNamespace(free=1_000, available=5_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert free_memory() == 5_000


@pytest.mark.parametrize(
    ("name", "there"),
    [("gpu", False), ("cuda", False), ("mps", False), ("cpu", True), ("auto", True)],
)
def test_a_device_that_is_not_there_is_told_in_words(monkeypatch, name, there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    if there:
        require_accelerator(name)
    else:
        with pytest.raises(ValueError, match=rf"trainer.accelerator \({name}\) cannot be used"):
            require_accelerator(name)


def test_one_that_is_there_is_taken(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    require_accelerator("gpu")
    require_accelerator("cuda")


def test_why_a_device_cannot_be_used_is_one_line(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no such backend\nregistered at ...\nregistered at ...")

    monkeypatch.setattr(torch, "zeros", refuse)
    with pytest.raises(ValueError, match=r"^--device mps cannot be used: no such backend$"):
        choose_device("mps")
