"""Pieces of a result: encoded frames in files of their own, each of which can be decoded alone."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from esrgan.data import Picture
from esrgan.files import writing_whole
from esrgan.upscaling.enlarge import resize
from esrgan.upscaling.video_codecs import CODECS
from esrgan.upscaling.video_colours import Colours, to_frame


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How all frames of a result are encoded."""

    codec: str
    crf: int
    height: int
    width: int
    colours: Colours
    time_base: Fraction
    rate: Fraction
    aspect: Fraction | None

    @property
    def pixel_format(self) -> str:
        """Colours at half the size, which every player decodes: in the result that is plenty."""
        return "yuv420p10le" if self.colours.is_deep else "yuv420p"


def refuse_unfit(encoding: Encoding) -> None:
    """Raises a ValueError where a codec, as it is built into FFmpeg here, cannot do it."""
    formats = {f.name for f in av.Codec(encoding.codec, "w").video_formats or ()}
    if encoding.pixel_format not in formats:
        raise ValueError(
            f"has more than 8 bits, which {encoding.codec} does not hold: --video-codec libx264"
        )
    smallest = CODECS[encoding.codec].smallest_side
    if min(encoding.height, encoding.width) < smallest:
        raise ValueError(
            f"becomes {encoding.width} x {encoding.height} pixels, and {encoding.codec} needs "
            f"{smallest} on each side: --video-codec libx264"
        )
    with _encoding_named(encoding), av.open(BytesIO(), "w", format="mp4") as trial:
        _add_stream(trial, encoding)
        trial.start_encoding()


@contextmanager
def writing_piece(path: Path, encoding: Encoding) -> Iterator[Callable[[int, Picture], None]]:
    """A file that is complete when the block ends well, and else does not exist.

    What it yields encodes a picture, resized where it has another size, at its time. In the file,
    times begin with 0. Most of the work is done at the end of the block.

    Raises:
        ValueError: the encoder refuses them.
    """
    start = None

    def add(time: int, picture: Picture) -> None:
        nonlocal start
        start = time if start is None else start
        resized = resize(picture, height=encoding.height, width=encoding.width)
        frame = to_frame(resized, encoding.colours, encoding.pixel_format)
        frame.pts, frame.time_base = time - start, encoding.time_base
        with _encoding_named(encoding):
            container.mux(stream.encode(frame))

    with (
        writing_whole(path, overwrite=False) as file,
        _encoding_named(encoding),
        av.open(file, "w", format="mp4") as container,
    ):
        stream = _add_stream(container, encoding)
        yield add
        container.mux(stream.encode())


@contextmanager
def failures_named(what: str) -> Iterator[None]:
    """Makes of FFmpeg's errors those of a disk, or a ValueError that begins with what failed."""
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror) from error
        raise ValueError(f"{what}: {error.strerror}") from error


def _encoding_named(encoding: Encoding) -> AbstractContextManager[None]:
    size = f"{encoding.width} x {encoding.height} pixels"
    return failures_named(f"{encoding.codec} cannot encode {size}")


def _add_stream(container: OutputContainer, encoding: Encoding) -> VideoStream:
    from esrgan.hardware import cpu_has_avx512  # not before: with torch, it takes seconds

    os.environ.setdefault("SVT_LOG", "1")  # errors only: its other lines would go to the terminal
    options = {"crf": str(encoding.crf), **CODECS[encoding.codec].options}
    if encoding.codec == "libx264" and cpu_has_avx512():
        # By its AVX-512 code (r3223 to now), the same frames are encoded in another way each time,
        # depending on what else a machine does; without "mbtree=1" or with AVX2, in one way
        options["x264-params"] = "asm=AVX2"
    stream = container.add_stream(encoding.codec, rate=encoding.rate, options=options)
    if not isinstance(stream, VideoStream):
        raise AssertionError("unreachable: all codecs in the table are of videos")
    context = stream.codec_context
    context.width, context.height = encoding.width, encoding.height
    context.pix_fmt = encoding.pixel_format
    context.time_base = encoding.time_base
    context.sample_aspect_ratio = encoding.aspect or Fraction(0)
    colours = encoding.colours
    context.colorspace, context.color_range = colours.matrix, colours.range
    context.color_primaries, context.color_trc = colours.primaries, colours.transfer
    return stream
