import av
import numpy as np
import pytest
from PIL import Image as Pillow
from small_videos import decoded, write_clip

from esrgan.upscaling.video_reading import is_video, read_frames, scan


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def clip(clips):
    return write_clip(clips / "clip.mp4")


def read(path, wanted=lambda number: True):
    return list(read_frames(scan(path), wanted=wanted))


def test_content_tells_what_is_a_video(clip, tmp_path):
    (tmp_path / "moving").write_bytes(clip.read_bytes())
    Pillow.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "still.tga")
    (tmp_path / "words.mp4").write_text("no video")
    (tmp_path / "words.txt").write_text("no video")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        sound = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    found = sorted(path.name for path in tmp_path.iterdir() if is_video(path))
    assert found == ["moving"]


def test_frames_are_those_that_pyav_decodes_at_their_times(clip):
    expected, times = decoded(clip)
    video = scan(clip)
    frames = read(clip, wanted=lambda number: number % 2 == 0)
    assert [frame.time * video.time_base for frame in frames] == times
    assert [frame.number for frame in frames] == list(range(75))
    assert all(frame.picture is None for frame in frames[1::2])
    for frame, rgb in zip(frames[::2], expected[::2], strict=True):
        # PyAV's own conversion repeats colours for pairs of pixels
        assert np.abs(frame.picture.colour.astype(int) - rgb).mean() < 12
    assert video.num_packets == 75


def test_a_video_that_ends_too_early_is_refused_before_any_frame(clips, tmp_path):
    cut = tmp_path / "cut.mp4"
    fast = write_clip(clips / "fast.mp4", sound=False, container_options={"movflags": "faststart"})
    cut.write_bytes(fast.read_bytes()[:-1500])
    with pytest.raises(ValueError, match=r"holds .. of the 75 frames it lists, it is cut short"):
        scan(cut)
    matroska = write_clip(clips / "clip.mkv")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(matroska.read_bytes()[: matroska.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"ends after 1\..* of 3\..* s, it is cut short"):
        scan(cut)
    headless = tmp_path / "headless.mp4"
    headless.write_bytes((clips / "clip.mp4").read_bytes()[:20000])
    with pytest.raises(ValueError, match="damaged, cut short or none"):
        scan(headless)


def positions(path):
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def test_a_frame_that_is_damaged_is_named(clips, tmp_path):
    clip = write_clip(clips / "larger.mp4", size=(96, 128), sound=False, options={"bf": "0"})
    position, size = positions(clip)[20]
    content = bytearray(clip.read_bytes())
    content[position + size // 3 : position + 2 * size // 3] = b"\x99" * (size // 3)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content)
    with pytest.raises(ValueError, match=r"frame 21 \(at 0.80 s\) (is damaged|cannot be)"):
        read(damaged)


def test_a_frame_that_the_decoder_passes_over_is_named(clips, tmp_path):
    clip = write_clip(clips / "old.avi", codec="mpeg4", sound=False, options={"bf": "2"})
    position, _ = positions(clip)[3]
    content = bytearray(clip.read_bytes())
    content[position + 4 : position + 9] = b"\x99" * 5  # no error to FFmpeg
    damaged = tmp_path / "damaged.avi"
    damaged.write_bytes(content)
    assert len(decoded(damaged)[0]) == 74
    with pytest.raises(ValueError, match=r"frame 3 \(at 0.12 s\) cannot be decoded"):
        read(damaged)


def test_frames_of_another_size_are_refused(tmp_path):
    first = write_clip(tmp_path / "a.ts", num_frames=10, sound=False)
    second = write_clip(tmp_path / "b.ts", num_frames=10, sound=False, size=(48, 64))
    (tmp_path / "both.ts").write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(ValueError, match="has 64 x 48 pixels, those before it 48 x 32: split"):
        read(tmp_path / "both.ts")


def test_users_are_warned_of_combs_and_of_hdr(clip, tmp_path):
    assert scan(clip).warnings == []
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    combed = write_clip(tmp_path / "combed.mp4", num_frames=5, options=options)
    hdr = write_clip(
        tmp_path / "hdr.mkv", num_frames=5, pixel_format="yuv420p10le", color_trc=16, colorspace=9
    )
    assert "is interlaced" in scan(combed).warnings[0]
    assert "is in HDR (PQ)" in scan(hdr).warnings[0]
    assert len(read(combed)) == len(read(hdr)) == 5
