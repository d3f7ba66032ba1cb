"""Image pairs: prepared, stored, checked, and cut into a stream of training batches."""

from importlib import import_module
from typing import TYPE_CHECKING

from esrgan.data.encode import Recipe as Recipe
from esrgan.data.folders import FolderPairs as FolderPairs
from esrgan.data.images import ImageError as ImageError
from esrgan.data.images import image_size as image_size
from esrgan.data.images import list_images as list_images
from esrgan.data.images import read_image as read_image
from esrgan.data.images import write_png as write_png
from esrgan.data.lmdb_pairs import LmdbPairs as LmdbPairs
from esrgan.data.lmdb_store import CODECS as CODECS
from esrgan.data.pictures import Picture as Picture
from esrgan.data.pictures import read_picture as read_picture
from esrgan.data.pictures import refuse_losses as refuse_losses
from esrgan.data.pictures import write_picture as write_picture
from esrgan.data.prepare import build_dataset as build_dataset
from esrgan.data.sample_photographs import write_sample_photographs as write_sample_photographs
from esrgan.data.sources import SubImages as SubImages

if TYPE_CHECKING:
    from esrgan.data.datamodule import PatchDataModule as PatchDataModule
    from esrgan.data.patches import PatchDataset as PatchDataset
else:
    # On first use: they cost seconds and a gigabyte, of each process that prepares a data set too
    _NEEDS_TORCH = {"PatchDataModule": "datamodule", "PatchDataset": "patches"}

    def __getattr__(name: str) -> object:
        if name not in _NEEDS_TORCH:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_NEEDS_TORCH[name]}"), name)
