"""Which files the words on a command line stand for. Nothing is read here."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

GT_FOLDERS = ("HR", "GTmod12", "GT", "gt")
"""Names under which benchmarks are distributed."""

LQ_FOLDERS = ("LRbicx{scale}", "LR_bicubic/X{scale}", "lq")


def benchmark_folders(text: str, *, scale: int) -> tuple[Path, Path | None]:
    """The folders of gt and of lq that a benchmark's name on a command line stands for.

    `A:B` are the two folders. A folder in which one of `GT_FOLDERS` and one of `LQ_FOLDERS` lie is
    the benchmark as it is distributed. Where only the first does, or in any other folder, which
    holds gt itself, lq (None) is to be made.

    Raises:
        ValueError: there is no such folder, or its lq is of other scales.
    """
    folder = Path(text)
    if not folder.exists() and ":" in text:
        gt, lq = text.rsplit(":", 1)
        return _existing(gt), _existing(lq)
    folder = _existing(text)
    found = [folder / name for name in GT_FOLDERS if (folder / name).is_dir()]
    if not found:
        return folder, None
    names = [name.format(scale=scale) for name in LQ_FOLDERS]
    for name in names:
        if (folder / name).is_dir():
            return found[0], folder / name
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
    return gt.parent.name if gt.name in GT_FOLDERS else gt.name


def match_outputs(files: Sequence[Path], keys: Iterable[str]) -> dict[str, Path]:
    """Finds the result for each key: `baby` in baby.png, babyx4.png, baby_x4.png, baby_RCAN_x4.png.

    A file belongs to the longest key that fits, so `img_1_2.png` is never taken for `img_1`.
    Files that fit none are left out.

    Raises:
        ValueError: a key has no file, or several.
    """
    keys = list(keys)
    found: dict[str, list[Path]] = {key: [] for key in keys}
    for file in files:
        fitting = [key for key in keys if _fits(file.stem, key)]
        if fitting:
            found[max(fitting, key=len)].append(file)
    for key, candidates in found.items():
        if len(candidates) != 1:
            folder = files[0].parent if files else "an empty folder"
            names = ", ".join(file.name for file in candidates) or "none"
            raise ValueError(
                f"{folder} must hold one result for the image {key}, named like {key}.png or "
                f"{key}_x4.png; found {names}"
            )
    return {key: candidates[0] for key, candidates in found.items()}


def find_methods(
    words: Iterable[str], newest_weights: Callable[[Path], Path | None]
) -> dict[str, Path | None]:
    """For each word on the command line a short name, and a file of weights or folder of results.

    `bicubic` has none. A folder for which `newest_weights` has a file is a run, and stands for it.

    Raises:
        ValueError: there is no such file or folder, two would have the same name, or one that
            names an image.
    """
    found: dict[str, Path | None] = {}
    for word in words:
        path = Path(word)
        if not path.exists() and word != "bicubic":
            raise ValueError(f"{word} must be `bicubic`, a file of weights or a folder: it is none")
        name = path.stem if path.is_file() else path.resolve().name
        if name in ("GT", "LQ"):
            raise ValueError(f"{word} would be called {name}, which names an image: rename it")
        if name in found:
            raise ValueError(f"two methods would be called {name} ({word} is one): rename one")
        found[name] = None if word == "bicubic" else newest_weights(path) or path
    return found


def _existing(folder: str) -> Path:
    if not Path(folder).is_dir():
        raise ValueError(f"{folder} must be a folder of images, and there is none")
    return Path(folder)


def _fits(stem: str, key: str) -> bool:
    return re.fullmatch(re.escape(key) + r"(x\d+|[^0-9a-z].*)?", stem, re.IGNORECASE) is not None
