import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow
from small_upscaler import by_network, noise, tiny_network
from small_videos import decoded, packets, write_clip

from esrgan.commands import upscale, upscale_videos
from esrgan.upscaling import videos
from esrgan.upscaling.enlarge import enlarge
from esrgan.weights import save_release

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(call):
    return lambda *arguments: call("upscale.py", upscale.main, *arguments, "--device", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def weights(folder):
    save_release(folder / "tiny.pth", tiny_network(0), metadata={})
    return folder / "tiny.pth"


@pytest.fixture(scope="module")
def clip(folder):
    return write_clip(folder / "clip.mp4")


@pytest.fixture
def output(tmp_path):
    return tmp_path / "results"


def test_three_seconds_with_sound_become_four_times_as_large(run, weights, clip, output):
    code, printed, errors = run(weights, clip, "--output", output, "--precision", "fp32")
    assert (code, errors) == (0, "")
    assert re.search(r"results/clip\.mp4: 75 frames in .* s \(.* per second\)\n$", printed)
    frames, times = decoded(output / "clip.mp4")
    sources, expected_times = decoded(clip)
    assert (len(frames), times) == (75, expected_times)
    assert packets(output / "clip.mp4", "audio") == packets(clip, "audio")
    expected = by_network(tiny_network(0), sources[40]).astype(int)
    assert frames[40].shape == expected.shape == (128, 192, 3)
    # 4:2:0 and H.264 between them; frames 4 apart differ by more
    assert np.abs(frames[40] - expected).mean() < np.abs(frames[40] - frames[44].astype(int)).mean()
    assert [path.name for path in output.iterdir()] == ["clip.mp4"]


def test_subtitles_chapters_and_metadata_are_kept(run, weights, folder, output):
    (folder / "words.srt").write_text("1\n00:00:00,500 --> 00:00:01,300\nhello\n")
    plain = write_clip(folder / "plain.mkv", num_frames=10, subtitles=folder / "words.srt")
    source = folder / "told.mkv"
    chapter = {"id": 1, "start": 0, "end": 400, "metadata": {"title": "one"}}
    with av.open(str(plain)) as before, av.open(str(source), "w") as after:
        after.metadata["title"] = "a clip"
        after.set_chapters([chapter | {"time_base": before.streams[0].time_base}])
        copies = [after.add_stream_from_template(s, opaque=True) for s in before.streams]
        copies[2].metadata["language"] = "deu"
        after.add_attachment("font.ttf", "font/ttf", b"letters")
        for packet in before.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                after.mux(packet)
    assert run(weights, source, "--output", output)[::2] == (0, "")
    result = output / "told.mkv"
    assert packets(result, "subtitle") == packets(source, "subtitle")
    assert packets(result, "audio") == packets(source, "audio")
    with av.open(str(result)) as container:
        assert container.metadata["title"] == "a clip"
        assert [c["metadata"]["title"] for c in container.chapters()] == ["one"]
        kinds = [stream.type for stream in container.streams]
        assert kinds == ["video", "audio", "subtitle", "attachment"]
        assert container.streams[2].metadata["language"] == "deu"
        assert container.streams[3].data == b"letters"


def test_pictures_and_videos_are_told_apart_by_content(run, weights, clip, output, tmp_path):
    (tmp_path / "moving").write_bytes(clip.read_bytes())
    Pillow.fromarray(noise(6, 8, 3)).save(tmp_path / "still.mp4", "PNG")
    names = (tmp_path / "moving", tmp_path / "still.mp4")
    options = ("--quality", 90, "--format", "jpg", "--crf", 30)
    code, printed, errors = run(weights, *names, "--output", output, *options)
    assert (code, errors) == (0, "")
    assert "1 of 1 written" in printed and "moving.mp4: 75 frames" in printed
    assert sorted(path.name for path in output.iterdir()) == ["moving.mp4", "still.jpg"]


def test_a_video_that_fails_stops_no_other(run, weights, clip, folder, output, tmp_path):
    (tmp_path / "words.mp4").write_text("no video")
    matroska = write_clip(folder / "clip.mkv", sound=False)
    (tmp_path / "cut.mkv").write_bytes(matroska.read_bytes()[: matroska.stat().st_size // 2])
    names = (tmp_path / "words.mp4", tmp_path / "cut.mkv", clip)
    code, printed, errors = run(weights, *names, "--output", output)
    assert code == 2
    assert errors.splitlines()[0].startswith(f"{tmp_path}/words.mp4: cannot be read as a video")
    assert re.search(r"cut\.mkv: ends after .* it is cut short", errors)
    assert "clip.mp4: 75 frames" in printed
    assert [path.name for path in output.iterdir()] == ["clip.mp4"]
    code, _, errors = run(weights, clip, "--output", output)
    assert (code, errors.count("\n")) == (2, 1)
    assert "clip.mp4 exists" in errors
    assert run(weights, clip, "--output", output, "--skip-existing")[0] == 0


def test_options_without_effect_are_refused(run, weights, clip, output, tmp_path):
    Pillow.fromarray(noise(6, 8, 3)).save(tmp_path / "a.png")
    cases = {
        "--quality has no effect on videos": (clip, "--quality", 90, "--format", "jpg"),
        "--format has no effect on videos": (clip, "--format", "webp"),
        "--crf has no effect on pictures": (tmp_path / "a.png", "--crf", 0),
        "--video-codec has no effect on": (tmp_path / "a.png", "--video-codec", "libx265"),
        "--crf (52) must be from 0 (best) to 51 for libx264": (clip, "--crf", 52),
        "to 63 for libsvtav1": (clip, "--crf", 64, "--video-codec", "libsvtav1"),
    }
    for words, arguments in cases.items():
        code, printed, errors = run(weights, *arguments, "--output", output)
        assert (code, printed, errors.count("\n")) == (2, "", 1), words
        assert words in errors


def test_without_pyav_the_extra_is_named(run, weights, clip, output, tmp_path, monkeypatch):
    monkeypatch.setattr(upscale_videos, "find_spec", lambda name: None)
    code, printed, errors = run(weights, clip, "--output", output)
    assert (code, printed) == (2, "")
    assert errors == (
        f"error: to upscale {clip}, av must be installed: pip install -e '.[video]'\n"
    )
    Pillow.fromarray(noise(6, 8, 3)).save(tmp_path / "a.png")
    assert run(weights, tmp_path / "a.png", "--output", output)[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_and_the_same_command_goes_on(
    run, weights, clip, output, monkeypatch, number
):
    remaining = iter(range(60))

    def stopped(*arguments, **options):
        if next(remaining, None) is None:
            signal.raise_signal(number)
        return enlarge(*arguments, **options)

    if number is signal.SIGINT:  # which a script's background ignores
        signal.signal(number, signal.default_int_handler)
    before = signal.getsignal(number)
    monkeypatch.setattr(videos, "enlarge", stopped)
    code, _, errors = run(weights, clip, "--output", output)
    assert (code, errors) == (75, "stopped: the same command goes on from here\n")
    assert signal.getsignal(number) == before
    assert [path.name for path in output.iterdir()] == ["clip.mp4.partial"]
    monkeypatch.undo()
    code, _, errors = run(weights, clip, "--output", output, "--tile", 16)
    assert code == 2
    assert "was begun with --tile unset, and now it is 16: give what it was begun" in errors
    code, printed, errors = run(weights, clip, "--output", output)
    assert (code, errors) == (0, "")
    assert re.search(r"clip\.mp4: 27 frames in .*, 48 were there\n$", printed)
    assert [path.name for path in output.iterdir()] == ["clip.mp4"]


SLOW = """
import sys, time
from esrgan.commands import upscale
from esrgan.upscaling import videos
enlarge = videos.enlarge
videos.enlarge = lambda *arguments: (time.sleep(0.05), enlarge(*arguments))[1]
sys.exit(upscale.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_one_that_was_killed_goes_on_to_the_same_frames(run, weights, clip, output, tmp_path):
    """Killed while its second piece is made, and again before the first is whole."""
    assert run(weights, clip, "--output", tmp_path / "whole")[0] == 0
    options = [str(weights), str(clip), "--output", str(output), "--device", "cpu"]
    folder = output / "clip.mp4.partial"
    for awaited in ("upscaling.json", "piece_000000.mp4"):
        process = subprocess.Popen([sys.executable, "-c", SLOW, *options], env=os.environ, cwd=ROOT)
        while not (folder / awaited).exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
        process.wait()
        assert not (output / "clip.mp4").exists()
    code, printed, _ = run(weights, clip, "--output", output)
    assert code == 0
    assert "48 were there" in printed
    frames, times = decoded(output / "clip.mp4")
    expected, expected_times = decoded(tmp_path / "whole/clip.mp4")
    assert times == expected_times
    assert all((frame == other).all() for frame, other in zip(frames, expected, strict=True))
    assert (output / "clip.mp4").read_bytes() == (tmp_path / "whole/clip.mp4").read_bytes()
    assert not folder.exists()
