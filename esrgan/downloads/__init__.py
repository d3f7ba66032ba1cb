"""Published data sets and weights: fetched, verified, unpacked and put in their place."""

from esrgan.downloads.fetch import Patience, Progress
from esrgan.downloads.install import install
from esrgan.downloads.place import Bars
from esrgan.downloads.space import megabytes
from esrgan.downloads.table import Entry, Source, read_table

__all__ = ["Bars", "Entry", "Patience", "Progress", "Source", "install", "megabytes", "read_table"]
