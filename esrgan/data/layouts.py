"""The folders in which published data sets have ground truths and low-resolution images."""

import re
from pathlib import Path

from esrgan.files import split_pair

_GT_FOLDERS = ("HR", "GTmod12", "GT", "gt")
_LQ_FOLDERS = ("LRbicx{scale}", "LR_bicubic/X{scale}", "LR_bicubic/x{scale}", "LR/x{scale}", "lq")
_OTHER_SCALES = ("LRbicx*", "LR_bicubic/[Xx]*", "LR/x*")
_OF_A_SCALE = re.compile(r"(?:image_SRF_|[Xx])([2348])")  # SelfExSR's folders, and RCAN's
# LRbicx4, lr_bicubic, LRBI, lq, DIV2K_valid_LR_unknown; not run_lr_1e-4
_LQ_FOLDER = re.compile(
    r"(?:.*[-_. ])?L[RQ](?:BI|BD|DN|bic|blur)?(?:x[2348])?(?:[-_. ].*)?"
    r"|l[rq](?:[-_]?bic.*)?"
)


def pair_folders(text: str, *, scale: int) -> tuple[Path, Path | None]:
    """The folders of gt and of lq that a word on a command line or in a config stands for.

    `A:B` are the two folders. A folder that has both, under names of those in circulation, is the
    benchmark as it is distributed; with lq of other scales only, it is refused. Where it has gt
    alone, or is any other folder, which holds gt itself, lq (None) is to be made.

    Of a folder with a subfolder for each scale (SelfExSR's image_SRF_4; the x4 of RCAN's HR/Set5,
    whose lq are in LR/LRBI/Set5/x4), it is that of the scale.

    Raises:
        ValueError: there is no such folder, it has other scales, or holds low-resolution images.
    """
    if pair := split_pair(text):
        gt, lq = map(_existing, pair)
        return gt, lq
    folder = _of_the_scale(_existing(Path(text)), scale)
    if folder.name.startswith("image_SRF_"):
        return folder, folder
    if any(_LQ_FOLDER.fullmatch(name) for name in folder.resolve().parts[-2:]):
        raise ValueError(
            f"{folder} holds low-resolution images, by its name: give the folder of the benchmark, "
            "or GT:LQ"
        )
    found = [folder / name for name in _GT_FOLDERS if (folder / name).is_dir()]
    if not found:
        return folder, _rcans_half(folder)
    names = [name.format(scale=scale) for name in _LQ_FOLDERS]
    distributed = [folder / name for name in names if (folder / name).is_dir()]
    if distributed:
        return found[0], distributed[0]
    others = [other for pattern in _OTHER_SCALES for other in sorted(folder.glob(pattern))]
    if not others:
        return found[0], None
    raise ValueError(
        f"{folder} has {others[0].relative_to(folder)}, and nothing for scale {scale} (as "
        f"{names[0]}): choose its scale, give both folders as GT:LQ, or {found[0]} alone to have "
        "the low-resolution images made"
    )


def benchmark_name(gt: Path) -> str:
    """The last part of the path that says more than "the ground truth"."""
    parts = gt.resolve().parts
    return next(
        name
        for name in reversed(parts)
        if name not in _GT_FOLDERS and not _OF_A_SCALE.fullmatch(name)
    )


def _of_the_scale(folder: Path, scale: int) -> Path:
    """The subfolder of the scale, where the folder has nothing but one for each."""
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
    by_scale = {
        int(match[1]): path for path in subfolders if (match := _OF_A_SCALE.fullmatch(path.name))
    }
    if not by_scale or len(by_scale) < len(subfolders):
        return folder
    if scale not in by_scale:
        names = ", ".join(path.name for path in by_scale.values())
        raise ValueError(f"{folder} has {names}, and nothing for scale {scale}: give its scale")
    return by_scale[scale]


def _rcans_half(gt: Path) -> Path | None:
    """LR/LRBI/Set5/x4 beside HR/Set5/x4."""
    gt = gt.resolve()
    if len(gt.parts) < 4 or gt.parts[-3] != "HR":
        return None
    lq = gt.parents[2] / "LR/LRBI" / gt.parts[-2] / gt.name
    return lq if lq.is_dir() else None


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise ValueError(f"{folder} must be a folder of images, and there is none")
    return folder
