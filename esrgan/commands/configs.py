"""Where the configs are."""

from pathlib import Path

import esrgan


def configs_folder() -> Path:
    """The folder `configs` of an installed package, or of the checkout that the package is in."""
    package = Path(esrgan.__file__).resolve().parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "train.yaml").is_file():
            return folder
    raise ValueError(f"{package} has no configs beside it: install esrgan again")
