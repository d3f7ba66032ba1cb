from pathlib import Path

import numpy as np
import pytest
import torch

import esrgan.reports.figure
from esrgan.data import FolderPairs, write_png
from esrgan.degradations import CONVENTIONS
from esrgan.evaluation import psnr_y, ssim_y
from esrgan.inference import upscale
from esrgan.networks import RRDBNet
from esrgan.reports.figure import Figure, draw_figure, header_lines
from esrgan.reports.sheet import comparison_sheet


@pytest.fixture
def networks():
    torch.manual_seed(0)
    size = {"num_features": 4, "num_blocks": 1, "growth_channels": 4}
    return {name: RRDBNet(scale=4, **size) for name in "ab"}


@pytest.fixture
def figure(networks, new_run, tmp_path):
    """Three runs, the last without weights, and an image."""
    rng = np.random.default_rng(0)
    image = np.full((48, 64, 3), 255, np.uint8)
    image[4:-4, 4:-4] = rng.integers(0, 99, (40, 56, 3))  # the border would weigh in if it counted
    write_png(tmp_path / "cat.png", image)
    return Figure(
        runs=[new_run("a", depth=1), new_run("b", depth=2), new_run("c", depth=3)],
        weights=dict.fromkeys(networks, Path("some.pth")),
        methods={
            name: lambda _key, lq, network=network: upscale(network, lq)
            for name, network in networks.items()
        },
        scale=4,
        pairs=FolderPairs(gt=tmp_path, scale=4, downscale=CONVENTIONS["double"]),
        origins=[],
        metrics=["PSNR-Y", "SSIM-Y"],
        crop_size=32,
        num_rows=1,
    )


def test_below_a_crop_stand_the_metrics_of_the_whole_image(figure, networks, monkeypatch):
    shown = {}

    def keep(rows, **options):
        shown.update(options, rows=rows)
        return comparison_sheet(rows, **options)

    monkeypatch.setattr(esrgan.reports.figure, "comparison_sheet", keep)
    draw_figure(figure)
    (row,) = shown["rows"]
    lq, gt = figure.pairs.read(0)
    expected = {"GT": "cat"}
    for name, network in networks.items():
        sr = upscale(network, lq)
        values = psnr_y(sr, gt, crop=4), ssim_y(sr, gt, crop=4)
        expected[name] = "PSNR-Y {:.2f}, SSIM-Y {:.4f}".format(*values)
    assert row.captions == expected
    assert {name: crop.shape for name, crop in row.crops.items()} == dict.fromkeys(
        ("GT", "a", "b"), (32, 32, 3)
    )
    assert shown["header"] == header_lines(figure.runs[:2])


def test_a_setting_is_marked_where_the_run_to_the_left_had_another(new_run):
    runs = [
        new_run("a", depth=16, gan="standard"),
        new_run("b", depth=23, gan="relativistic"),
        new_run("c", depth=16, gan="relativistic"),
    ]
    depth, gan = header_lines(runs)
    assert (depth.label, depth.texts) == ("depth", {"a": "16", "b": "23", "c": "16"})
    assert (set(depth.marked), set(gan.marked)) == ({"b", "c"}, {"b"})
    assert header_lines(runs[:1]) == []
