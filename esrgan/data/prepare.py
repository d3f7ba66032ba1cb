"""Builds a data set in LMDB form from folders of images."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from esrgan.data.encode import Encoded, Recipe, encode_sources
from esrgan.data.images import ImageError
from esrgan.data.lmdb_store import LmdbWriter
from esrgan.data.manifest import (
    GT,
    LQ,
    PARTIAL_SUFFIX,
    BuildSettings,
    Journal,
    begin,
    open_journal,
    publish,
    seal,
)
from esrgan.data.sources import Source, find_sources
from esrgan.files import refuse_existing
from esrgan.types import Progress

_TRANSACTION_BYTES = 64 << 20


class Built(NamedTuple):
    """What a build came to: the number of records, and the files that were left out."""

    num_records: int
    left_out: list[ImageError]


def build_dataset(
    output: Path,
    recipe: Recipe,
    *,
    gt_folders: Sequence[Path],
    lq_folders: Sequence[Path] = (),
    processes: int = 1,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> Built:
    """Builds a data set, or continues where an interrupted build of it was.

    All is written to `output` with ".partial" appended, and renamed when it is complete: the same
    call after a kill, a full disk or a repaired file continues. The records are the same for any
    number of processes and of interruptions.

    Args:
        output: the folder to make.
        recipe: how records are made.
        gt_folders: hold the ground truths, also in subfolders.
        lq_folders: hold their low-quality images, where these are not to be made.
        processes: that encode; each needs memory for about three decoded images and their records.
        skip_bad: leave out images that cannot be used, instead of failing at the end.
        progress: is told of the source images.

    Raises:
        ValueError: `output` exists; folders and recipe do not fit together; another build works on
            it or began it with other settings or files; images cannot be used (all are named).
        OSError: the file system refuses a write.
    """
    refuse_existing(output, fix="choose another name")
    settings = _settings(recipe, gt_folders, lq_folders)
    sources = find_sources(gt_folders, lq_folders, scale=recipe.scale)
    partial = output.with_name(output.name + PARTIAL_SUFFIX)
    partial.mkdir(parents=True, exist_ok=True)
    with open_journal(partial) as journal:
        manifest = begin(partial, settings)
        bad: list[ImageError] = []
        if manifest.contents is None:
            todo = _not_yet_stored(sources, journal, partial)
            with closing(encode_sources(todo, recipe, processes=processes)) as made:
                done = len(sources) - len(todo)
                bad = _store(_reported(made, done, len(sources), progress), partial, journal)
            if bad and not skip_bad:
                raise ValueError(_listing(bad, partial))
            manifest = seal(partial, manifest, journal)
    publish(partial, output)
    assert manifest.contents
    return Built(manifest.contents.num_records, bad)


def _settings(
    recipe: Recipe, gt_folders: Sequence[Path], lq_folders: Sequence[Path]
) -> BuildSettings:
    if (recipe.downscale is None) != bool(lq_folders):
        raise ValueError("give either lq folders or a function that makes the lq images, not both")
    return BuildSettings(
        scale=recipe.scale,
        codec=recipe.codec.name,
        lq_from=recipe.downscale.__name__ if recipe.downscale else "folders",
        subimages=recipe.subimages and (recipe.subimages.size, recipe.subimages.step),
        gt_folders=tuple(str(folder.resolve()) for folder in gt_folders),
        lq_folders=tuple(str(folder.resolve()) for folder in lq_folders),
    )


def _not_yet_stored(sources: Sequence[Source], journal: Journal, partial: Path) -> list[Source]:
    """The sources that the journal has no records of.

    Raises:
        ValueError: a file that it has records of was changed, or is not among the sources.
    """
    stored = {entry.record.source: entry.fingerprint for entry in journal.entries()}
    todo = []
    for source in sources:
        fingerprint = stored.pop(str(source.gt), None)
        if fingerprint is None:
            todo.append(source)
        elif fingerprint != source.fingerprint():
            stored[str(source.gt)] = fingerprint
    if stored:
        raise ValueError(
            f"{len(stored)} files were changed or removed since {partial} was begun, for example"
            f" {min(stored)}: restore them, or remove {partial} to start afresh"
        )
    return todo


def _reported(
    results: Iterable[list[Encoded] | ImageError], done: int, total: int, progress: Progress | None
) -> Iterator[list[Encoded] | ImageError]:
    for number, result in enumerate(results, start=done + 1):
        yield result
        if progress:
            progress(number, total)


def _store(
    results: Iterable[list[Encoded] | ImageError], partial: Path, journal: Journal
) -> list[ImageError]:
    """Stores what was made, and returns what could not be."""
    keys = {entry.record.key.encode() for entry in journal.entries()}
    bad: list[ImageError] = []
    batch: list[Encoded] = []
    with LmdbWriter(partial / GT) as gt, LmdbWriter(partial / LQ) as lq:
        gt.keep_only(keys)  # a kill may have come before the journal had its line
        lq.keep_only(keys)
        for result in results:
            if isinstance(result, ImageError):
                bad.append(result)
                continue
            batch += result
            if sum(len(one.gt) + len(one.lq) for one in batch) >= _TRANSACTION_BYTES:
                _commit(batch, gt, lq, journal)
                batch = []
        _commit(batch, gt, lq, journal)
    return bad


def _commit(batch: Sequence[Encoded], gt: LmdbWriter, lq: LmdbWriter, journal: Journal) -> None:
    gt.put([(one.entry.record.key.encode(), one.gt) for one in batch])
    lq.put([(one.entry.record.key.encode(), one.lq) for one in batch])
    journal.append(one.entry for one in batch)


def _listing(bad: Sequence[ImageError], partial: Path) -> str:
    lines = "".join(f"\n  {error}" for error in bad)
    return (
        f"{len(bad)} images cannot be used:{lines}\nThe others are stored in {partial}: repair or"
        " remove these and run the same again, or leave them out (skip_bad)"
    )
