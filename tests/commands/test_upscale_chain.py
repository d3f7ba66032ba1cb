"""Several networks on each picture, against the plain computation; and thousands of pictures."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from small_upscaler import noise, tiny_network
from small_videos import write_clip

from esrgan.commands import upscale
from esrgan.inference import Upscaler
from esrgan.inference.chain import Chain, Link
from esrgan.weights import interpolate, save_release

SCRIPT = Path(__file__).parents[2] / "scripts/upscale.py"
NETWORKS = {"clean": (0, 1), "double": (1, 2), "large": (2, 4), "other": (3, 1)}
MIB = 1 << 20


@pytest.fixture
def run(call):
    return partial(call, "upscale.py", upscale.main)


@pytest.fixture(scope="module")
def networks():
    return {name: tiny_network(seed, scale=scale) for name, (seed, scale) in NETWORKS.items()}


@pytest.fixture
def place(networks, tmp_path, monkeypatch):
    for name, network in networks.items():
        save_release(tmp_path / f"{name}.pth", network, metadata={})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one_after_another(networks, rgb):
    """In floats from the first network's input to the last one's output."""
    largest = np.iinfo(rgb.dtype).max
    images = torch.from_numpy(rgb.astype(np.float32) / largest).permute(2, 0, 1)[None]
    with torch.no_grad():
        for network in networks:
            images = network(images).clamp(0, 1)
    return np.rint(images[0].permute(1, 2, 0).numpy() * largest).astype(rgb.dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_nothing_is_rounded_in_between(run, place, networks, dtype):
    rgb = noise(12, 8, 3, dtype=dtype)
    cv2.imwrite("a.png", rgb[..., ::-1])
    words = ["a.png", "--then", "double.pth", "--then", "large.pth", "--precision", "fp32"]
    code, printed, _ = run("clean.pth", *words, "--output", "out")
    assert code == 0
    assert "clean.pth (x1), then double.pth (x2), then large.pth (x4): x8, on cpu" in printed
    chain = [networks[name] for name in ("clean", "double", "large")]
    expected = one_after_another(chain, rgb)
    result = cv2.imread("out/a.png", cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert result.dtype == dtype
    largest = np.abs(result.astype(int) - expected).max()
    assert largest <= (0 if dtype == np.uint8 else 1)  # the order of sums in float32


def test_the_first_may_be_mixed_and_the_result_resized(run, place, networks):
    rgb = noise(12, 8, 3)
    Pillow.fromarray(rgb).save("a.png")
    mix = ["--with", "other.pth", "--alpha", "0.25", "--precision", "fp32"]
    words = ["clean.pth", "a.png", *mix, "--then", "double.pth"]
    assert run(*words, "--output", "out")[0] == 0
    first = interpolate(networks["clean"], networks["other"], 0.25)
    expected = one_after_another([first, networks["double"]], rgb)
    np.testing.assert_array_equal(np.asarray(Pillow.open("out/a.png")), expected)
    assert run(*words, "--output", "small", "--outscale", "1.5")[0] == 0
    assert Pillow.open("small/a.png").size == (12, 18)


def test_each_network_has_its_tiles_and_progress_is_that_of_the_picture(networks):
    rgb = noise(92, 72, 3)

    def chain(tile):
        return Chain(
            [
                Link(name, Upscaler(networks[name], tile=tile, dtype=torch.float32))
                for name in ("clean", "double", "large")
            ]
        )

    told = []
    result = chain(64)(rgb, progress=told.append)
    assert result.shape == (8 * 92, 8 * 72, 3)
    assert np.abs(result.astype(int) - chain(None)(rgb)).max() <= 1
    assert sum(told) == 92 * 72
    assert len(told) == 17  # 4 tiles, 4, and 9


def test_frames_of_a_video_go_through_all(run, place):
    write_clip(place / "clip.mp4", num_frames=2)
    code, _, errors = run(
        "clean.pth", "clip.mp4", "--then", "double.pth", "--output", "out", "--precision", "fp32"
    )
    assert code == 0, errors
    assert (place / "out/clip.mp4").exists()


def test_a_network_that_is_missing_is_named_before_the_work(run, place):
    Pillow.fromarray(noise(8, 8, 3)).save("a.png")
    code, _, errors = run("clean.pth", "a.png", "--then", "none.pth", "--output", "out")
    assert code == 2
    assert "none.pth must be a file of weights" in errors
    assert not (place / "out").exists()


def test_the_network_that_diverged_is_named(run, place, networks):
    spoilt = tiny_network(9, scale=2)
    torch.nn.init.constant_(spoilt.conv_hr.bias, 10)
    torch.nn.init.constant_(spoilt.conv_last.weight, 1e38)
    save_release("spoilt.pth", spoilt, metadata={})
    Pillow.fromarray(noise(8, 8, 3)).save("a.png")
    code, _, errors = run("clean.pth", "a.png", "--then", "spoilt.pth", "--output", "out")
    assert code == 2
    assert "spoilt.pth: the network's output is not finite" in errors


@pytest.mark.soak
def test_memory_stays_flat_over_two_thousand_pictures_of_as_many_sizes(place):
    peaks = {}
    for count in (100, 2000):
        folder = place / f"of_{count}"
        folder.mkdir()
        for number in range(count):
            size = 16 + number * 7 % 48, 16 + number // 48  # no two are alike: each is a shape more
            Pillow.fromarray(noise(*size, 3, seed=number)).save(folder / f"{number}.png")
        words = ["clean.pth", folder, "--then", "large.pth", "--output", place / f"out_{count}"]
        process = subprocess.Popen(
            [sys.executable, SCRIPT, *map(str, words)],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        assert len(list((place / f"out_{count}").iterdir())) == count
        peaks[count] = usage.ru_maxrss * 1024
    assert peaks[2000] - peaks[100] < 50 * MIB
