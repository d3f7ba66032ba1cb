import threading
from fractions import Fraction

import av
import numpy as np
import pytest
from small_videos import RATE, Nearest, decoded, end, moving_picture, packets, write_clip

from esrgan.upscaling import video_encoding, video_reading, videos
from esrgan.upscaling.jobs import Job
from esrgan.upscaling.video_partial import partial_folder
from esrgan.upscaling.video_reading import scan
from esrgan.upscaling.videos import PIECE, VideoWork, upscale_video


def work(**options):
    defaults = {"factor": 2, "codec": "libx264", "crf": 18, "asked": {}, "overwrite": False}
    upscalers = {1: Nearest(), 2: Nearest()}
    return VideoWork(**{"upscalers": upscalers, **defaults, **options})


def upscale(source, target, **options):
    shown = []
    upscale_video(Job(source, target), scan(source), work(**options), show=shown.append)
    return shown


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


def test_each_frame_is_enlarged_in_its_place(clip, tmp_path):
    assert upscale(clip, tmp_path / "x.mp4", crf=1) == [False] * 75
    frames, times = decoded(tmp_path / "x.mp4")
    sources, expected_times = decoded(clip)
    assert times == expected_times
    for frame, source in zip(frames, sources, strict=True):
        assert frame.shape == (64, 96, 3)
        nearest = source.repeat(2, axis=0).repeat(2, axis=1).astype(int)
        assert np.abs(frame - nearest).mean() < 6
    assert [path.name for path in tmp_path.iterdir()] == ["x.mp4"]


def variable(number):
    rng = np.random.default_rng(number)
    return np.cumsum(rng.integers(300, 9000, 100)).tolist()


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv"])
def test_times_are_kept_to_the_tick_and_sound_to_the_byte(tmp_path, name):
    """Also where frames are far apart at a piece's end and near at the next one's begin."""
    times = variable(1)
    times = [*times[:PIECE], *(time + 500_000 for time in times[PIECE:])]
    base = Fraction(1, 90000) if name == "x.mp4" else Fraction(1, 1000)
    source = write_clip(tmp_path / name, num_frames=100, times=times, time_base=base)
    upscale(source, tmp_path / f"result_{name}")
    assert decoded(tmp_path / f"result_{name}")[1] == decoded(source)[1]
    assert end(tmp_path / f"result_{name}") == pytest.approx(end(source), abs=1 / RATE)
    assert packets(tmp_path / f"result_{name}", "audio") == packets(source, "audio")


def test_one_that_was_interrupted_goes_on_to_the_same_bytes(clip, tmp_path, monkeypatch):
    upscale(clip, tmp_path / "whole.mp4")
    enlarged = []

    def interrupted(picture, upscaler):
        if len(enlarged) == PIECE + 10:
            raise KeyboardInterrupt
        enlarged.append(picture)
        return original(picture, upscaler)

    original = videos.enlarge
    monkeypatch.setattr(videos, "enlarge", interrupted)
    with pytest.raises(KeyboardInterrupt):
        upscale(clip, tmp_path / "x.mp4")
    folder = partial_folder(tmp_path / "x.mp4")
    assert not (tmp_path / "x.mp4").exists()
    pieces = [path for path in folder.iterdir() if path.suffix == ".mp4"]
    assert [len(decoded(piece)[0]) for piece in pieces] == [PIECE]
    with pytest.raises(ValueError, match="begun with --crf 18, and now it is 20"):
        upscale(clip, tmp_path / "x.mp4", crf=20)
    enlarged.clear()
    monkeypatch.undo()
    assert upscale(clip, tmp_path / "x.mp4") == [True] * PIECE + [False] * (75 - PIECE)
    assert (tmp_path / "x.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert not folder.exists()


def test_only_a_few_frames_are_in_memory(tmp_path, monkeypatch):
    """Pictures that are read, and not yet given to an encoder."""
    source = write_clip(tmp_path / "long.mkv", num_frames=4 * PIECE, sound=False)
    alive, most, lock = 0, 0, threading.Lock()

    def counted(original, change):
        def function(*arguments):
            nonlocal alive, most
            with lock:
                alive += change
                most = max(most, alive)
            return original(*arguments)

        return function

    for module, name, change in (
        (video_reading, "to_picture", 1),
        (video_encoding, "to_frame", -1),
    ):
        monkeypatch.setattr(module, name, counted(getattr(module, name), change))
    upscale(source, tmp_path / "x.mkv")
    assert alive == 0
    assert 1 <= most <= 4


@pytest.mark.parametrize(
    ("factor", "size"), [(2, (66, 102)), (1, (32, 52)), (0.5, (16, 26)), (0.01, (2, 2))]
)
def test_sides_become_even(tmp_path, factor, size):
    source = write_clip(
        tmp_path / "odd.mkv",
        num_frames=3,
        size=(33, 51),
        codec="ffv1",
        pixel_format="yuv444p",
        sound=False,
    )
    upscale(source, tmp_path / "x.mkv", factor=factor)
    frames, _ = decoded(tmp_path / "x.mkv")
    assert [frame.shape[:2] for frame in frames] == [size] * 3


@pytest.mark.parametrize("num_frames", [1, 2, PIECE + 1])
def test_a_piece_may_be_of_one_frame(tmp_path, num_frames):
    source = write_clip(tmp_path / "clip.mp4", num_frames=num_frames)
    upscale(source, tmp_path / "x.mp4")
    assert decoded(tmp_path / "x.mp4")[1] == decoded(source)[1]
    assert end(tmp_path / "x.mp4") == end(source)


def about(path):
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        stream = container.streams.video[0]
        colours = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
        return colours, frame.format.name, stream.sample_aspect_ratio, frame.rotation


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_colours_shape_of_pixels_and_rotation_go_along(tmp_path, suffix):
    source = write_clip(
        tmp_path / f"clip{suffix}",
        num_frames=3,
        pixel_format="yuv420p10le",
        colorspace=9,
        color_range=1,
        color_primaries=9,
        color_trc=16,
        sample_aspect_ratio=Fraction(16, 11),
        rotation=90,
    )
    upscale(source, tmp_path / f"x{suffix}")
    expected = ((9, 1, 9, 16), "yuv420p10le", Fraction(16, 11), 90)
    assert about(source) == expected
    assert about(tmp_path / f"x{suffix}") == expected


def test_what_a_codec_cannot_do_is_refused_before_the_network_works(tmp_path, monkeypatch):
    monkeypatch.setattr(videos, "enlarge", lambda *_: pytest.fail("it has begun to work"))
    deep = write_clip(tmp_path / "deep.mp4", num_frames=3, pixel_format="yuv420p10le")
    with pytest.raises(ValueError, match="more than 8 bits, which libvpx-vp9 does not hold"):
        upscale(deep, tmp_path / "x.mp4", codec="libvpx-vp9")
    with pytest.raises(ValueError, match="becomes 48 x 32 pixels, and libx265 needs 64"):
        upscale(deep, tmp_path / "x.mp4", codec="libx265", factor=1)
    assert [path.name for path in tmp_path.iterdir()] == ["deep.mp4"]


def test_what_an_encoder_refuses_is_told(tmp_path):
    source = write_clip(tmp_path / "clip.mp4", num_frames=3)
    with pytest.raises(ValueError, match="libx264 cannot encode 24000 x 16000 pixels"):
        upscale(source, tmp_path / "x.mp4", factor=500)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "libvpx-vp9"])
def test_other_codecs(tmp_path, codec):
    source = write_clip(tmp_path / "clip.mp4", num_frames=PIECE + 5, sound=False)
    upscale(source, tmp_path / "x.mp4", codec=codec, crf=20)
    frames, times = decoded(tmp_path / "x.mp4")
    assert times == decoded(source)[1]
    for number, frame in enumerate(frames):
        nearest = moving_picture(number).repeat(2, axis=0).repeat(2, axis=1).astype(int)
        assert np.abs(frame - nearest).mean() < 20
