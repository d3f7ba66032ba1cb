"""Which files are ground truths, what each is called, and which low-resolution file belongs to it.

Names are compared in one form of Unicode: file systems and archives differ in theirs.
"""

import logging
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from esrgan.data.images import image_size
from esrgan.data.listing import list_images
from esrgan.errors import listed

_SCALES = (2, 3, 4, 8)
_GT_WORDS = r"[-_. ](?:hr|gt)"
_LQ_WORDS = r"[-_. ](?:lr|lq|low|bic|bicubic|biclr|bi|bd|lrbi|lrbd|lrdn|srf|down|lowres)"
_LQ_PLACE = re.compile(
    r"(?:^|[^a-z])(?:lr(?![a-z])|lr(?:bi|bl|un|mild|wild)|lq|low[-_ ]?res|x[2348](?![0-9a-z]))",
    re.IGNORECASE,
)
_SELFEXSR = re.compile(r"(.+_SRF_\d_)(.+)\Z", re.DOTALL)
_SELFEXSR_LQ = re.compile(r"_SRF_\d_LR\Z")
log = logging.getLogger("esrgan.data")


class Truth(NamedTuple):
    """A ground truth; `place` is its subfolder in the folder that was named."""

    path: Path
    place: str


def find_truths(folders: Sequence[Path]) -> dict[str, Truth]:
    """The ground truths in folders and their subfolders, by names that are unique among them.

    A name is the file's without suffix; where several have one, with the folders above it, joined
    by underscores. An image that is another one of them made smaller is left out, and said; so are
    the results that lie beside the images of SelfExSR's benchmarks.

    Raises:
        ValueError: a folder is named twice, or two files have one name; all are named.
    """
    _refuse_twice(folders)
    found = [
        (folder, Truth(path, _place(folder, path)))
        for folder in folders
        for path in list_images(folder)
    ]
    results = _selfexsr_results([truth.path for _, truth in found])
    found = [(folder, truth) for folder, truth in found if truth.path not in results]
    if made := sorted(path for path in results if not _SELFEXSR_LQ.search(_stem(path))):
        log.warning("%d images are results of others, left out: %s", len(made), listed(made))
    halves = _lq_halves([truth for _, truth in found])
    if halves:
        what = "others of these made smaller or worse, which are left out"
        log.warning("%d images are %s: %s", len(halves), what, listed(sorted(halves)))
    by_stem: dict[str, list[tuple[str, Truth]]] = defaultdict(list)
    for folder, truth in found:
        if truth.path not in halves:
            above = [folder.resolve().name] if len(folders) > 1 else []
            parts = [*above, *Path(truth.place).parts, _stem(truth.path)]
            by_stem[parts[-1]].append(("_".join(parts), truth))
    named_truths: dict[str, Truth] = {}
    problems = []
    for stem, members in by_stem.items():
        for long, truth in members:
            name = stem if len(members) == 1 else _form(long)
            if name in named_truths:
                both = f"{named_truths[name].path} and {truth.path}"
                problems.append(f"{both} would both be called {name}: rename one of them")
            named_truths[name] = truth
    raise_any(problems)
    return named_truths


def find_partners(
    truths: Mapping[str, Truth], folders: Iterable[Path], *, scale: int
) -> dict[str, Path]:
    """The low-resolution file of each ground truth, by the names of these.

    Of `a.png`, that is `a.png`, `ax4.png`, `a_x4.png`, `a_LR4.png`, `a_bicLRx4.png` and the like;
    of `a_HR.png` they, too. Where several truths have such a name, the subfolder tells.

    Raises:
        ValueError: a file has no partner, or two; all are named.
    """
    named = _by_name(truths, scale)
    partners: dict[str, Path] = {}
    problems = []
    for folder in folders:
        for path in _low_resolution(list_images(folder)):
            names = _bare_names(_stem(path), scale)
            place = _place(folder, path)
            keys = (named.get(name) or named.get((place, name)) for name in names)
            found = next(filter(None, keys), None)
            if found is None:
                problems.append(f"{path} has no gt image: add it, or remove this one")
            elif found in partners:
                both = f"{partners[found]} and {path}"
                problems.append(f"{truths[found].path} has two lq images, {both}: remove one")
            else:
                partners[found] = path
    for key in sorted(truths.keys() - partners.keys()):
        stem = truths[key].path.stem
        add = f"{stem} or {stem}x{scale}" if scale > 1 else f"another {stem}"
        problems.append(f"{truths[key].path} has no lq image: add {add}, or remove it")
    raise_any(problems)
    return partners


def _low_resolution(paths: Sequence[Path]) -> list[Path]:
    """All, but in a folder of SelfExSR's the files of one ending."""
    beside = _selfexsr_results(paths)
    if not beside:
        return list(paths)
    return [path for path in paths if _SELFEXSR_LQ.search(_stem(path))]


def raise_any(problems: Iterable[str]) -> None:
    """A ValueError with a line for each, if there are any."""
    text = "\n".join(problems)
    if text:
        raise ValueError(text)


def _by_name(truths: Mapping[str, Truth], scale: int) -> dict[str | tuple[str, str], str]:
    """Keys by the names that only one truth has, and by place and name where several have it.

    The stem of a file goes before what is left of another one's without HR or GT.
    """
    named: dict[str | tuple[str, str], str] = {}
    stems: dict[str, list[str]] = defaultdict(list)
    shorter: dict[str, list[str]] = defaultdict(list)
    for key, truth in truths.items():
        stem = _stem(truth.path)
        stems[stem].append(key)
        base = _without(stem, *_scale_endings(scale))  # RCAN's are called baby_HR_x4
        if (bare := _without_one(base, [_GT_WORDS])) != base:
            shorter[_without(bare, *_scale_endings(scale))].append(key)
    for names in (shorter, stems):
        for name, keys in names.items():
            named.pop(name, None)
            if len(keys) == 1:
                named[name] = keys[0]
            else:
                named |= {(truths[key].place, name): key for key in keys}
    return {**{key: key for key in truths if key not in stems}, **named}


def _bare_names(stem: str, scale: int) -> Iterator[str]:
    """A name as it is, and each time that one more ending of low-resolution files is taken off."""
    yield stem
    endings = (*_scale_endings(scale), _LQ_WORDS)
    while (shorter := _without_one(stem, endings)) != stem:
        yield shorter
        stem = shorter


def _without(stem: str, *endings: str) -> str:
    while (shorter := _without_one(stem, endings)) != stem:
        stem = shorter
    return stem


def _without_one(stem: str, endings: Sequence[str]) -> str:
    return _ending("|".join(endings)).sub("", stem)


@cache
def _ending(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=.)(?:{pattern})\Z", re.IGNORECASE | re.DOTALL)


def _scale_endings(scale: int) -> tuple[str, ...]:
    """x4, also DIV2K's x4m, x4d and x4w1; 4x; and LR4, SRF_4."""
    by_word = rf"[-_. ](?:lr|srf)[-_. ]?{scale}"
    return (rf"[-_. ]?x{scale}(?:[mdw]\d?)?", rf"[-_. ]{scale}x", by_word)


def _selfexsr_results(paths: Iterable[Path]) -> set[Path]:
    """img_001_SRF_4_LR, ..._bicubic, ..._A+ and what else lies beside an img_001_SRF_4_HR."""
    files = {(path.parent, _stem(path)): path for path in paths}
    found = set()
    for (folder, stem), path in files.items():
        match = _SELFEXSR.match(stem)
        if match and match[2].upper() != "HR" and (folder, f"{match[1]}HR") in files:
            found.add(path)
    return found


def _lq_halves(truths: Sequence[Truth]) -> set[Path]:
    """Low-quality images beside what they were made of, whose size is theirs times a scale.

    They are known by the ending of their name, or have the same name and are in a folder for such;
    those of the same size (scale 1) by the folder alone. Headers are read of these and of those
    whose names they have, of no other files.
    """
    groups: dict[str, list[Truth]] = defaultdict(list)
    for truth in truths:
        groups[_bare(_stem(truth.path))].append(truth)
    halves = set()
    for group in groups.values():
        suspects = [t for t in group if _bare(_stem(t.path), gt="") != _stem(t.path) or _is_lq(t)]
        if suspects and len(group) > 1:
            sizes = {truth.path: _size(truth.path) for truth in group}
            made = {size for p in sizes for s in _SCALES for size in _shrunk(sizes[p], s)}
            clean = {sizes[truth.path] for truth in group if not _is_lq(truth)} - {None}
            halves |= {t.path for t in suspects if sizes[t.path] in made}
            halves |= {t.path for t in suspects if _is_lq(t) and sizes[t.path] in clean}
    return halves


def _bare(stem: str, *, gt: str = _GT_WORDS) -> str:
    """A name without the endings of halves of pairs, of any scale."""
    endings = [ending for scale in _SCALES for ending in _scale_endings(scale)]
    return _without(stem, *endings, _LQ_WORDS, *([gt] if gt else []))


def _is_lq(truth: Truth) -> bool:
    """Whether it lies in a folder as LRbicx4, DIV2K_train_LR_bicubic/X4 or lq."""
    return bool(_LQ_PLACE.search(truth.place))


def _size(path: Path) -> tuple[int, int] | None:
    with suppress(ValueError):  # is named when it is decoded
        return image_size(path)
    return None


def _shrunk(size: tuple[int, int] | None, scale: int) -> Iterator[tuple[int, int]]:
    """Sizes divided by a scale, rounded either way."""
    if size:
        height, width = size
        yield height // scale, width // scale
        yield -(-height // scale), -(-width // scale)


def _refuse_twice(folders: Sequence[Path]) -> None:
    real = [folder.resolve() for folder in folders]
    for number, folder in enumerate(real):
        for other in real[:number]:
            if folder == other or folder in other.parents or other in folder.parents:
                both = f"{folders[real.index(other)]} and {folders[number]}"
                raise ValueError(f"{both} are one folder, or one in the other: name one of them")


def _place(folder: Path, path: Path) -> str:
    return _form(str(path.relative_to(folder).parent)) if path.parent != folder else ""


def _stem(path: Path) -> str:
    return _form(path.stem)


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", name)
