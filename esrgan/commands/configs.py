"""Where the configuration files are."""

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def configs_folder() -> Path:
    """`esrgan/configs` in an installed package, else `configs` of the checkout that holds it."""
    folders = (_PACKAGE / "configs", _PACKAGE.parent / "configs")
    for folder in folders:
        if folder.is_dir():
            return folder
    raise ValueError(
        f"neither {folders[0]} nor {folders[1]} is there: install esrgan anew, or run a checkout"
    )
