"""The same files through the commands, under names that say nothing of what they are."""

import re

import cv2
import numpy as np
import pytest
import torch
from picture_samples import Sample, samples

from esrgan.commands import prepare_data, upscale
from esrgan.data import LmdbPairs
from esrgan.networks import RRDBNet
from esrgan.weights import save_release

some = samples()[::8]
slow = pytest.mark.slow
choices = pytest.mark.parametrize("chosen", [some, pytest.param(samples(), marks=slow)])


@pytest.fixture
def doubling(tmp_path):
    """Weights of a network that repeats each pixel twice in each direction."""
    network = RRDBNet(scale=2, num_features=8, num_blocks=1, unshuffle=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        through = (network.conv_first, network.conv_up1, network.conv_hr, network.conv_last)
        for convolution in through:
            for channel in range(3):
                convolution.weight[channel, channel, 1, 1] = 1
    save_release(tmp_path / "doubling.pth", network, metadata={})
    return tmp_path / "doubling.pth"


def fill(folder, chosen):
    folder.mkdir()
    for sample in chosen:
        (folder / f"{sample.name}.png").write_bytes(sample.data)
    return folder


def said_of(name, text):
    return next((line for line in text.splitlines() if f"/{name}.png" in line), "")


@choices
def test_upscale(chosen, call, doubling, tmp_path):
    folder = fill(tmp_path / "files", chosen)
    options = ("--output", tmp_path / "results", "--precision", "fp32", "--device", "cpu")
    code, _, errors = call("upscale.py", upscale.main, doubling, folder, *options)
    assert code == (2 if any(sample.refused for sample in chosen) else 0)
    for sample in chosen:
        result = tmp_path / "results" / f"{sample.name}.png"
        if sample.refused:
            assert re.search(sample.refused, said_of(sample.name, errors)), sample.name
            assert not result.exists()
        else:
            assert_equal(sample, cv2.imread(str(result), cv2.IMREAD_UNCHANGED))


def assert_equal(sample: Sample, found: np.ndarray) -> None:
    expected = sample.pixels.repeat(2, axis=0).repeat(2, axis=1)
    assert found.dtype == expected.dtype, sample.name
    channels = expected.shape[2]
    if found.ndim == 2:
        assert channels == 1, sample.name
        found = found[..., None]
    elif channels == 2:  # of which OpenCV makes BGRA
        found = found[..., [0, 3]]
    else:
        found = found[..., [2, 1, 0, 3][:channels]]
    if channels in (2, 4):  # colours that nobody sees may be others
        hidden = expected[..., -1:] == 0
        found, expected = np.where(hidden, 0, found), np.where(hidden, 0, expected)
    np.testing.assert_array_equal(found, expected, err_msg=sample.name)


@choices
def test_prepare_data(chosen, call, tmp_path):
    folder = fill(tmp_path / "files", chosen)
    options = ("--output", tmp_path / "set", "--scale", 2, "--processes", 1, "--skip-bad")
    code, _, errors = call("prepare_data.py", prepare_data.main, folder, *options)
    assert code == 0
    pairs = LmdbPairs(folder=tmp_path / "set", scale=2)
    stored = {pairs.key(index): pairs.read(index).gt for index in range(len(pairs))}
    for sample in chosen:
        if sample.refused:
            assert re.search(sample.refused, said_of(sample.name, errors)), sample.name
            continue
        largest, channels = np.iinfo(sample.pixels.dtype).max, sample.pixels.shape[2]
        if channels in (2, 4) and sample.pixels[..., -1].min() < largest:
            assert "transparent" in said_of(sample.name, errors), sample.name
        else:
            colour = sample.pixels[..., :3] if channels > 2 else sample.pixels[..., :1]
            exact = colour.astype(float) * 255 / largest
            expected = np.broadcast_to(np.floor(exact + 0.5), (*exact.shape[:2], 3))
            np.testing.assert_array_equal(stored.pop(sample.name), expected, err_msg=sample.name)
    assert not stored
