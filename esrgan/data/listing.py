"""The image files of a folder."""

from pathlib import Path

_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")  # in any case of letters


def list_images(folder: Path) -> list[Path]:
    """The images in a folder and its subfolders, sorted, but hidden ones; a ValueError if none."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: name the folder that holds the images")
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not paths:
        raise ValueError(f"{folder} holds no images: supported are {', '.join(_SUFFIXES)}")
    return paths
