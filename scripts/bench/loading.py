"""Training patches per second that one loading process makes, from different stores."""

import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from bench.sizes import Sizes
from bench.table import Table
from esrgan.data import (
    CODECS,
    FolderPairs,
    Image,
    LmdbPairs,
    PatchDataset,
    Recipe,
    SubImages,
    build_dataset,
    list_images,
    read_image,
    write_png,
)
from esrgan.degradations import resize_double

SCALE, PATCH_SIZE = 4, 128
SUB_IMAGES = SubImages(480, 240)  # as BasicSR's scripts cut DIV2K
MAX_PHOTOGRAPHS = 20

Load = Callable[[int], object]
"""Makes the patches of a sample number."""


def loading_table(images: Path, folder: Path, sizes: Sizes) -> Table:
    """Compare the stores, all of the same photographs.

    Args:
        images: the photographs.
        folder: to be made; the stores are built there.
        sizes: photographs smaller than `sizes.photograph` are continued by mirroring, so that
            whole images cost what those of a real training set do.
    """
    photographs = list_images(images)[:MAX_PHOTOGRAPHS]
    for number, path in enumerate(photographs):
        (folder / "photographs").mkdir(parents=True, exist_ok=True)
        image = mirrored_to(read_image(path), sizes.photograph)
        write_png(folder / f"photographs/{number}.png", image)
    stores = build_stores(folder)
    cv2.setNumThreads(0)  # as in every loading process
    speeds = measure(stores, rounds=sizes.rounds, seconds=sizes.loading_seconds)
    fastest = next(iter(speeds.values()))
    return Table(
        "Loading",
        f"{PATCH_SIZE}/{PATCH_SIZE // SCALE} pairs with augmentation, by one process, out of "
        f"{len(photographs)} photographs of {sizes.photograph[1]} × {sizes.photograph[0]} or more; "
        f"all files in the cache of the file system. The best of {sizes.rounds} rounds in turns.",
        [
            {
                "store": name,
                "patches/s": speed,
                "ms per patch": 1e3 / speed,
                "the first is × as fast": fastest / speed,
            }
            for name, speed in speeds.items()
        ],
    )


def mirrored_to(image: Image, size: tuple[int, int]) -> Image:
    """Continue an image at the right and bottom to at least a height and width."""
    missing = [max(wanted - has, 0) for wanted, has in zip(size, image.shape, strict=False)]
    return np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")


def build_stores(folder: Path) -> dict[str, Load]:
    """Store the photographs in every way; the first is the default of the project."""
    patches = partial(PatchDataset, patch_size=PATCH_SIZE, seed=0)
    raw = build_lmdb(folder, "raw", None)
    png = build_lmdb(folder, "png", None)
    cut = build_lmdb(folder, "png", SUB_IMAGES)
    gt, lq = folder / "files/gt", folder / "files/lq"
    write_files(cut, gt, lq)
    files = FolderPairs(gt=gt, lq=lq, scale=SCALE)
    squares = f"sub-images of {SUB_IMAGES.size}"
    return {
        "LMDB, raw": patches(raw).__getitem__,
        "LMDB, PNG": patches(png).__getitem__,
        f"LMDB, PNG, {squares}": patches(cut).__getitem__,
        f"PNG files, {squares}": patches(files).__getitem__,
        f"the same by plain cv2.imread, {squares}": partial(
            imread_patch, list_images(gt), list_images(lq)
        ),
    }


def build_lmdb(folder: Path, codec: str, subimages: SubImages | None) -> LmdbPairs:
    output = folder / f"{codec}_{'sub' if subimages else 'whole'}"
    recipe = Recipe(scale=SCALE, codec=CODECS[codec], downscale=resize_double, subimages=subimages)
    build_dataset(output, recipe, gt_folders=[folder / "photographs"])
    return LmdbPairs(folder=output, scale=SCALE)


def write_files(pairs: LmdbPairs, gt: Path, lq: Path) -> None:
    for to in (gt, lq):
        to.mkdir(parents=True)
    for index in range(len(pairs)):
        pair = pairs.read(index)
        write_png(gt / f"{index:05d}.png", pair.gt)
        write_png(lq / f"{index:05d}.png", pair.lq)


def imread_patch(gt: list[Path], lq: list[Path], number: int) -> tuple[Image, Image]:
    """The least that a loader of PNG files can do: no checks, no conversion to float."""
    rng = np.random.default_rng(number)
    index, flip, transpose = rng.integers(len(gt)), int(rng.integers(-1, 2)), rng.integers(2)
    low, high = (cv2.imread(str(paths[index])) for paths in (lq, gt))
    assert low is not None and high is not None
    height, width = low.shape[:2]
    size = PATCH_SIZE // SCALE
    top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)

    def patch(image: Image, factor: int) -> Image:
        rows = slice(factor * top, factor * (top + size))
        columns = slice(factor * left, factor * (left + size))
        turned = cv2.flip(cv2.cvtColor(image[rows, columns], cv2.COLOR_BGR2RGB), flip)
        return np.asarray(cv2.transpose(turned) if transpose else turned, np.uint8)

    return patch(np.asarray(low, np.uint8), 1), patch(np.asarray(high, np.uint8), SCALE)


def measure(stores: dict[str, Load], *, rounds: int, seconds: float) -> dict[str, float]:
    """Patches per second, in the best of some rounds in which every store has its turn."""
    numbers = {name: count() for name in stores}
    speeds: dict[str, list[float]] = {name: [] for name in stores}
    for load in stores.values():
        load(0)
    for _ in range(rounds):
        for name, load in stores.items():
            begin, done = time.perf_counter(), 0
            while (now := time.perf_counter()) < begin + seconds or not done:
                load(next(numbers[name]))
                done += 1
            speeds[name].append(done / (now - begin))
    return {name: max(values) for name, values in speeds.items()}
