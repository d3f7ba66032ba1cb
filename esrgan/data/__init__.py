"""Image pairs: prepared, stored, checked, and cut into a stream of training batches."""

from importlib import import_module
from typing import TYPE_CHECKING

from esrgan.data.encode import Recipe
from esrgan.data.folders import FolderPairs
from esrgan.data.images import ImageError, image_size, list_images, read_image, write_png
from esrgan.data.lmdb_pairs import LmdbPairs
from esrgan.data.lmdb_store import CODECS
from esrgan.data.pictures import Picture, read_picture, refuse_losses, write_picture
from esrgan.data.prepare import build_dataset
from esrgan.data.sample_photographs import write_sample_photographs
from esrgan.data.sources import SubImages

if TYPE_CHECKING:
    from esrgan.data.datamodule import PatchDataModule
    from esrgan.data.patches import PatchDataset
else:
    # On first use: they cost seconds and a gigabyte, of each process that prepares a data set too
    _NEEDS_TORCH = {"PatchDataModule": "datamodule", "PatchDataset": "patches"}

    def __getattr__(name: str) -> object:
        if name not in _NEEDS_TORCH:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_NEEDS_TORCH[name]}"), name)


__all__ = [
    "CODECS",
    "FolderPairs",
    "ImageError",
    "LmdbPairs",
    "PatchDataModule",
    "PatchDataset",
    "Picture",
    "Recipe",
    "SubImages",
    "build_dataset",
    "image_size",
    "list_images",
    "read_image",
    "read_picture",
    "refuse_losses",
    "write_picture",
    "write_png",
    "write_sample_photographs",
]
