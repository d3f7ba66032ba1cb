"""The folders in which published data sets have ground truths and low-resolution images."""

from pathlib import Path

_GT_FOLDERS = ("HR", "GTmod12", "GT", "gt")
_LQ_FOLDERS = ("LRbicx{scale}", "LR_bicubic/X{scale}", "lq")


def pair_folders(text: str, *, scale: int) -> tuple[Path, Path | None]:
    """The folders of gt and of lq that a word on a command line or in a config stands for.

    `A:B` are the two folders. A folder that has both, under names of those in circulation, is the
    benchmark as it is distributed; with lq of other scales only, it is refused. Where it has gt
    alone, or is any other folder, which holds gt itself, lq (None) is to be made.
    """
    folder = Path(text)
    if not folder.exists() and ":" in text:
        gt, lq = text.rsplit(":", 1)
        return _existing(gt), _existing(lq)
    folder = _existing(text)
    found = [folder / name for name in _GT_FOLDERS if (folder / name).is_dir()]
    if not found:
        return folder, None
    names = [name.format(scale=scale) for name in _LQ_FOLDERS]
    distributed = [folder / name for name in names if (folder / name).is_dir()]
    if distributed:
        return found[0], distributed[0]
    others = [*folder.glob("LRbicx*"), *folder.glob("LR_bicubic/X*")]
    if not others:
        return found[0], None
    raise ValueError(
        f"{folder} has {others[0].name}, but neither {' nor '.join(names)}: give both folders as "
        f"GT:LQ, or {found[0]} alone to have the low-resolution images made"
    )


def benchmark_name(gt: Path) -> str:
    """The last part of the path that says more than "the ground truth"."""
    gt = gt.resolve()
    return gt.parent.name if gt.name in _GT_FOLDERS else gt.name


def _existing(folder: str) -> Path:
    if not Path(folder).is_dir():
        raise ValueError(f"{folder} must be a folder of images, and there is none")
    return Path(folder)
