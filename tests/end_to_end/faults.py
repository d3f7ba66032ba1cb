"""What goes wrong inside a training process, on demand."""

import errno
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import torch
from torch import Tensor, nn


def slow_sync() -> None:
    """Stretch the writing of a checkpoint, so that a kill can hit it."""
    sync = os.fsync

    def slowly(handle: int) -> None:
        time.sleep(0.2)
        sync(handle)

    os.fsync = slowly


def full_disk() -> None:
    """Fail where the content of the second checkpoint reaches the disk."""
    sync = os.fsync

    def full(handle: int) -> None:
        if "iteration_00000010" in Path(f"/proc/self/fd/{handle}").readlink().name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    os.fsync = full


def full_for_a_moment() -> None:
    """The same once: somebody makes room."""
    sync, refusals = os.fsync, [errno.ENOSPC]

    def full(handle: int) -> None:
        name = Path(f"/proc/self/fd/{handle}").readlink().name
        if refusals and "iteration_00000010" in name:
            number = refusals.pop()
            raise OSError(number, os.strerror(number))
        sync(handle)

    os.fsync = full


def file_too_large() -> None:
    """Have the system refuse a part of the second checkpoint, in the middle of torch.save."""
    save = torch.save

    def limited(state: dict[str, object], file: IO[bytes]) -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        if state.get("iteration") == 10:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        try:
            save(state, file)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    torch.save = limited


def no_compiler() -> None:
    from torch._inductor import config

    config.cpp.cxx = ("/nowhere/g++",)


def slow_validation() -> None:
    """Each image says by a file that it has been reached, and takes half a second."""
    from esrgan.training import validation

    measure = validation._output

    def slowly(*words: object) -> object:
        Path(f"reached_{time.monotonic_ns()}").touch()
        time.sleep(0.5)
        return measure(*words)

    validation._output = slowly


def nobody_reads() -> None:
    """As after `train.py | head`, and with 2>&1: what is written to the terminal has no reader."""
    reader, writer = os.pipe()
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    os.close(reader)


def no_bfloat16() -> None:
    """A processor that computes with it in software."""
    from esrgan import hardware

    hardware.cpu_multiplies_bf16 = lambda: False


def bfloat16() -> None:
    from esrgan import hardware

    hardware.cpu_multiplies_bf16 = lambda: True


def one_process_drifts() -> None:
    """As where a device computes wrongly: after the 7th iteration, one bit of a weight is wrong."""
    from esrgan.training.stage import Stage

    end = Stage.end

    def wrongly(self, values):
        values = end(self, values)
        if self.iteration == 7 and self.global_rank == 1:
            bits = next(self.generator.parameters()).detach().view(torch.int32)
            bits[(0,) * bits.dim()] ^= 1 << 16  # the last one would be rounded away
        return values

    Stage.end = wrongly


class NotANumberAfter(nn.Module):
    """L1 until a call, then never a number again."""

    def __init__(self, *, calls: int) -> None:
        super().__init__()
        self.calls_left = calls

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        self.calls_left -= 1
        return (sr - gt).abs().mean() * (1.0 if self.calls_left >= 0 else float("nan"))


def validation_fails_at_10() -> None:
    """As where an image is gone, or memory is too small."""
    _fail_at(10)


def validation_fails_at_60() -> None:
    _fail_at(60)


def _fail_at(iteration: int) -> None:
    from esrgan.training import AfterIteration

    validate = AfterIteration._validate

    def fail(self, trainer, validation, stage):
        if stage.iteration == iteration:
            raise ValueError("one image is gone")
        validate(self, trainer, validation, stage)

    AfterIteration._validate = fail


class NotANumberAt(nn.Module):
    """L1 that is not a number in some calls, and on some process alone."""

    def __init__(self, *, calls: list[int], rank: int | None = None) -> None:
        super().__init__()
        self.calls, self.rank, self.count = calls, rank, 0

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        self.count += 1
        is_here = self.rank in (None, int(os.environ.get("RANK", "0")))
        bad = float("nan") if is_here and self.count in self.calls else 1.0
        return bad * (sr - gt).abs().mean()


def a_sample_kills_once() -> None:
    """As where memory is short for a moment: the file says that it has happened."""
    _at_sample(70, lambda: os.kill(os.getpid(), signal.SIGKILL), times=1)


def a_sample_kills() -> None:
    _at_sample(70, lambda: os.kill(os.getpid(), signal.SIGKILL))


def a_sample_raises() -> None:
    def fail() -> None:
        raise ValueError("its file is broken")

    _at_sample(70, fail)


def _at_sample(number: int, fail: Callable[[], None], *, times: int = 1000) -> None:
    """Let what is done in the place of reading that sample fail as often as that."""
    from esrgan.data.lmdb_pairs import LmdbPairs
    from esrgan.data.patches import PatchDataset

    make, read = PatchDataset.__getitem__, LmdbPairs.read_crop
    wanted = []

    def makes(self: PatchDataset, number: int) -> object:
        wanted[:] = [number]
        return make(self, number)

    def reads(self: LmdbPairs, *crop: int) -> object:
        happened = len(list(Path().glob("fault_*")))  # in the folder of the training
        if wanted == [number] and happened < times:
            Path(f"fault_{happened}").touch()
            fail()
        return read(self, *crop)

    PatchDataset.__getitem__, LmdbPairs.read_crop = makes, reads
