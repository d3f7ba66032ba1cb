import subprocess
import sys

import numpy as np
import pytest

from esrgan.commands import prepare_data
from esrgan.commands.prepare_data import main, parse_arguments
from esrgan.data import LmdbImages, LmdbPairs, write_png
from esrgan.degradations import resize_double, resize_uint8


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for name in "ab":
        write_png(tmp_path / "photos" / f"{name}.png", rng.integers(0, 256, (32, 48, 3), np.uint8))
    return tmp_path / "photos"


def run(capsys, *arguments):
    code = main([*map(str, arguments), "--processes", "1"])
    return code, *capsys.readouterr()


def test_a_data_set_is_built_and_counted(photos, tmp_path, capsys):
    code, out, _ = run(capsys, photos, "--output", tmp_path / "set", "--scale", 2)
    assert (code, out) == (0, f"{tmp_path / 'set'}: 2 pairs\n")
    assert len(LmdbPairs(folder=tmp_path / "set", scale=2)) == 2


def test_squares_overlap_by_half_unless_a_step_is_given():
    given = ["photos", "--output", "set", "--subimages", "480"]
    assert parse_arguments(given).recipe.subimages == (480, 240)
    assert parse_arguments([*given, "--step", "120"]).recipe.subimages == (480, 120)


def test_the_convention_says_how_images_shrink():
    given = ["photos", "--output", "set"]
    assert parse_arguments(given).recipe.downscale is resize_double
    assert parse_arguments([*given, "--convention", "uint8"]).recipe.downscale is resize_uint8
    assert parse_arguments([*given, "--lq", "small"]).recipe.downscale is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--step", "4"], "--step has no effect without --subimages"),
        (["--lq", "small", "--convention", "uint8"], "--convention has no effect on ready-made"),
        (["--lq", "small", "--multi-scale"], "--multi-scale has no effect on ready-made"),
        (["--no-lq", "--lq", "small"], "--lq has no effect with --no-lq"),
        (["--no-lq", "--scale", "2"], "--scale has no effect with --no-lq"),
        (["--no-lq", "--convention", "uint8"], "--convention has no effect with --no-lq"),
        (["--sacle", "4"], "unrecognized arguments: --sacle 4"),
    ],
)
def test_an_argument_without_effect_is_refused(capsys, arguments, message):
    with pytest.raises(SystemExit) as exit_:
        main(["photos", "--output", "set", *arguments])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_a_scale_that_cannot_be_is_a_line_on_stderr(photos, tmp_path, capsys):
    code, _, err = run(capsys, photos, "--output", tmp_path / "set", "--scale", 0)
    assert (code, err) == (2, "error: scale (0) must be at least 1\n")


def test_bad_files_are_named_where_they_are_left_out(photos, tmp_path, capsys):
    (photos / "a.png").write_bytes(b"no image")
    code, out, err = run(capsys, photos, "--output", tmp_path / "set", "--skip-bad")
    assert (code, out) == (0, f"{tmp_path / 'set'}: 1 pairs\n")
    assert f"left out: {photos / 'a.png'}: not a PNG" in err


def test_an_interrupted_build_says_how_to_go_on(photos, tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare_data, "build_dataset", interrupted)
    code, _, err = run(capsys, photos, "--output", tmp_path / "set")
    assert (code, err) == (130, "the same command continues where it was\ninterrupted\n")


def test_neither_the_command_nor_its_processes_wait_for_torch():
    code = "import sys, esrgan.commands.prepare_data; print('torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"


def test_ground_truths_are_stored_alone_and_in_smaller_versions(photos, tmp_path, capsys):
    arguments = [photos, "--output", tmp_path / "set", "--no-lq", "--multi-scale"]
    code, out, err = run(capsys, *arguments, "--skip-small", 16)
    assert (code, out) == (0, f"{tmp_path / 'set'}: 6 images\n")
    images = LmdbImages(folder=tmp_path / "set")
    assert [images.key(index) for index in range(6)] == ["a", "aT0", "aT1", "b", "bT0", "bT1"]
    assert err.splitlines()[-3:] == [
        f"left out: {photos / 'a.png'} T2 (10x16) is smaller than 16",
        f"left out: {photos / 'b.png'} T2 (10x16) is smaller than 16",
        "left out: 2 images as too small",
    ]
