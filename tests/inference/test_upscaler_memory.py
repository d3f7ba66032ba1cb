import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from esrgan.inference import Upscaler, upscale

OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes."),
    RuntimeError("could not create a primitive"),  # oneDNN's
    MemoryError(),
]


class Limited(nn.Module):
    """A convolution that runs out of memory for more pixels than it is given."""

    scale = 1

    def __init__(self, pixels, error=OUT_OF_MEMORY[0]):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.pixels, self.error = pixels, error
        self.sizes, self.held = [], []

    def forward(self, lq):
        assert not any(tensor() is not None for tensor in self.held), "a failed tile is held"
        size = tuple(lq.shape[-2:])
        self.sizes.append(size)
        if size[0] * size[1] > self.pixels:
            activations = lq + 1
            self.held.append(weakref.ref(activations))
            raise type(self.error)(*self.error.args)  # a new one: it holds its traceback
        return self.conv(lq)


@pytest.fixture
def lq():
    return np.random.default_rng(0).integers(0, 256, (90, 150, 3), dtype=np.uint8)


def sizes_tried(upscaler):
    return upscaler._network.sizes[1:]  # the first was for the measure of its footprint


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_tiles_are_halved_until_memory_suffices(error, lq):
    network = Limited(40 * 60, error)
    upscaler = Upscaler(network, tile=140)
    calls = []
    sr = upscaler(lq, progress=calls.append)
    tried = sizes_tried(upscaler)
    # A half of the columns, then quarters of that, and one more pixel where they have neighbours
    assert tried[:3] == [(90, 76), (46, 38), (46, 40)]
    assert len(tried) == 1 + 2 * 4
    assert len(calls) == 8 and sum(calls) == 90 * 150
    network.pixels = 90 * 150
    assert np.abs(sr.astype(int) - upscale(network, lq)).max() <= 1


def test_half_of_what_failed_is_next_however_large_the_tile_might_be(lq):
    upscaler = Upscaler(Limited(90 * 100), tile=10_000)
    upscaler(lq)
    assert sizes_tried(upscaler)[:2] == [(90, 150), (46, 76)]


def test_an_image_is_tried_whole_and_the_next_one_again(lq):
    upscaler = Upscaler(Limited(90 * 100))
    upscaler(lq)
    upscaler(lq)
    assert sizes_tried(upscaler).count((90, 150)) == 2


def test_too_little_memory_for_the_smallest_tile_is_an_error_that_says_so(lq):
    with pytest.raises(ValueError, match=r"out of memory on cpu with a tile of \d\d pixels and 1 "):
        Upscaler(Limited(100))(lq)


def test_another_error_of_the_network_is_not_taken_for_it(lq):
    with pytest.raises(RuntimeError, match="size of tensor"):
        Upscaler(Limited(64, RuntimeError("size of tensor")))(lq)


def test_a_result_that_memory_has_no_room_for_is_an_error_that_says_so(lq):
    upscaler = Upscaler(Limited(90 * 150))
    upscaler.scale = 1 << 22
    with pytest.raises(ValueError, match="out of memory for the result, 629145600 × 377487360: "):
        upscaler(lq)


def test_less_memory_makes_smaller_tiles_and_half_precision_larger_ones(lq, monkeypatch):
    def number_of_tiles(memory, **options):
        monkeypatch.setattr("esrgan.inference.upscaler.memory_for_a_tile", lambda *_, **__: memory)
        calls = []
        Upscaler(Limited(10**9), **options)(lq, progress=calls.append)
        return len(calls)

    # Maps of 3 numbers, 3 of them in 4 bytes; and 4 outputs of 3 numbers, also in 4
    whole = 90 * 150 * (3 * 3 * 4 + 4 * 3 * 4)
    assert number_of_tiles(whole) == 1
    assert number_of_tiles(whole - 1) == 2 * 2  # 45 × 75, and a pixel of overlap
    assert number_of_tiles(46 * 76 * 84) == 2 * 2
    assert number_of_tiles(46 * 76 * 84 - 1) == 2 * 3
    assert number_of_tiles(whole - 1, dtype=torch.bfloat16) == 1
    assert number_of_tiles(whole, self_ensemble=True) > 1
    assert number_of_tiles(0) == 3 * 5


def test_no_tensor_has_more_numbers_than_32_bits_count(lq, monkeypatch):
    monkeypatch.setattr("esrgan.inference.upscaler.INT32_MAX", 90 * 150 * 3 - 1)
    calls = []
    Upscaler(Limited(10**9))(lq, progress=calls.append)
    assert len(calls) > 1


LARGE = """
import sys, numpy as np
from pathlib import Path
from esrgan.inference import Upscaler
from esrgan.networks import RRDBNet

def mib(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key + ":")) >> 10

upscaler = Upscaler(RRDBNet(num_features=16, num_blocks=1, growth_channels=8))
pixels = np.full((8, 8, 3), 128, np.uint8)
upscaler(pixels)
before = mib("VmRSS")
sr = upscaler(np.full((2500, 2500, 3), 128, np.uint8))
assert sr.shape == (10000, 10000, 3)
print(mib("VmHWM") - before)
"""


@pytest.mark.soak
def test_100_megapixels_take_less_than_2_gib():
    done = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 286 < int(done.stdout) < 2048  # the result alone has 286
