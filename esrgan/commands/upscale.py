"""Enlarge pictures and videos by a trained network, or by several, one after another.

WEIGHTS is a file (.pth, .safetensors, a checkpoint) or the folder of a run, which stands for its
newest release or checkpoint. IMAGES are files, folders with all their subfolders, or patterns.
PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF, JPEG 2000 and PPM are read, whatever their name ends in; 16
bits, grey, transparency, colour profiles, EXIF data, resolution and date are kept. Videos are named
one by one or by a pattern, as 'clips/*.mp4'; sound and subtitles are kept.

example: upscale.py experiments/esrgan photos --output results
example: upscale.py dejpeg_x1.pth photos --then experiments/esrgan --output results
"""

import math
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Never

from tqdm import tqdm

from esrgan.commands import DEVICE_HELP
from esrgan.commands.mixing import Mixing, check_mixing
from esrgan.commands.upscale_networks import add_network_options, open_networks
from esrgan.commands.upscale_videos import plan_videos, split, upscale_videos, video_work
from esrgan.data import ImageError, Picture, image_size, read_picture, refuse_losses, write_picture
from esrgan.errors import FAILED, refuse_below_one, report_errors
from esrgan.files import refuse_existing, remove_leftovers
from esrgan.upscaling.enlarge import enlarge, resize
from esrgan.upscaling.jobs import Existing, Found, Job, find_images, plan_jobs, run_jobs
from esrgan.upscaling.video_codecs import CODECS, DEFAULT_CODEC, refuse_crf

if TYPE_CHECKING:
    from esrgan.inference import Enlarger

MAX_PIXELS = 2**30
"""Of a result: OpenCV, and much that is built on it, opens no larger ones."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command is asked for."""

    weights: str
    images: Sequence[str]
    output: Path
    format: str
    quality: int | None
    suffix: str
    existing: Existing
    tolerant: bool
    then: Sequence[str]
    mixing: Mixing
    scale: int | None
    outscale: float | None
    self_ensemble: bool
    tile: int | None
    precision: str
    device: str | None
    video_codec: str | None
    crf: int | None


def main(argv: Sequence[str] | None = None) -> int:
    return report_errors(lambda: _run(_parse_arguments(argv)))


def _parse_arguments(argv: Sequence[str] | None) -> Arguments:
    """Refuses values out of range and options that have no effect, by a ValueError."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("weights", metavar="WEIGHTS")
    add("images", nargs="+", metavar="IMAGES")
    add("--output", type=Path, required=True, metavar="FOLDER", help="of the results")
    add("--format", choices=("png", "jpg", "webp"), default="png", help="default: png")
    add("--quality", type=int, metavar="N", help="1 to 100; default: jpg 95, webp lossless")
    add("--suffix", default="", metavar="TEXT", help="after the names: with _x4, a.jpg is a_x4.png")
    choice = parser.add_mutually_exclusive_group()
    choose = partial(choice.add_argument, dest="existing", action="store_const")
    choose("--skip-existing", const=Existing.SKIP, help="make only results that are not there")
    choose("--overwrite", const=Existing.OVERWRITE, help="write over earlier results")
    parser.set_defaults(existing=Existing.REFUSE)
    add("--tolerant", action="store_true", help="enlarge what is left of damaged pictures, too")
    add_network_options(parser)
    add("--outscale", type=float, metavar="FACTOR", help="of the results: resized by Lanczos")
    add("--self-ensemble", action="store_true", help="mean over 8 flips and turns: 8 times slower")
    add("--tile", type=int, metavar="N", help="side in pixels; default: as memory allows")
    precisions = ("auto", "fp32", "bf16", "fp16")
    add("--precision", choices=precisions, default="auto", help="default: the device's fastest")
    add("--device", help=DEVICE_HELP)
    add("--video-codec", choices=tuple(CODECS), help=f"of videos; default: {DEFAULT_CODEC}")
    add("--crf", type=int, metavar="N", help="of videos: 0 is best; default: the codec's")
    given = vars(parser.parse_args(argv))
    mixing = Mixing(**{field.name: given.pop(field.name) for field in fields(Mixing)})
    arguments = Arguments(**given, mixing=mixing)
    _check(arguments)
    return arguments


def _check(arguments: Arguments) -> None:
    factor, quality = arguments.outscale, arguments.quality
    check_mixing(arguments.mixing)
    if factor is not None and not (factor > 0 and math.isfinite(factor)):
        raise ValueError(f"--outscale ({factor:g}) must be a number above 0")
    if quality is not None and arguments.format == "png":
        raise ValueError("--quality has no effect on png: choose --format jpg or webp")
    if quality is not None and not 1 <= quality <= 100:
        raise ValueError(f"--quality ({quality}) must be from 1 to 100")
    if arguments.crf is not None:
        refuse_crf(arguments.crf, arguments.video_codec or DEFAULT_CODEC)
    refuse_below_one({"tile": arguments.tile})
    if "/" in arguments.suffix or "\\" in arguments.suffix:
        raise ValueError(f"--suffix ({arguments.suffix}) must be without slashes")


def _run(arguments: Arguments) -> int:
    found = find_images(arguments.images, output=arguments.output)
    images, videos = split(found)
    _refuse_without_effect(arguments, images, videos)
    folder, existing, suffix = arguments.output, arguments.existing, arguments.suffix
    codec = arguments.video_codec or DEFAULT_CODEC
    jobs = plan_jobs(images, folder, ending=f"{suffix}.{arguments.format}", existing=existing)
    clips = plan_videos(videos, folder, suffix=suffix, codec=codec, existing=existing)
    if left := len(found) - len(jobs) - len(clips):
        print(f"{left} of {len(found)} exist and are left")
    if not jobs and not clips:
        return 0
    upscalers, about = open_networks(arguments)
    print(about)
    failed = FAILED if jobs and _upscale_all(jobs, arguments, upscalers) else 0
    return (upscale_videos(clips, video_work(arguments, upscalers)) if clips else 0) or failed


def _refuse_without_effect(
    arguments: Arguments, images: Sequence[Found], videos: Sequence[Found]
) -> None:
    of_pictures = {
        "--quality": arguments.quality,
        "--format": arguments.format != "png",
        "--tolerant": arguments.tolerant,
    }
    of_videos = {"--video-codec": arguments.video_codec, "--crf": arguments.crf}
    for options, files, others in (
        (of_pictures, images, "videos: --crf and --video-codec have"),
        (of_videos, videos, "pictures: --quality, --format and --tolerant have"),
    ):
        given = [
            name for name, value in options.items() if value is not None and value is not False
        ]
        if given and not files:
            raise ValueError(f"{given[0]} has no effect on {others}")


def _upscale_all(
    jobs: Sequence[Job], arguments: Arguments, upscalers: Mapping[int, "Enlarger"]
) -> int:
    """Returns how many failed. Their names and reasons are written when all have been tried."""
    factor = upscalers[1].scale if arguments.outscale is None else arguments.outscale
    for folder in {job.target.parent for job in jobs}:
        remove_leftovers(folder)
    failures, num_pixels, start = [], 0, time.monotonic()
    with tqdm(unit="px", unit_scale=True, disable=None) as bar:
        if not bar.disable:
            bar.total = sum(round(num * factor**2) for num in map(_count_pixels, jobs))
        work = _PictureWork(
            upscalers=upscalers,
            factor=factor,
            quality=arguments.quality,
            tolerant=arguments.tolerant,
            overwrite=arguments.existing is Existing.OVERWRITE,
            bar=bar,
        )
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
    megapixels, seconds = num_pixels / 1e6, time.monotonic() - start
    print(
        f"{len(jobs) - len(failures)} of {len(jobs)} written: {megapixels:.1f} megapixels in "
        f"{seconds:.1f} s ({megapixels / seconds:.2f} per second)"
    )
    return len(failures)


def _count_pixels(job: Job) -> int:
    try:
        height, width = image_size(job.source)
    except ImageError:  # is reported when its turn comes
        return 0
    return height * width


@dataclass(frozen=True, kw_only=True)
class _PictureWork:
    """What is done with each file; `factor` is the size of its result, its own being 1."""

    upscalers: Mapping[int, "Enlarger"]
    factor: float
    quality: int | None
    tolerant: bool
    overwrite: bool
    bar: "tqdm[Never]"

    def read(self, job: Job) -> Picture:
        """Refuses, before it takes the network's time, what cannot be written in the end."""
        self._refuse_taken(job)
        picture = read_picture(job.source, tolerant=self.tolerant)
        height, width = picture.colour.shape[:2]
        largest = max(self.upscalers[picture.colour.itemsize].scale, self.factor)
        if round(height * largest) * round(width * largest) > MAX_PIXELS:
            raise ValueError(f"its result would have more than {MAX_PIXELS:,} pixels: cut it up")
        height, width = self._final(height), self._final(width)
        refuse_losses(picture, job.target.suffix, height=height, width=width)
        return picture

    def enlarge(self, job: Job, picture: Picture) -> Picture:
        def show(num_pixels: int) -> None:
            self.bar.update(round(num_pixels * self.factor**2))

        self.bar.set_postfix_str(job.source.name)
        return enlarge(picture, self.upscalers[picture.colour.itemsize], progress=show)

    def write(self, job: Job, picture: Picture) -> int:
        scale = self.upscalers[picture.colour.itemsize].scale
        height, width = (self._final(side // scale) for side in picture.colour.shape[:2])
        result = resize(picture, height=height, width=width)
        self._refuse_taken(job)
        job.target.parent.mkdir(parents=True, exist_ok=True)
        write_picture(job.target, result, quality=self.quality, overwrite=self.overwrite)
        return height * width

    def _refuse_taken(self, job: Job) -> None:
        """Since the jobs were planned, another process may have made the result."""
        fix = "another process may be writing there, --skip-existing leaves its results"
        refuse_existing(job.target, overwrite=self.overwrite, fix=fix)

    def _final(self, side: int) -> int:
        return max(round(side * self.factor), 1)
