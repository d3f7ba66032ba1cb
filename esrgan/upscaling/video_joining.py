"""The pieces of a result put together without encoding them again, with all else its source holds.

Sound, subtitles, covers and attachments are copied packet by packet; metadata, chapters, rotation
and the shape of pixels go along.
"""

import heapq
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import IO, TypeAlias

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

from esrgan.upscaling.video_codecs import CODECS, FORMATS
from esrgan.upscaling.video_encoding import failures_named
from esrgan.upscaling.video_reading import Video, opened, video_stream

AnyPacket: TypeAlias = "Packet[Stream]"  # which takes no type at run time

# What a file says of itself, which is of the result no more; and of the enlarged stream all but
# these, among them its size and bit rate
_OF_THE_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder"}
_OF_THE_STREAM = {"language", "title", "handler_name"}


def choose_suffix(path: Path, codec: str) -> str:
    """Of a result: its source's own where it can hold the codec, and .mkv, which holds all."""
    suffixes, own = CODECS[codec].suffixes, path.suffix.lower()
    with suppress(ValueError), opened(path) as source:  # which is refused at its turn
        if source.format.name.startswith("mov,mp4"):
            own = own if own in (".mov", ".m4v") else ".mp4"
            return own if own in suffixes else suffixes[-1]
    return suffixes[-1]


def streams_left_out(path: Path, suffix: str) -> list[str]:
    """Which streams a result will lack, for a note."""
    with opened(path) as source:
        enlarged = video_stream(source).index
        # The titles of chapters are written anew with them
        titles = "bin_data" if source.chapters() else None
        return [
            f"stream {stream.index} ({stream.type} {stream.name or ''})".replace(" )", ")")
            for stream in source.streams
            if stream.index != enlarged and stream.name != titles
            if not _can_be_copied(stream, suffix)
        ]


def _can_be_copied(stream: Stream, suffix: str) -> bool:
    """Tried out in memory: whether a header can be written with it tells it for certain."""
    if stream.type == "video" and not stream.disposition & Disposition.attached_pic:
        return False
    try:
        with av.open(BytesIO(), "w", format=FORMATS[suffix]) as trial:
            _add_copy(trial, stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _add_copy(container: OutputContainer, template: Stream) -> Stream:
    stream = container.add_stream_from_template(template, opaque=True)
    stream.metadata.update(template.metadata)
    stream.disposition = template.disposition
    return stream


def join_pieces(
    file: IO[bytes],
    suffix: str,
    video: Video,
    pieces: Sequence[Path],
    *,
    times: Sequence[int],
    end: int,
    rotation: int,
) -> None:
    """Writes the result, in the format of a suffix.

    `times` are those of all frames, in units of the video's time base; `end` is that of the last.
    It is shown turned by `rotation` degrees, counter-clockwise.

    Raises:
        ValueError: the pieces do not hold as many frames as there are times, or were encoded in
            different ways.
    """
    with (
        failures_named(f"{suffix} cannot hold what is in it"),
        opened(video.path) as source,
        opened(pieces[0]) as piece,
        av.open(file, "w", format=FORMATS[suffix], metadata_errors="surrogateescape") as container,
    ):
        of_file = {k: v for k, v in source.metadata.items() if k not in _OF_THE_FILE}
        container.metadata.update(of_file)
        container.set_chapters(source.chapters())
        enlarged = video_stream(source)
        copies = {}
        for stream in source.streams:  # in the order of the source's
            if stream.index == enlarged.index:
                result = _add_result(container, piece, enlarged, video, rotation=rotation)
            elif _can_be_copied(stream, suffix):
                copies[stream.index] = _add_copy(container, stream)
        packets = heapq.merge(
            _result_packets(pieces, result, [*times, end], video.time_base),
            _copied_packets(source, copies),
            key=_seconds,
        )
        for packet in packets:
            container.mux_one(packet)


def _add_result(
    container: OutputContainer, piece: InputContainer, of: Stream, video: Video, *, rotation: int
) -> Stream:
    template = piece.streams.video[0]
    stream = container.add_stream_from_template(template, opaque=True)
    stream.time_base = video.time_base
    stream.codec_context.framerate = video.rate
    if template.name == "hevc" and container.format.name != "matroska":
        stream.codec_context.codec_tag = "hvc1"  # by FFmpeg's own, "hev1", Apple plays nothing
    stream.metadata.update({k: v for k, v in of.metadata.items() if k in _OF_THE_STREAM})
    stream.disposition = of.disposition
    if rotation:
        stream.set_display_rotation(rotation)
    return stream


def _result_packets(
    pieces: Sequence[Path], stream: Stream, times: Sequence[int], time_base: Fraction
) -> Iterator[AnyPacket]:
    """Of all pieces, with the times of the whole: `times` and, as the last of them, its end.

    Decoders get frames in another order than they are shown. A packet's dts, by when it has to be
    decoded, is the time of the frame that is shown as many places earlier as frames may be late.
    """
    first = shift = 0
    decoded: Iterator[int] = iter(())
    for path in pieces:
        packets, own_times = _read_piece(path, stream)
        shown = sorted(pts for pts, _ in own_times)
        if first == 0:
            late = sum(dts < shown[0] for _, dts in own_times)
            decoded = chain(_before(times, late), times)
        if first + len(packets) >= len(times):
            raise ValueError(f"{path.parent} holds more frames than the video: remove it")
        for place, (packet, (pts, _)) in enumerate(zip(packets, own_times, strict=True), first):
            number = first + bisect_left(shown, pts)
            dts = next(decoded)
            shift = times[0] - dts if place == 0 else shift
            # MP4 adds up durations in the order of decoding, of which only the last is not told by
            # the next dts: with this, they end where the last frame does
            is_last = place == len(times) - 2
            duration = times[-1] - shift - dts if is_last else times[number + 1] - times[number]
            packet.time_base, packet.stream = time_base, stream
            packet.pts, packet.dts, packet.duration = times[number], dts, max(duration, 1)
            yield packet
        first += len(packets)
    if first + 1 < len(times):
        raise ValueError(f"{pieces[0].parent} holds fewer frames than the video: remove it")


def _read_piece(path: Path, result: Stream) -> tuple[list[AnyPacket], list[tuple[int, int]]]:
    """Its packets, and the pts and dts that they have in it.

    Raises:
        ValueError: it is encoded unlike the first, whose description is the result's.
    """
    with opened(path, ignore_editlist="1") as piece:
        if piece.streams.video[0].codec_context.extradata != result.codec_context.extradata:
            raise ValueError(
                f"{path} is encoded in another way than the pieces before it: remove "
                f"{path.parent} to begin anew"
            )
        packets: list[AnyPacket] = [packet for packet in piece.demux() if packet.size]
    return packets, [(packet.pts or 0, packet.dts or 0) for packet in packets]


def _before(times: Sequence[int], number: int) -> list[int]:
    """The first times, earlier by so many frames: FFmpeg's MP4 takes no others for a shift."""
    shift = times[min(number, len(times) - 1)] - times[0]
    return [time - max(shift, number) for time in times[:number]]


def _copied_packets(source: InputContainer, copies: Mapping[int, Stream]) -> Iterator[AnyPacket]:
    if not copies:
        return
    for packet in source.demux([source.streams[index] for index in copies]):
        if packet.size:
            packet.stream = copies[packet.stream.index]
            yield packet


def _seconds(packet: AnyPacket) -> float:
    """By which packets are put into one order."""
    time = packet.pts if packet.dts is None else packet.dts
    return float((time or 0) * packet.time_base)
