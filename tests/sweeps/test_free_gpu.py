import logging
from pathlib import Path

import pytest

from esrgan.sweeps.job import free_gpu, visible_gpus


def never() -> bool:
    return False


def test_claims_side_by_side_get_different_gpus(tmp_path: Path) -> None:
    with free_gpu(["0", "1"], tmp_path, stop=never) as first:
        with free_gpu(["0", "1"], tmp_path, stop=never) as second:
            assert (first, second) == ("0", "1")
        with free_gpu(["0", "1"], tmp_path, stop=never) as third:
            assert third == "1"


def test_a_claim_ends_with_its_block_even_if_that_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), free_gpu(["0"], tmp_path, stop=never):
        raise RuntimeError
    with free_gpu(["0"], tmp_path, stop=never) as gpu:
        assert gpu == "0"


def test_whoever_finds_none_free_says_so_and_waits(tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO)
    first = free_gpu(["GPU-5c/1", "GPU-5c/2"], tmp_path, stop=never)
    first.__enter__()
    asked = []

    def stop() -> bool:
        if len(asked) == 2:
            first.__exit__(None, None, None)
        asked.append(None)
        return False

    with (
        free_gpu(["GPU-5c/2"], tmp_path, stop=never),
        free_gpu(["GPU-5c/1", "GPU-5c/2"], tmp_path, stop=stop) as gpu,
    ):
        assert gpu == "GPU-5c/1"
    assert len(asked) == 3
    assert caplog.text.count("waiting for a GPU") == 1


def test_waiting_ends_with_a_wish_to_stop(tmp_path: Path) -> None:
    with (
        free_gpu(["0"], tmp_path, stop=never),
        free_gpu(["0"], tmp_path, stop=iter([False, True]).__next__) as gpu,
    ):
        assert gpu is None


@pytest.mark.parametrize(("value", "gpus"), [("", []), ("3", ["3"]), ("2,GPU-5c", ["2", "GPU-5c"])])
def test_the_visible_gpus_are_those_of_the_environment(monkeypatch, value, gpus) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert visible_gpus() == gpus


def test_otherwise_all_of_the_machine_are_visible(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    tool = tmp_path / "nvidia-smi"
    lines = ["GPU 0: NVIDIA H100 (UUID: GPU-1)", "  MIG 1g.10gb Device 0: (UUID: MIG-3)"]
    lines.append("GPU 1: NVIDIA H100 (UUID: GPU-2)")
    tool.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    tool.chmod(0o755)
    assert visible_gpus() == ["0", "1"]
