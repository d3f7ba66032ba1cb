"""What is known of a data set in LMDB form before any pixel is read."""

from dataclasses import dataclass
from pathlib import Path

from esrgan.data.codecs import CODECS, Codec
from esrgan.data.manifest import GT, LQ, MANIFEST, PARTIAL_SUFFIX, Manifest, read_manifest
from esrgan.data.pair_index import PairIndex, index_of_png_lmdbs, index_of_records


@dataclass(frozen=True)
class LmdbDataset:
    """A data set whose parts are there and fit together; `manifest` is None for BasicSR's."""

    folder: Path
    gt: Path
    lq: Path
    index: PairIndex
    scale: int
    codec: Codec
    manifest: Manifest | None


def open_dataset(folder: Path, *, gt: str = GT, lq: str = LQ) -> LmdbDataset:
    """Reads the index of a data set that `build_dataset` or BasicSR wrote.

    Args:
        folder: holds the two LMDB folders, and a manifest unless BasicSR wrote it.
        gt: name of the LMDB of ground truths in the folder.
        lq: name of the LMDB of low-quality images.

    Raises:
        ValueError: the folder is no data set, or an incomplete or visibly damaged one.
    """
    check_files(folder, gt=gt, lq=lq)
    if not (folder / MANIFEST).is_file():
        index, scale = index_of_png_lmdbs(folder / gt, folder / lq)
        return LmdbDataset(folder, folder / gt, folder / lq, index, scale, CODECS["png"], None)
    manifest = read_manifest(folder)
    settings = manifest.settings
    if settings.codec not in CODECS:
        raise ValueError(f"{folder} is coded as {settings.codec!r}, known are {', '.join(CODECS)}")
    index = index_of_records(folder, manifest)
    codec = CODECS[settings.codec]
    return LmdbDataset(folder, folder / gt, folder / lq, index, settings.scale, codec, manifest)


def check_files(folder: Path, *, gt: str = GT, lq: str = LQ) -> None:
    """Checks what the names and sizes of the files tell.

    Raises:
        ValueError: a part is missing, or not of the size that the manifest gives.
    """
    _check_parts(folder, gt, lq)
    contents = read_manifest(folder).contents if (folder / MANIFEST).is_file() else None
    if contents is None:
        return
    for name, expected in ((gt, contents.gt_bytes), (lq, contents.lq_bytes)):
        path = folder / name / "data.mdb"
        actual = path.stat().st_size
        if actual != expected:
            raise ValueError(
                f"{path} has {actual} bytes instead of {expected}: copy the data set again or"
                " rebuild it"
            )


def _check_parts(folder: Path, gt: str, lq: str) -> None:
    if not folder.is_dir():
        partial = folder.with_name(folder.name + PARTIAL_SUFFIX)
        if partial.is_dir():
            raise ValueError(
                f"data set {folder} is incomplete, {partial} holds its beginning: run the"
                " prepare_data command that began it again, it continues where it was"
            )
        raise ValueError(f"data set {folder} does not exist: build it with prepare_data")
    for name in (gt, lq):
        if not (folder / name / "data.mdb").is_file():
            raise ValueError(
                f"{folder} is not a data set, it has no {name}/data.mdb: build one with"
                " prepare_data"
            )
