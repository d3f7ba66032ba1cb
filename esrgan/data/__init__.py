"""Image pairs: prepared, stored, checked, and cut into a stream of training batches."""

from importlib import import_module
from typing import TYPE_CHECKING

from esrgan.data.check import Problem, find_problems
from esrgan.data.codecs import CODECS, Codec
from esrgan.data.decoders import Pixels
from esrgan.data.encode import Recipe
from esrgan.data.folders import FolderPairs
from esrgan.data.images import (
    ImageError,
    decode_image,
    image_size,
    list_images,
    read_image,
    write_png,
)
from esrgan.data.lmdb_pairs import LmdbPairs
from esrgan.data.pairs import Image, ImagePairs, Pair
from esrgan.data.picture_files import PICTURE_FORMATS, refuse_losses, write_picture
from esrgan.data.pictures import Picture, read_picture
from esrgan.data.prepare import Built, build_dataset
from esrgan.data.sample import SamplePhotographs, write_sample_photographs
from esrgan.data.sampler import GlobalBatches
from esrgan.data.subimages import SubImages

if TYPE_CHECKING:
    from esrgan.data.batches import Batch
    from esrgan.data.datamodule import PatchDataModule
    from esrgan.data.patches import Draw, PatchDataset, Sample
else:
    # Imported on first use: torch and Lightning take seconds and a gigabyte of memory, in each of
    # the processes that prepare a data set, which have no use for them
    _NEEDS_TORCH = {
        "Batch": "batches",
        "Draw": "patches",
        "PatchDataModule": "datamodule",
        "PatchDataset": "patches",
        "Sample": "patches",
    }

    def __getattr__(name: str) -> object:
        if name not in _NEEDS_TORCH:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_NEEDS_TORCH[name]}"), name)


__all__ = [
    "CODECS",
    "PICTURE_FORMATS",
    "Batch",
    "Built",
    "Codec",
    "Draw",
    "FolderPairs",
    "GlobalBatches",
    "Image",
    "ImageError",
    "ImagePairs",
    "LmdbPairs",
    "Pair",
    "PatchDataModule",
    "PatchDataset",
    "Picture",
    "Pixels",
    "Problem",
    "Recipe",
    "Sample",
    "SamplePhotographs",
    "SubImages",
    "build_dataset",
    "decode_image",
    "find_problems",
    "image_size",
    "list_images",
    "read_image",
    "read_picture",
    "refuse_losses",
    "write_picture",
    "write_png",
    "write_sample_photographs",
]
