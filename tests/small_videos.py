from fractions import Fraction

import av
import numpy as np

SECONDS = 3
RATE = 25


class Nearest:
    """Stands in for a network: each pixel twice, so that what comes out is known."""

    scale = 2

    def __call__(self, pixels, *, progress=None):
        return pixels.repeat(2, axis=0).repeat(2, axis=1)


def moving_picture(number, height=32, width=48):
    y, x = np.mgrid[:height, :width]
    channels = (x * 5 + number * 3) % 256, (y * 7 + 2 * number) % 256, (x + y + number) % 256
    return np.stack(channels, axis=2).astype(np.uint8)


def write_clip(
    path,
    *,
    num_frames=SECONDS * RATE,
    size=(32, 48),
    times=None,
    time_base=Fraction(1, RATE),
    codec="libx264",
    pixel_format="yuv420p",
    options=None,
    sound=True,
    subtitles=None,
    container_options=None,
    rotation=0,
    **context,
):
    """By PyAV alone. `subtitles` is the path of an .srt file; `context` sets the encoder's."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=RATE, options=options or {})
        stream.height, stream.width = size
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = time_base
        stream.set_display_rotation(rotation)
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        sounds = container.add_stream("aac", rate=44100) if sound else None
        texts = av.open(str(subtitles)) if subtitles else None
        copied = texts and container.add_stream_from_template(texts.streams[0], opaque=True)
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(moving_picture(number, *size), "rgb24")
            frame.pts = number if times is None else times[number]
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sounds:
            _write_sound(container, sounds, seconds=num_frames / RATE)
        if texts:
            for packet in texts.demux():
                if packet.size:
                    packet.stream = copied
                    container.mux(packet)
    return path


def _write_sound(container, stream, *, seconds):
    wave = np.sin(np.arange(int(44100 * seconds)) / 16).astype(np.float32) / 4
    for start in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 44100, start, Fraction(1, 44100)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def decoded(path):
    """RGB of all frames, and their times in seconds."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = [frame.pts * frame.time_base for frame in frames]
        return [frame.to_ndarray(format="rgb24") for frame in frames], times


def packets(path, kind):
    """Contents and times, in seconds, of the packets of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        found = [packet for packet in container.demux(stream) if packet.size]
        return [(bytes(packet), packet.pts * packet.time_base) for packet in found]


def end(path):
    """Of the last frame, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.duration:
            return float((stream.start_time + stream.duration) * stream.time_base)
        return container.duration / 1e6
