"""Image pairs: prepared, stored, checked, and cut into a stream of training batches.

What torch is needed for, `datamodule` and `patches`, is imported from there: it costs seconds and a
gigabyte, of each process that prepares a data set too.
"""

from esrgan.data.encode import Recipe as Recipe
from esrgan.data.folders import FolderImages as FolderImages
from esrgan.data.folders import FolderPairs as FolderPairs
from esrgan.data.header import ImageError as ImageError
from esrgan.data.images import image_size as image_size
from esrgan.data.images import read_image as read_image
from esrgan.data.images import write_png as write_png
from esrgan.data.listing import list_images as list_images
from esrgan.data.lmdb_images import LmdbImages as LmdbImages
from esrgan.data.lmdb_pairs import LmdbPairs as LmdbPairs
from esrgan.data.lmdb_store import CODECS as CODECS
from esrgan.data.picture_writing import refuse_losses as refuse_losses
from esrgan.data.picture_writing import write_picture as write_picture
from esrgan.data.pictures import Picture as Picture
from esrgan.data.pictures import read_picture as read_picture
from esrgan.data.prepare import build_dataset as build_dataset
from esrgan.data.sample_photographs import write_sample_photographs as write_sample_photographs
from esrgan.data.sources import SubImages as SubImages
