"""A user's video, frame by frame at the times it gives them, or refused with the place and reason.

A frame that is damaged or missing ends the reading: what goes on without it is out of step with
the sound, or shows an error of the network's that is none.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from esrgan.data import Picture
from esrgan.upscaling.video_colours import HDR, Colours, colours_of, to_picture

_STILLS = ("image2", "tty", "ico")  # FFmpeg's names of formats: of one image, and of text
_PIPE = "_pipe"  # at the end of names of formats of one image
_HAVE_DURATION = ("matroska", "mov,mp4")  # in their headers: others' are estimates
_SLACK = 1.0  # seconds by which sound, picture and what the header says may differ
_NO_PICTURE = 8  # bytes: MPEG-4 says so with fewer that the picture before it is shown again
_MICROSECONDS = 10**6
_PROGRESSIVE = 1  # FFmpeg's number of it; 0 is unsaid, and all others are interlaced


@dataclass(frozen=True, kw_only=True)
class Video:
    """What is known before a frame is decoded."""

    path: Path
    container: str
    """FFmpeg's name of the format."""

    num_packets: int
    """Nearly always one for each frame."""

    times: Sequence[int]
    """Of the frames, as far as packets have them, in units of `time_base`, sorted."""

    end: int | None
    """Of the last frame, where the video says it for all of them."""

    time_base: Fraction
    rate: Fraction
    """Frames per second, on average."""

    aspect: Fraction | None
    """Width of a pixel by its height; None: unsaid."""

    warnings: Sequence[str]
    """What a user should know of its result."""

    def place(self, time: int | None) -> str:
        """For messages: the number of a frame, from 1, and its second."""
        if time is None:
            return "a frame"
        number = bisect_left(self.times, time) + 1
        return f"frame {number} (at {float(time * self.time_base):.2f} s)"


class Frame(NamedTuple):
    """A decoded frame; its time and duration are in units of the video's `time_base`."""

    number: int
    """From 0 on, in the order they are shown."""

    time: int
    duration: int
    height: int
    width: int
    rotation: int
    """Degrees, counter-clockwise, by which players turn it."""

    colours: Colours
    picture: Picture | None
    """None: it was not wanted."""


@contextmanager
def opened(path: Path, **options: str) -> Iterator[InputContainer]:
    """Raises a ValueError where FFmpeg cannot read it."""
    try:
        # With "file:", a name like "part:1.mp4" is no address. Metadata in no known coding stay so
        container = av.open(
            f"file:{path.absolute()}", options=options, metadata_errors="surrogateescape"
        )
    except av.FFmpegError as error:
        reason = f"it is damaged, cut short or none ({error.strerror})"
        raise ValueError(f"cannot be read as a video: {reason}") from error
    with container:
        yield container


def is_video(path: Path) -> bool:
    """Whether the content of a file is one, whatever its name."""
    with suppress(ValueError), opened(path) as container:
        name = container.format.name
        is_still = name in _STILLS or name.endswith(_PIPE)
        return not is_still and bool(_moving(container))
    return False


def _moving(container: InputContainer) -> list[VideoStream]:
    """Its streams of moving pictures: without the covers of albums."""
    streams = container.streams.video
    return [s for s in streams if not s.disposition & Disposition.attached_pic and s.width]


def video_stream(container: InputContainer) -> VideoStream:
    """The one that is enlarged: its first."""
    streams = _moving(container)
    if not streams:
        raise ValueError("holds no moving pictures that FFmpeg can decode")
    return streams[0]


def scan(path: Path) -> Video:
    """Reads the whole file without decoding it.

    Raises:
        ValueError: it is no video, or ends before it should.
    """
    with opened(path) as container:
        stream = video_stream(container)
        times, num_packets, end = [], 0, 0.0
        try:
            for packet in container.demux():
                if packet.stream is stream and packet.size:
                    num_packets += 1
                    if packet.pts is not None and not packet.is_discard:
                        times += [packet.pts] if packet.size > _NO_PICTURE else []
                if packet.pts is not None:
                    last = (packet.pts + (packet.duration or 0)) * packet.time_base
                    end = max(end, float(last))
        except av.FFmpegError as error:
            raise ValueError(f"cannot be read after {end:.2f} s: {error.strerror}") from error
        times.sort()
        _refuse_truncated(container, stream, num_packets, end, times)
        if stream.time_base is None:
            raise ValueError("does not say at which times its frames are shown")
        return Video(
            path=path,
            container=container.format.name,
            num_packets=num_packets,
            times=times,
            end=_end(container, stream),
            time_base=stream.time_base,
            rate=stream.average_rate or stream.guessed_rate or Fraction(25),
            aspect=stream.sample_aspect_ratio,
            warnings=_warnings(stream.codec_context),
        )


def _end(container: InputContainer, stream: VideoStream) -> int | None:
    """In MP4, packets last until the next is decoded, not shown: the last one's tells nothing."""
    if not container.format.name.startswith("mov,mp4") or not stream.duration:
        return None
    return (stream.start_time or 0) + stream.duration


def _warnings(context: VideoCodecContext) -> list[str]:
    warnings = []
    if context.field_order > _PROGRESSIVE:
        warnings.append(
            "is interlaced, and its combs are enlarged as they are: deinterlace it first, as by "
            "ffmpeg -i FILE -vf bwdif NEW_FILE"
        )
    if hdr := HDR.get(context.color_trc):
        warnings.append(
            f"is in HDR ({hdr}): that is kept, but not what it says of the display it was made on"
        )
    return warnings


def _refuse_truncated(
    container: InputContainer,
    stream: VideoStream,
    num_packets: int,
    end: float,
    times: Sequence[int],
) -> None:
    if not num_packets:
        raise ValueError("holds no frames")
    fix = "it is cut short: copy or download it again"
    if num_packets < stream.frames:
        raise ValueError(f"holds {num_packets} of the {stream.frames} frames it lists, {fix}")
    if container.duration and container.format.name.startswith(_HAVE_DURATION):
        expected = (container.start_time + container.duration) / _MICROSECONDS
        # How long the last frame is shown, Matroska says nowhere but there
        longest = max((later - time for time, later in pairwise(times)), default=0)
        shown = float(longest * (stream.time_base or 0))
        if end < expected - max(_SLACK, 2 * shown):
            raise ValueError(f"ends after {end:.2f} of {expected:.2f} s, {fix}")


def read_frames(video: Video, *, wanted: Callable[[int], bool]) -> Iterator[Frame]:
    """All frames in the order they are shown, as pictures those whose number is wanted.

    Times always rise: where the video's do not, they are those before plus 1.

    Raises:
        ValueError: a frame is damaged, missing, or unlike the first one; it is named.
    """
    earlier, size = None, None
    for number, frame in enumerate(_decoded(video)):
        time = _time(frame, earlier=earlier)
        place = video.place(time)
        if not frame.interlaced_frame:  # of which the two fields may have a time each
            _refuse_gap(video, earlier, time)
        size = size or (frame.width, frame.height)
        if (frame.width, frame.height) != size:
            now, before = f"{frame.width} x {frame.height}", f"{size[0]} x {size[1]}"
            raise ValueError(f"{place} has {now} pixels, those before it {before}: split it there")
        colours = colours_of(frame)
        try:
            picture = to_picture(frame, colours) if wanted(number) else None
        except (ValueError, av.FFmpegError) as error:
            raise ValueError(f"{place} {error}") from error
        yield Frame(
            number=number,
            time=time,
            duration=frame.duration,
            height=frame.height,
            width=frame.width,
            rotation=frame.rotation,
            colours=colours,
            picture=picture,
        )
        earlier = time
    _refuse_gap(video, earlier, None)


def _decoded(video: Video) -> Iterator[av.VideoFrame]:
    with opened(video.path) as container:
        stream = video_stream(container)
        stream.thread_type = "SLICE"  # with several frames at once, errors would come late
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                place = video.place(packet.pts)
                raise ValueError(f"{place} cannot be decoded: {error.strerror}") from error
            for frame in frames:
                if frame.is_corrupt:
                    raise ValueError(f"{video.place(frame.pts)} is damaged")
                yield frame


def _time(frame: av.VideoFrame, *, earlier: int | None) -> int:
    time = frame.dts if frame.pts is None else frame.pts
    if earlier is None:
        return time or 0
    return max(earlier + 1, earlier + 1 if time is None else time)


def _refuse_gap(video: Video, earlier: int | None, time: int | None) -> None:
    """Where the video has a frame between two times, the decoder has passed over it.

    Nothing says which of the first ones can be shown, where a video does not begin with a whole
    picture. `time` is None at the end.
    """
    if earlier is None:
        return
    following = bisect_right(video.times, earlier)
    end = len(video.times) if time is None else bisect_left(video.times, time)
    if following < end:
        raise ValueError(f"{video.place(video.times[following])} cannot be decoded")
