"""Finds whatever is wrong with a data set in LMDB form."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from lmdb.verify import VerifyError
from lmdb.verify import verify as verify_structure

from esrgan.data.lmdb_pairs import LmdbDataset, check_files, open_dataset
from esrgan.data.lmdb_store import LmdbReader
from esrgan.data.manifest import GT, LQ, digest, read_records
from esrgan.types import Progress

_BLOCK = 1024  # records whose checks are queued at a time


class Problem(NamedTuple):
    """What is wrong, and with which record: "" where it is the data set as a whole."""

    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}" if self.key else self.what


def find_problems(
    folder: Path, *, gt: str = GT, lq: str = LQ, progress: Progress | None = None
) -> Iterator[Problem]:
    """Reads a whole data set and yields what is wrong with it, nothing if all is as written.

    From the outside in, so that nothing damaged is mapped into memory: sizes of the files, records
    file, structure of the LMDBs, keys, and then each value against its digest or, in a data set
    of BasicSR, which has none, by decoding it.

    Args:
        folder: holds the two LMDB folders, and a manifest unless BasicSR wrote it.
        gt: name of the LMDB of ground truths in the folder.
        lq: name of the LMDB of low-quality images.
        progress: is told of the records whose values have been checked.
    """
    try:
        check_files(folder, gt=gt, lq=lq)
        damages = [*_structure_problems(folder / gt), *_structure_problems(folder / lq)]
        yield from damages
        if not damages:
            dataset = open_dataset(folder, gt=gt, lq=lq)
            yield from _key_problems(dataset)
            yield from _value_problems(dataset, progress)
    except ValueError as error:  # there is no way further in
        yield Problem("", str(error))


def _structure_problems(lmdb: Path) -> Iterator[Problem]:
    try:
        problems: list[str] = verify_structure(lmdb)  # type: ignore[no-untyped-call] # lmdb's
    except (VerifyError, OSError) as error:
        problems = [str(error)]
    for problem in problems:
        yield Problem("", f"{lmdb} is damaged: {problem}: copy the data set again or rebuild it")


def _key_problems(dataset: LmdbDataset) -> Iterator[Problem]:
    """Records without a value are found where the values are read."""
    listed = {dataset.index.key(index) for index in range(len(dataset.index))}
    if len(listed) != len(dataset.index):
        yield Problem("", f"{dataset.folder} lists {len(dataset.index) - len(listed)} keys twice")
    for lmdb in (dataset.gt, dataset.lq):
        for key in set(LmdbReader(lmdb).keys()) - listed:
            yield Problem(key.decode(errors="replace"), f"{lmdb.name} has it, the records have not")


def _value_problems(dataset: LmdbDataset, progress: Progress | None) -> Iterator[Problem]:
    """Threads share the work, as both hashing and decoding release Python's lock."""
    checks = _pixel_checks(dataset) if dataset.manifest is None else _digest_checks(dataset)
    done = 0
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        while block := list(islice(checks, _BLOCK)):
            for problems in threads.map(_run, block):
                yield from problems
                done += 1
                if progress:
                    progress(done, len(dataset.index))


class _Check(NamedTuple):
    """`expect` is given the stored value and raises ValueError if it is not what it should be."""

    reader: LmdbReader
    key: bytes
    expect: Callable[[memoryview], object]


def _run(checks: tuple[_Check, _Check]) -> list[Problem]:
    problems = []
    for reader, key, expect in checks:
        try:
            reader.read(key, expect)
        except ValueError as error:
            problems.append(Problem(key.decode(), str(error)))
    return problems


def _digest_checks(dataset: LmdbDataset) -> Iterator[tuple[_Check, _Check]]:
    gt, lq = LmdbReader(dataset.gt), LmdbReader(dataset.lq)
    for record in read_records(dataset.folder):
        key = record.key.encode()
        yield (
            _Check(gt, key, partial(_expect_digest, record.gt_digest)),
            _Check(lq, key, partial(_expect_digest, record.lq_digest)),
        )


def _expect_digest(expected: str, value: memoryview) -> None:
    if digest(value) != expected:
        raise ValueError("was changed since it was written: copy the data set again or rebuild it")


def _pixel_checks(dataset: LmdbDataset) -> Iterator[tuple[_Check, _Check]]:
    gt, lq = LmdbReader(dataset.gt), LmdbReader(dataset.lq)
    decode, scale = dataset.codec.decode, dataset.scale
    for index in range(len(dataset.index)):
        key, (height, width) = dataset.index.key(index), dataset.index.lq_size(index)
        yield (
            _Check(gt, key, partial(decode, size=(scale * height, scale * width))),
            _Check(lq, key, partial(decode, size=(height, width))),
        )
