"""Builds a data set in LMDB form from folders of images."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from esrgan.data.encode import Encoded, Recipe, encode_sources, leave_out_small
from esrgan.data.header import ImageError
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
from esrgan.data.versions import REDUCED
from esrgan.files import check_folder, refuse_existing
from esrgan.types import Progress

_TRANSACTION_BYTES = 64 << 20


class Built(NamedTuple):
    """What a build came to: the number of records, and what was left out.

    `too_small` has the names and sizes of what `skip_small` left out.
    """

    num_records: int
    left_out: list[ImageError]
    too_small: list[str]


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

    `gt_folders` hold the ground truths, also in subfolders, and `lq_folders` their low-quality
    images, where the recipe neither makes them nor does without. Each of the `processes` needs
    memory for about three decoded images and their records. With `skip_bad`, images that cannot be
    used are left out, instead of failing at the end. `progress` is told of the source images.

    Raises:
        ValueError: `output` exists; folders and recipe do not fit together; another build works on
            it or began it with other settings or files; images cannot be used (all are named).
        OSError: the file system refuses a write.
    """
    refuse_existing(output, fix="choose another name")
    check_folder(output)
    for folders in (gt_folders, lq_folders):
        _refuse_twice(folders)
    if bool(lq_folders) != (recipe.downscale is None and not recipe.gt_only):
        raise ValueError("give either lq folders or a function that makes the lq images, not both")
    settings = _settings(recipe, gt_folders, lq_folders)
    found = find_sources(
        gt_folders,
        lq_folders,
        scale=recipe.scale,
        suffixes=REDUCED if recipe.multi_scale else (),
    )
    sources, too_small = leave_out_small(found, recipe)
    if not sources:
        raise ValueError(
            f"all {len(found)} images are smaller than skip_small ({recipe.skip_small}): lower it"
        )
    partial = output.with_name(output.name + PARTIAL_SUFFIX)
    partial.mkdir(parents=True, exist_ok=True)
    with open_journal(partial) as journal:
        manifest = begin(partial, settings)
        bad: list[ImageError] = []
        if manifest.contents is None:
            bad = _store(sources, recipe, partial, journal, processes, progress)
            if bad and not skip_bad:
                lines = "".join(f"\n  {error}" for error in bad)
                raise ValueError(
                    f"{len(bad)} images cannot be used:{lines}\nThe others are stored in {partial}:"
                    " repair or remove these and run the same again, or leave them out (skip_bad)"
                )
            manifest = seal(partial, manifest, journal)
    publish(partial, output)
    assert manifest.contents
    return Built(manifest.contents.num_records, bad, too_small)


def _settings(
    recipe: Recipe, gt_folders: Sequence[Path], lq_folders: Sequence[Path]
) -> BuildSettings:
    lq_from = "none" if recipe.gt_only else "folders"
    return BuildSettings(
        scale=recipe.scale,
        codec=recipe.codec.name,
        lq_from=recipe.downscale.__name__ if recipe.downscale else lq_from,
        subimages=recipe.subimages and (recipe.subimages.size, recipe.subimages.step),
        gt_folders=tuple(str(folder.resolve()) for folder in gt_folders),
        lq_folders=tuple(str(folder.resolve()) for folder in lq_folders),
        multi_scale=recipe.multi_scale,
        skip_small=recipe.skip_small,
    )


def _refuse_twice(folders: Sequence[Path]) -> None:
    resolved = [folder.resolve() for folder in folders]
    for number, folder in enumerate(resolved):
        if folder in resolved[:number]:
            raise ValueError(f"{folders[number]} is given twice: name each folder once")


def _store(
    sources: Sequence[Source],
    recipe: Recipe,
    partial: Path,
    journal: Journal,
    processes: int,
    progress: Progress | None,
) -> list[ImageError]:
    """Stores what is not there yet, and returns what cannot be."""
    todo = _not_yet_stored(sources, journal, partial)
    keys = {entry.record.key.encode() for entry in journal.entries()}
    bad: list[ImageError] = []
    batch: list[Encoded] = []
    num_bytes = 0
    with (
        closing(encode_sources(todo, recipe, processes=processes)) as results,
        ExitStack() as stack,
    ):
        gt = stack.enter_context(LmdbWriter(partial / GT))
        lq = None if recipe.gt_only else stack.enter_context(LmdbWriter(partial / LQ))
        for writer in (gt, lq):
            if writer:
                writer.keep_only(keys)  # a kill may have come before the journal had its line
        for done, result in enumerate(results, start=len(sources) - len(todo) + 1):
            if isinstance(result, ImageError):
                bad.append(result)
            else:
                batch += result
                num_bytes += sum(len(one.gt) + len(one.lq or b"") for one in result)
            if num_bytes >= _TRANSACTION_BYTES:
                _commit(batch, gt, lq, journal)
                batch, num_bytes = [], 0
            if progress:
                progress(done, len(sources))
        _commit(batch, gt, lq, journal)
    return bad


def _not_yet_stored(sources: Sequence[Source], journal: Journal, partial: Path) -> list[Source]:
    """The sources that the journal has no records of; those it has must not have changed."""
    stored = {entry.record.source: entry.fingerprint for entry in journal.entries()}
    begun = [source for source in sources if str(source.gt) in stored]
    same = {str(one.gt) for one in begun if one.fingerprint() == stored[str(one.gt)]}
    if changed := stored.keys() - same:
        raise ValueError(
            f"{len(changed)} files were changed or removed since {partial} was begun, for example"
            f" {min(changed)}: restore them, or remove {partial} to start afresh"
        )
    return [source for source in sources if str(source.gt) not in stored]


def _commit(
    batch: Sequence[Encoded], gt: LmdbWriter, lq: LmdbWriter | None, journal: Journal
) -> None:
    gt.put([(one.entry.record.key.encode(), one.gt) for one in batch])
    if lq:
        lq.put([(one.entry.record.key.encode(), one.lq) for one in batch if one.lq is not None])
    journal.append(one.entry for one in batch)
