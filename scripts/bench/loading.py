"""Training patches per second that one loading process makes, from different stores."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from bench.result import Table
from bench.sizes import Sizes
from esrgan import data
from esrgan.data.patches import PatchDataset
from esrgan.degradations import resize_double
from esrgan.types import Image, Pair

SCALE, PATCH_SIZE = 4, 128
SUB_IMAGES = data.SubImages(480, 240)  # as BasicSR's scripts cut DIV2K
MAX_PHOTOGRAPHS = 20

Load = Callable[[int], object]
"""Makes the patches of a sample number."""


def loading_table(images: Path, folder: Path, sizes: Sizes) -> Table:
    """Compare stores of the same photographs, which are made in a new folder.

    Photographs smaller than `sizes.photograph` are continued by mirroring, so that whole images
    cost what those of a real training set do.
    """
    paths = data.list_images(images)[:MAX_PHOTOGRAPHS]
    (folder / "photographs").mkdir(parents=True)
    for number, path in enumerate(paths):
        image = mirrored_to(data.read_image(path), sizes.photograph)
        data.write_png(folder / f"photographs/{number}.png", image)
    stores = build_stores(folder)
    cv2.setNumThreads(0)  # as in every loading process
    speeds = measure(stores, rounds=sizes.rounds, seconds=sizes.loading_seconds)
    return Table(
        "Loading",
        f"{PATCH_SIZE}/{PATCH_SIZE // SCALE} pairs with augmentation, by one process, out of "
        f"{len(paths)} photographs of {sizes.photograph[1]} × {sizes.photograph[0]} or more; all "
        f"files in the cache of the file system. The best of {sizes.rounds} rounds in turns.",
        [
            {
                "store": name,
                "patches/s": speed,
                "ms per patch": 1e3 / speed,
                "the first is × as fast": speeds["LMDB, raw"] / speed,
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
    raw, png = (_build_lmdb(folder, codec, None) for codec in ("raw", "png"))
    cut = _build_lmdb(folder, "png", SUB_IMAGES)
    gt, lq = folder / "gt", folder / "lq"
    gt.mkdir()
    lq.mkdir()
    for index in range(len(cut)):
        for to, image in zip((lq, gt), cut.read(index), strict=True):
            data.write_png(to / f"{index:05d}.png", image)
    files = data.FolderPairs(gt=gt, lq=lq, scale=SCALE)
    plain = partial(imread_patch, data.list_images(gt), data.list_images(lq))
    squares = f"sub-images of {SUB_IMAGES.size}"
    return {
        "LMDB, raw": patches(raw).__getitem__,
        "LMDB, PNG": patches(png).__getitem__,
        f"LMDB, PNG, {squares}": patches(cut).__getitem__,
        f"PNG files, {squares}": patches(files).__getitem__,
        f"the same by plain cv2.imread, {squares}": plain,
    }


def _build_lmdb(folder: Path, codec: str, cut: data.SubImages | None) -> data.LmdbPairs:
    output = folder / f"{codec}_{'sub' if cut else 'whole'}"
    recipe = data.Recipe(SCALE, data.CODECS[codec], resize_double, subimages=cut)
    data.build_dataset(output, recipe, gt_folders=[folder / "photographs"])
    return data.LmdbPairs(folder=output, scale=SCALE)


def imread_patch(gt: Sequence[Path], lq: Sequence[Path], number: int) -> Pair:
    """The least that a loader of PNG files can do: no checks, no conversion to float."""
    rng = np.random.default_rng(number)
    index, flip, transpose = (int(rng.integers(*ends)) for ends in ((0, len(gt)), (-1, 2), (0, 2)))
    low, high = (cv2.imread(str(paths[index])) for paths in (lq, gt))
    assert low is not None and high is not None
    size = PATCH_SIZE // SCALE
    top, left = (rng.integers(length - size + 1) for length in low.shape[:2])

    def patch(image: cv2.typing.MatLike, factor: int) -> Image:
        rows, columns = (slice(factor * at, factor * (at + size)) for at in (top, left))
        turned = cv2.flip(cv2.cvtColor(image[rows, columns], cv2.COLOR_BGR2RGB), flip)
        return np.asarray(cv2.transpose(turned) if transpose else turned, np.uint8)

    return Pair(lq=patch(low, 1), gt=patch(high, SCALE))


def measure(stores: Mapping[str, Load], *, rounds: int, seconds: float) -> dict[str, float]:
    """Patches per second, in the best of some rounds in which every store has its turn."""
    numbers = count()
    speeds = dict.fromkeys(stores, 0.0)
    for load in stores.values():
        load(next(numbers))
    for _ in range(rounds):
        for name, load in stores.items():
            begin, done = perf_counter(), 0
            while (now := perf_counter()) < begin + seconds or not done:
                load(next(numbers))
                done += 1
            speeds[name] = max(speeds[name], done / (now - begin))
    return speeds
