"""The part of `upscale` that is for videos: which of its files are some, and each one's turn."""

import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from esrgan.commands.mixing import mixed_with
from esrgan.data import ImageError, image_size
from esrgan.errors import FAILED, FULL, STOPPED
from esrgan.runs import find_weights
from esrgan.upscaling.jobs import Existing, Found, Job, plan_jobs
from esrgan.upscaling.video_codecs import CODECS, DEFAULT_CODEC

if TYPE_CHECKING:
    from esrgan.commands.upscale import Arguments
    from esrgan.inference import Enlarger
    from esrgan.upscaling.videos import VideoWork  # only its name: PyAV need not be installed

# Options that change no frame of a video, or are compared by what they stand for
_NOT_OF_FRAMES = {
    "weights",
    "images",
    "output",
    "format",
    "quality",
    "suffix",
    "existing",
    "tolerant",
    "then",
    "mixing",
}


def split(found: Sequence[Found]) -> tuple[list[Found], list[Found]]:
    """Pictures and videos, told apart by their content.

    What is neither counts as a picture, but where its name is one of videos.

    Raises:
        ValueError: there is a video, and PyAV is not installed.
    """
    pictures: list[Found] = []
    videos: list[Found] = []
    for file in found:
        (videos if _is_video(file.path) else pictures).append(file)
    return pictures, videos


def _is_video(path: Path) -> bool:
    try:
        image_size(path)
    except ImageError:
        pass
    else:
        return False
    named_so = (guess_type(path)[0] or "").startswith("video/")
    if find_spec("av") is None:
        if named_so:
            raise ValueError(f"to upscale {path}, av must be installed: pip install -e '.[video]'")
        return False
    from esrgan.upscaling.video_reading import is_video

    return named_so or is_video(path)


def plan_videos(
    videos: Sequence[Found], folder: Path, *, suffix: str, codec: str, existing: Existing
) -> list[Job]:
    """As `plan_jobs`, with the suffix of a container that can hold each result."""
    from esrgan.upscaling.video_joining import choose_suffix

    endings: dict[str, list[Found]] = {}
    for video in videos:
        endings.setdefault(suffix + choose_suffix(video.path, codec), []).append(video)
    jobs: list[Job] = []
    for ending, those in endings.items():
        jobs += plan_jobs(those, folder, ending=ending, existing=existing)
    return jobs


def video_work(arguments: "Arguments", upscalers: Mapping[int, "Enlarger"]) -> "VideoWork":
    from esrgan.hardware import choose_device
    from esrgan.upscaling.video_partial import digest
    from esrgan.upscaling.videos import VideoWork

    codec = arguments.video_codec or DEFAULT_CODEC
    factor = upscalers[1].scale if arguments.outscale is None else arguments.outscale
    options = {k: v for k, v in vars(arguments).items() if k not in _NOT_OF_FRAMES}
    asked = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    asked["WEIGHTS"] = digest(find_weights(arguments.weights))
    other, part = mixed_with(arguments.mixing, find_weights(arguments.weights))
    asked["--with"] = other and f"{digest(other)} {part:g}"
    asked["--then"] = " ".join(digest(find_weights(word)) for word in arguments.then) or None
    asked["--device"] = choose_device(arguments.device).type
    return VideoWork(
        upscalers=upscalers,
        factor=factor,
        codec=codec,
        crf=CODECS[codec].crf if arguments.crf is None else arguments.crf,
        asked=asked,
        overwrite=arguments.existing is Existing.OVERWRITE,
    )


def upscale_videos(jobs: Sequence[Job], work: "VideoWork") -> int:
    """Returns an exit code. Names and reasons of those that fail are written at the end."""
    failures = []
    with _stopped_by_sigterm():
        try:
            for job in jobs:
                try:
                    print(_upscale_one(job, work))
                except (ValueError, MemoryError) as error:
                    failures.append(f"{job.source}: {str(error) or 'out of memory'}\n")
                except OSError as error:
                    reason = f"{job.target} cannot be written: {error.strerror or error}"
                    failures.append(f"{job.source}: {reason}\n")
                    if error.errno in FULL:
                        failures.append("stopped: make room, and the same command goes on\n")
                        break
        except KeyboardInterrupt:
            failures.append("stopped: the same command goes on from here\n")
            return STOPPED
        finally:
            sys.stderr.writelines(failures)
    return FAILED if failures else 0


def _upscale_one(job: Job, work: "VideoWork") -> str:
    """Returns a line about it."""
    from esrgan.upscaling.video_joining import streams_left_out
    from esrgan.upscaling.video_reading import scan
    from esrgan.upscaling.videos import upscale_video

    video = scan(job.source)
    warnings = [*video.warnings]
    if left_out := streams_left_out(job.source, job.target.suffix):
        warnings.append(f"is enlarged without {', '.join(left_out)}")
    sys.stderr.writelines(f"warning: {job.source} {warning}\n" for warning in warnings)
    start, were_there, made = time.monotonic(), 0, 0
    with tqdm(total=video.num_packets, unit="frame", desc=job.source.name, disable=None) as bar:

        def show(was_there: bool) -> None:
            nonlocal were_there, made
            were_there, made = were_there + was_there, made + (not was_there)
            if not bar.disable:
                bar.initial += was_there  # it is no speed
            bar.update()

        upscale_video(job, video, work, show=show)
    seconds = time.monotonic() - start
    speed = f"{made} frames in {seconds:.1f} s ({made / seconds:.2f} per second)"
    return f"{job.target}: {speed}" + (f", {were_there} were there" if were_there else "")


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """As by Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():  # others get no signals
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
