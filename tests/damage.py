"""Files that were damaged, each in a way drawn by a seed, and what has to become of each."""

import json
import os
import random
import resource
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_samples import samples
from safetensors.torch import save_file

from esrgan.data import ImageError, LmdbPairs, image_size, read_image, read_picture
from esrgan.data.check import find_problems
from esrgan.runs.checkpoints import CheckpointError, read_checkpoint
from esrgan.weights import WeightsError, load_discriminator, load_generator, read_metadata

LONGEST = 60  # seconds, for what takes milliseconds: it hangs
MOST_MEMORY = 2 << 30  # bytes above what there was before


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Flipped, cut off, set to extremes, overwritten by noise, shortened or repeated inside.

    Half of it near the start, where headers are.
    """
    damaged = bytearray(data)
    reach = dice.choice([min(len(damaged), 200), len(damaged)])
    at, length = dice.randrange(reach), dice.randrange(1, 200)
    kind = dice.randrange(6)
    if kind == 0:
        for _ in range(dice.choice([1, 1, 2, 8, 40])):
            damaged[dice.randrange(reach)] ^= 1 << dice.randrange(8)
    elif kind == 1:
        del damaged[dice.randrange(len(damaged)) :]
    elif kind == 2:
        for _ in range(dice.choice([1, 2, 4, 8])):
            damaged[dice.randrange(reach)] = dice.choice([0, 1, 0x7F, 0x80, 0xFF])
    elif kind == 3:
        damaged[at : at + length] = dice.randbytes(length)
    elif kind == 4:
        del damaged[at : at + length]
    else:
        damaged[at:at] = damaged[at : at + length]
    return bytes(damaged)


@contextmanager
def ended_if_it_hangs() -> Iterator[None]:
    signal.alarm(LONGEST)  # without a handler: a decoder in C does not come back to Python
    try:
        yield
    finally:
        signal.alarm(0)


def check_flips_of_a_checkpoint(path: Path, count: int) -> None:
    """One bit each: all are noticed."""
    content, dice = path.read_bytes(), random.Random(0)
    for _ in range(count):
        damaged = bytearray(content)
        damaged[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="is damaged"):
            read_checkpoint(path)


def check_mutated_images(folder: Path, count: int) -> Counter[str]:
    """Each is an image, or refused by name, by all three readers; returns how many were which."""
    files = [sample.data for sample in samples() if len(sample.data) < 50_000 and sample.data]
    dice, outcomes = random.Random(0), Counter[str]()
    before = _peak_memory()
    for _ in range(count):
        path = folder / "x.png"
        path.write_bytes(mutated(dice.choice(files), dice))
        with ended_if_it_hangs():
            outcomes[_outcome_of_image(path)] += 1
    assert _peak_memory() - before < MOST_MEMORY
    return outcomes


def _outcome_of_image(path: Path) -> str:
    try:
        picture = read_picture(path)
    except ImageError:
        with pytest.raises(ImageError):
            read_image(path)
        return "refused"
    height, width = picture.colour.shape[:2]
    assert picture.colour.shape == (height, width, 3)
    assert picture.colour.dtype in (np.uint8, np.uint16)
    assert picture.alpha is None or picture.alpha.shape == (height, width)
    assert image_size(path) == (height, width)
    if not picture.is_transparent:
        assert read_image(path).shape == (height, width, 3)
    return "read"


def check_mutated_weights(release: Path, folder: Path, count: int) -> Counter[str]:
    """Each gives a network or is refused by name; returns how many were which.

    `release` is a .pth; the legacy form of torch and .safetensors are made of it.
    """
    content = torch.load(release, weights_only=True)
    weights = content["params_ema"]
    torch.save(weights, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    about = {"architecture": json.dumps(content["architecture"])}
    save_file(weights, folder / "new.safetensors", metadata=about)
    paths = (release, folder / "legacy.pth", folder / "new.safetensors")
    files = [(path.suffix, path.read_bytes()) for path in paths]
    dice, outcomes = random.Random(0), Counter[str]()
    before = _peak_memory()
    for _ in range(count):
        suffix, data = dice.choice(files)
        path = folder / f"mutated{suffix}"
        path.write_bytes(mutated(data, dice))
        for read in (load_generator, load_discriminator, read_metadata):
            with ended_if_it_hangs():
                try:
                    read(path)
                    outcomes[f"{read.__name__} read"] += 1
                except WeightsError as error:
                    assert path.name in str(error)
                    outcomes[f"{read.__name__} refused"] += 1
    assert _peak_memory() - before < MOST_MEMORY
    return outcomes


def check_damaged_data_sets(dataset: Path, folder: Path, count: int) -> Counter[str]:
    """Of each, the check finds the damage or every value is what it was; nothing kills a reader."""
    expected, dice, outcomes = _values(dataset), random.Random(0), Counter[str]()
    files = ["gt.lmdb/data.mdb", "lq.lmdb/data.mdb", "manifest.json", "records.tsv"]
    for _ in range(count):
        damaged = folder / "damaged"
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(dataset, damaged)
        path = damaged / dice.choices(files, [3, 3, 1, 1])[0]
        path.write_bytes(mutated(path.read_bytes(), dice))
        found = _in_a_fork(lambda damaged=damaged: bool(list(find_problems(damaged))))
        if not found:
            assert _in_a_fork(lambda damaged=damaged: _values(damaged) == expected)
        outcomes["found" if found else "harmless"] += 1
    return outcomes


def _values(dataset: Path) -> list[bytes]:
    pairs = LmdbPairs(folder=dataset, scale=4)
    return [image.tobytes() for index in range(len(pairs)) for image in pairs.read(index)]


def _in_a_fork(check: Callable[[], bool]) -> bool:
    """A reader that the damage kills (SIGBUS) must not take the tests with it."""
    child = os.fork()
    if child == 0:
        signal.alarm(LONGEST)
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 1), f"the reader ended with {code}"
    return code == 0


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
