"""Photographs to try the whole project with, without a download."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from esrgan.data.images import read_image, write_png

# The colour photographs inside the wheels of scikit-image and scikit-learn, whose data folders name
# authors and licences. Left out: the right half of the stereo pair of the motorcycle, which is
# nearly the left one, and the pictures by microscope, telescope and ophthalmoscope.
_TRAIN = (
    ("skimage", "data/astronaut.png"),
    ("skimage", "data/motorcycle_left.png"),
    ("skimage", "data/rocket.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
)
_HELD_OUT = (  # fine natural texture, smooth surfaces, and fine regular structure
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
    ("sklearn", "datasets/images/china.jpg"),
)


class SamplePhotographs(NamedTuple):
    """The PNG files, in two folders that share no photograph."""

    train: list[Path]
    held_out: list[Path]


def write_sample_photographs(folder: Path) -> SamplePhotographs:
    """Writes PNG files into `folder`/train and `folder`/held_out; those that exist stay.

    Raises:
        ValueError: a package that has them inside is not installed, or no longer has one of them.
    """
    train, held_out = ([_locate(*file) for file in files] for files in (_TRAIN, _HELD_OUT))
    return SamplePhotographs(
        train=[_write_as_png(source, folder / "train") for source in train],
        held_out=[_write_as_png(source, folder / "held_out") for source in held_out],
    )


def _locate(package: str, name: str) -> Path:
    spec = find_spec(package)  # finds it without importing it, which takes a second
    if spec is None or not spec.submodule_search_locations:
        fix = "pip install 'esrgan[demo]'"
        raise ValueError(f"the sample photographs need the package {package}: {fix}")
    path = Path(spec.submodule_search_locations[0]) / name
    if not path.is_file():
        fix = "reinstall it by pip install --force-reinstall 'esrgan[demo]'"
        raise ValueError(f"{path} is missing from its package: {fix}")
    return path


def _write_as_png(source: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{source.stem}.png"
    if not target.exists():
        write_png(target, read_image(source))
    return target
