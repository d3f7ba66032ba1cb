"""One run of the command, from the network to the last line that it prints."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Never

from tqdm import tqdm

from esrgan.data import ImageError, Picture, image_size, read_picture, refuse_losses, write_picture
from esrgan.upscaling.enlarge import enlarge, resize
from esrgan.upscaling.networks import Upscalers, open_network
from esrgan.upscaling.outputs import Job
from esrgan.upscaling.pipeline import run_jobs

MAX_PIXELS = 2**30
"""Of a result: OpenCV, and much that is built on it, opens no larger ones."""


@dataclass(frozen=True, kw_only=True)
class PictureWork:
    """What is done with each file. `factor` is the size of the result, that of the file being 1."""

    upscalers: Upscalers
    factor: float
    quality: int | None
    bar: "tqdm[Never]"

    def read(self, job: Job) -> Picture:
        """Refuses, before it takes the network's time, what cannot be written in the end."""
        picture = read_picture(job.source)
        height, width = picture.colour.shape[:2]
        largest = max(self.upscalers.scale, self.factor)
        if round(height * largest) * round(width * largest) > MAX_PIXELS:
            raise ValueError(f"its result would have more than {MAX_PIXELS:,} pixels: cut it up")
        height, width = self._final(height), self._final(width)
        refuse_losses(picture, job.target.suffix, height=height, width=width)
        return picture

    def enlarge(self, job: Job, picture: Picture) -> Picture:
        self.bar.set_postfix_str(job.source.name)
        return enlarge(picture, self.upscalers.of(picture), progress=self._show)

    def write(self, job: Job, picture: Picture) -> int:
        scale = self.upscalers.scale
        height, width = (self._final(side // scale) for side in picture.colour.shape[:2])
        result = resize(picture, height=height, width=width)
        job.target.parent.mkdir(parents=True, exist_ok=True)
        write_picture(job.target, result, quality=self.quality, overwrite=True)
        return height * width

    def _final(self, side: int) -> int:
        return max(round(side * self.factor), 1)

    def _show(self, num_pixels: int) -> None:
        self.bar.update(round(num_pixels * self.factor**2))


def upscale_all(jobs: Sequence[Job], arguments: argparse.Namespace) -> int:
    """Returns how many failed. Their names and reasons are written when all have been tried."""
    upscalers, about = open_network(arguments)
    sys.stdout.write(f"{about}\n")
    factor = upscalers.scale if arguments.outscale is None else arguments.outscale
    failures, num_pixels, start = [], 0, time.monotonic()
    with tqdm(unit="px", unit_scale=True, disable=None) as bar:
        if not bar.disable:
            bar.total = sum(round(num * factor**2) for num in map(_count_pixels, jobs))
        work = PictureWork(upscalers=upscalers, factor=factor, quality=arguments.quality, bar=bar)
        try:
            for done in run_jobs(jobs, work):
                num_pixels += done.num_pixels
                if done.reason:
                    failures.append(f"{done.job.source}: {done.reason}\n")
        except KeyboardInterrupt:
            failures.append("stopped: what is written is complete, --skip-existing goes on\n")
            raise
        finally:
            bar.close()
            sys.stderr.writelines(failures)
    _summarise(len(jobs) - len(failures), len(jobs), num_pixels, time.monotonic() - start)
    return len(failures)


def _count_pixels(job: Job) -> int:
    try:
        height, width = image_size(job.source)
    except ImageError:  # is reported when its turn comes
        return 0
    return height * width


def _summarise(num_written: int, num_jobs: int, num_pixels: int, seconds: float) -> None:
    megapixels = num_pixels / 1e6
    sys.stdout.write(
        f"{num_written} of {num_jobs} written: {megapixels:.1f} megapixels in {seconds:.1f} s "
        f"({megapixels / seconds:.2f} per second)\n"
    )
