"""What is measured of networks that no formula is for, against tiles of a photograph."""

import numpy as np
import pytest
import torch
from skimage import data
from spandrel_samples import small

from esrgan.errors import NonFiniteOutputError
from esrgan.inference import Upscaler, measuring, upscale
from esrgan.inference.measuring import Surroundings, measure_memory, measure_surroundings
from esrgan.networks import SRVGGNetCompact


@pytest.fixture(scope="module")
def photograph():
    return data.astronaut()[100:213, 150:255]


def difference(network, picture, **options):
    """In levels, of a picture made in tiles from that made whole; and what was said."""
    said = []
    tiled = Upscaler(network, tile=40, say=said.append, **options)(picture)
    return np.abs(tiled.astype(int) - upscale(network, picture)).max(), said


@pytest.mark.parametrize("name", ["Compact", "SPAN", "SwinIR", "PLKSR", "RealPLKSR"])
def test_tiles_are_within_a_level_of_the_whole(name, photograph):
    off, said = difference(small(name), photograph)
    assert off <= 1
    assert said == ["tiles overlap by 16 pixels (measured)"]


def test_tiles_begin_where_windows_do(photograph):
    """Else SwinIR's windows lie elsewhere: what is at the end of a picture then differs widely."""
    network = small("SwinIR")
    found = measure_surroundings(network, scale=4)
    assert found.period == 8
    moved = Upscaler(network, tile=40)
    moved._footprint = moved._footprint._replace(overlap=found.overlap + 3, period=1)
    whole = upscale(network, photograph)
    assert np.abs(moved(photograph).astype(int) - whole).max() > 1


class Average(torch.nn.Module):
    """Adds a part of the mean of the whole picture."""

    scale = 1

    def __init__(self, part):
        super().__init__()
        self.part = torch.nn.Parameter(torch.tensor(part))

    def forward(self, lq):
        return 0.5 * lq + self.part * lq.mean(dim=(-2, -1), keepdim=True)


def test_a_mean_over_the_picture_is_found_and_one_that_changes_nothing_is_not():
    found = measure_surroundings(Average(0.5), scale=1)
    assert found.residue > 0.1
    assert "depends on the whole of a picture" in str(found)
    assert measure_surroundings(Average(1e-4), scale=1).residue == 0


def test_a_mean_is_found_whatever_the_windows_are():
    class Both(Average):
        def forward(self, lq):
            cells = torch.nn.functional.avg_pool2d(lq, 24, ceil_mode=True)
            large = cells.repeat_interleave(24, -1).repeat_interleave(24, -2)
            return super().forward(lq) / 4 + large[..., : lq.shape[-2], : lq.shape[-1]]

    found = measure_surroundings(Both(0.4), scale=1)
    assert (found.period, found.overlap % 24) == (24, 0)
    assert found.residue > 0.01


class Far(torch.nn.Module):
    """Each pixel is that of `away` pixels to the left and above."""

    scale = 1

    def __init__(self, away):
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(()))
        self.away = away

    def forward(self, lq):
        padded = torch.nn.functional.pad(lq, (self.away, 0, self.away, 0), mode="replicate")
        return self.one * padded[..., : lq.shape[-2], : lq.shape[-1]]


@pytest.mark.parametrize(("away", "overlap"), [(3, 16), (16, 16), (17, 24), (40, 48), (90, 96)])
def test_the_distance_of_a_shift_is_found(away, overlap):
    found = measure_surroundings(Far(away), scale=1)
    assert (found.overlap, found.residue) == (overlap, 0)


def test_what_looks_farther_than_is_measured_is_said_to_look_at_all():
    assert measure_surroundings(Far(120), scale=1).residue > 0


@pytest.mark.parametrize("period", [8, 12, 16])
def test_the_period_of_windows_is_found(period):
    class Windows(Far):
        def forward(self, lq):
            cells = torch.nn.functional.avg_pool2d(lq, period, ceil_mode=True)
            large = cells.repeat_interleave(period, -1).repeat_interleave(period, -2)
            return self.one * large[..., : lq.shape[-2], : lq.shape[-1]]

    assert measure_surroundings(Windows(0), scale=1).period == period


@pytest.mark.parametrize(
    ("residue", "free", "whole"), [(0.1, 34, True), (0.1, 24, False), (0, 34, False)]
)
def test_what_depends_on_a_whole_picture_is_made_whole_where_there_is_memory(
    photograph, monkeypatch, residue, free, whole
):
    """Not only in what tiles are to take, for the sake of time."""
    monkeypatch.setattr("esrgan.inference.upscaler.CPU_LIMIT", 1 << 24)
    monkeypatch.setattr("esrgan.inference.upscaler.free_memory", lambda: 1 << free)
    found = Surroundings(overlap=16, period=1, residue=residue)
    monkeypatch.setattr("esrgan.inference.upscaler.measure_surroundings", lambda *_, **__: found)
    said, made = [], []
    Upscaler(small("SPAN"), say=said.append)(photograph, progress=made.append)
    assert (len(made) == 1) == whole
    assert said == [str(found)]


def test_nothing_is_measured_of_a_picture_that_is_made_whole(photograph, monkeypatch):
    monkeypatch.setattr("esrgan.inference.upscaler.measure_surroundings", None)
    Upscaler(small("SwinIR"))(photograph)


def test_memory_is_that_of_tensors_that_live_at_once():
    class Chain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, lq):
            first = lq * self.weight  # 3 numbers for each pixel, and 3 of the input
            second = torch.cat([first] * 4, dim=1)  # 12, and the 6
            del first
            return second.sum(dim=1)  # 1

    assert measure_memory(Chain()) == pytest.approx(18, rel=0.01)


def test_a_network_that_has_diverged_is_said_to(photograph):
    network = small("SPAN")
    with torch.no_grad():
        network.network.conv_1.sk.bias.fill_(float("nan"))
    with pytest.raises(NonFiniteOutputError):
        measure_surroundings(network, scale=4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_numbers_that_a_network_does_not_stand_are_refused(dtype):
    """Of bfloat16, spandrel says that SwinIR stands it; its masks are float32."""
    with pytest.raises(ValueError, match=rf"does not compute in {dtype}"):
        Upscaler(small("SwinIR"), dtype=dtype)


def test_half_precision_is_measured_in_full(photograph):
    off, said = difference(small("SPAN"), photograph, dtype=torch.bfloat16)
    assert said == ["tiles overlap by 16 pixels (measured)"]
    assert off > 1  # of its rounding


def test_our_networks_are_not_measured(monkeypatch, photograph):
    monkeypatch.setattr(measuring, "measure_memory", None)
    Upscaler(SRVGGNetCompact(num_features=8, num_convs=1), tile=32)(photograph)
