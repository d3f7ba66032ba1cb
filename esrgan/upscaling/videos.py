"""A video through a network: decoded, enlarged and encoded side by side, in pieces that stay.

At most one frame is decoded ahead, one computed and one waits for an encoder, and two pieces are
being encoded, whatever the length.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from esrgan.files import refuse_existing, writing_whole
from esrgan.upscaling.enlarge import enlarge
from esrgan.upscaling.jobs import Job
from esrgan.upscaling.video_encoding import Encoding, refuse_unfit, writing_piece
from esrgan.upscaling.video_joining import join_pieces
from esrgan.upscaling.video_partial import Asked, digest, open_partial, piece_path, remove_partial
from esrgan.upscaling.video_reading import Frame, Video, read_frames

if TYPE_CHECKING:
    from esrgan.inference import Enlarger  # only its name: torch takes seconds to import

PIECE = 48
"""Frames in a piece: about what a kill costs. Each begins with a frame that is larger in bytes."""

_Item = TypeVar("_Item")

Show = Callable[[bool], None]
"""Is told of each frame of the result, and whether it was there already."""


@dataclass(frozen=True, kw_only=True)
class VideoWork:
    """What is done with each video; `factor` is the size of its result, its own being 1."""

    upscalers: Mapping[int, "Enlarger"]
    """By the bytes of a number in a picture."""

    factor: float
    codec: str
    crf: int
    asked: Asked
    """What the frames of a result depend on besides, to be compared when one is gone on with."""

    overwrite: bool


def upscale_video(job: Job, video: Video, work: VideoWork, *, show: Show) -> None:
    """Makes one result, or goes on with it.

    Raises:
        ValueError: the video cannot be decoded, or the unfinished result not be gone on with.
        OSError: nothing can be written.
    """
    refuse_existing(job.target, overwrite=work.overwrite)  # it may have appeared in the meantime
    asked: Asked = {
        "the video": digest(job.source),
        **work.asked,
        "--video-codec": work.codec,
        "--crf": work.crf,
        "pieces of": PIECE,
    }
    with open_partial(job.target, asked) as folder:
        times: list[int] = []
        for frame in _made(video, work, folder, show=show):
            times.append(frame.time)
        pieces = [piece_path(folder, number) for number in range(-(-len(times) // PIECE))]
        if not pieces:
            raise ValueError("none of its frames can be decoded")
        with writing_whole(job.target, overwrite=work.overwrite, until=folder) as file:
            join_pieces(
                file,
                job.target.suffix,
                video,
                pieces,
                times=times,
                end=max(video.end or frame.time + frame.duration, frame.time + 1),
                rotation=frame.rotation,
            )
    remove_partial(folder)


def _made(video: Video, work: VideoWork, folder: Path, *, show: Show) -> Iterator[Frame]:
    """All frames, while those are made whose piece is not there."""

    def is_missing(number: int) -> bool:
        return not piece_path(folder, number // PIECE).exists()

    encoding = None
    finishing: deque[Future[None]] = deque()
    with ThreadPoolExecutor(2) as encoders:
        frames = _ahead(read_frames(video, wanted=is_missing))
        for first in frames:
            # Colours may change in a video; those of the first frame are the result's
            encoding = encoding or _encoding(first, video, work)
            piece: Iterator[Frame] = chain([first], islice(frames, PIECE - 1))
            if first.picture is not None:
                while len(finishing) > 1:
                    finishing.popleft().result()
                path = piece_path(folder, first.number // PIECE)
                piece = _encoded(piece, path, encoding, work.upscalers, encoders, finishing)
            for frame in piece:
                show(first.picture is None)
                yield frame
        _raise_any(finishing)


def _encoded(
    frames: Iterator[Frame],
    path: Path,
    encoding: Encoding,
    upscalers: Mapping[int, "Enlarger"],
    encoders: ThreadPoolExecutor,
    finishing: deque[Future[None]],
) -> Iterator[Frame]:
    """Enlarges frames here, and encodes them in another thread into one piece.

    What is left to do at its end, which is most, is put into `finishing`.
    """
    with ExitStack() as stack:
        add = stack.enter_context(writing_piece(path, encoding))
        adding: list[Future[None]] = []
        stack.callback(wait, adding)  # nothing may be closed that another thread writes to
        for frame in frames:
            picture = frame.picture
            if picture is None:
                raise AssertionError("unreachable: a piece is wanted as a whole")
            sr = enlarge(picture, upscalers[picture.colour.itemsize])
            _raise_any(adding)
            adding[:] = [encoders.submit(add, frame.time, sr)]
            yield frame
        _raise_any(adding)
        finishing.append(encoders.submit(stack.pop_all().close))


def _raise_any(futures: Iterable[Future[None]]) -> None:
    """Waits for them."""
    for future in futures:
        future.result()


def _encoding(frame: Frame, video: Video, work: VideoWork) -> Encoding:
    # Sides of colours are half of the picture's
    height, width = (
        2 * max(round(side * work.factor / 2), 1) for side in (frame.height, frame.width)
    )
    encoding = Encoding(
        codec=work.codec,
        crf=work.crf,
        height=height,
        width=width,
        colours=frame.colours,
        time_base=video.time_base,
        rate=video.rate,
        aspect=video.aspect,
    )
    refuse_unfit(encoding)
    return encoding


def _ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """The same, each of them made in a thread while the one before it is used."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item
