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

from esrgan.data.lmdb_dataset import LmdbDataset, check_files, open_dataset
from esrgan.data.lmdb_store import Codec, LmdbReader
from esrgan.data.manifest import GT, LQ, digest, read_manifest, read_records
from esrgan.types import Progress

_BLOCK = 1024  # records whose checks are queued at a time

_Expect = Callable[[memoryview], object]
"""Raises a ValueError of a value that is not what it should be."""


class Problem(NamedTuple):
    """What is wrong, and with which record: "" where it is the data set as a whole."""

    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}" if self.key else self.what


def verify_dataset(dataset: LmdbDataset) -> None:
    """Raises a ValueError with all that `find_problems` finds, in the parts that were opened."""
    lq = dataset.lq.name if dataset.lq else None
    problems = find_problems(dataset.folder, gt=dataset.gt.name, lq=lq)
    if lines := [f"\n  {problem}" for problem in problems]:
        count = f"{len(lines)} problems"
        raise ValueError(f"data set {dataset.folder} has {count}:{''.join(lines)}")


def lq_of(folder: Path) -> str | None:
    """The name of the LMDB of low-quality images; None where the data set was made without them."""
    try:
        manifest = read_manifest(folder)
    except ValueError:
        return LQ  # whoever checks it will say so
    has_lq = manifest.settings.has_lq if manifest else (folder / LQ).exists()
    return LQ if has_lq else None


def find_problems(
    folder: Path, *, gt: str = GT, lq: str | None = LQ, progress: Progress | None = None
) -> Iterator[Problem]:
    """Reads a whole data set and yields what is wrong with it, nothing if all is as written.

    From the outside in, so that nothing damaged is mapped into memory: sizes of the files, records
    file, structure of the LMDBs, keys, and then each value against its digest or, in a data set
    of BasicSR, which has none, by decoding it.

    `gt` and `lq` are the names of the two LMDBs in the folder, `lq` None to check the ground truths
    alone; `progress` is told of the records whose values have been checked.
    """
    try:
        check_files(folder, gt=gt, lq=lq)
        lmdbs = [folder / name for name in (gt, lq) if name]
        damages = [problem for lmdb in lmdbs for problem in _structure_problems(lmdb)]
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
    for lmdb in _lmdbs(dataset):
        for key in set(LmdbReader(lmdb).keys()) - listed:
            yield Problem(key.decode(errors="replace"), f"{lmdb.name} has it, the records have not")


def _value_problems(dataset: LmdbDataset, progress: Progress | None) -> Iterator[Problem]:
    """Threads share the work, as both hashing and decoding release Python's lock."""
    readers = [LmdbReader(lmdb) for lmdb in _lmdbs(dataset)]

    def problems_of(record: tuple[bytes, _Expect, _Expect]) -> list[Problem]:
        key, *expected = record
        problems = []
        for reader, expect in zip(readers, expected, strict=False):  # without lq, there is one
            try:
                reader.read(key, expect)
            except ValueError as error:
                problems.append(Problem(key.decode(), str(error)))
        return problems

    records = _expected(dataset)
    done = 0
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        while block := list(islice(records, _BLOCK)):
            for problems in threads.map(problems_of, block):
                yield from problems
                done += 1
                if progress:
                    progress(done, len(dataset.index))


def _expected(dataset: LmdbDataset) -> Iterator[tuple[bytes, _Expect, _Expect]]:
    """Per record its key, and what to expect of its gt and of its lq value."""
    if dataset.manifest:
        for record in read_records(dataset.folder, dataset.manifest):
            gt, lq = (partial(_expect_digest, one) for one in (record.gt_digest, record.lq_digest))
            yield record.key.encode(), gt, lq
        return
    for index in range(len(dataset.index)):
        height, width = dataset.index.size(index)
        gt = partial(_expect_image, dataset.codec, (height, width))
        lq_size = (height // dataset.scale, width // dataset.scale)
        yield dataset.index.key(index), gt, partial(_expect_image, dataset.codec, lq_size)


def _lmdbs(dataset: LmdbDataset) -> list[Path]:
    return [dataset.gt, dataset.lq] if dataset.lq else [dataset.gt]


def _expect_digest(expected: str, value: memoryview) -> None:
    if digest(value) != expected:
        raise ValueError("was changed since it was written: copy the data set again or rebuild it")


def _expect_image(codec: Codec, size: tuple[int, int], value: memoryview) -> None:
    codec.decode(value, size)
