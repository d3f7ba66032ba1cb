"""Trainings at scales 1, 2 and 3: killed on their way, and begun from weights of ×4."""

import csv

import cv2
import numpy as np
import pytest
from killing import kill_and_resume
from run_content import content

from esrgan.data import CODECS, Recipe, build_dataset, write_png
from esrgan.degradations import resize_double
from esrgan.networks import RRDBNet
from esrgan.weights import load_generator, save_release

MADE_JPEGS = {
    "scale": 1,
    "data": "blind_folder",
    "data.train.crop": 40,
    "degradations": "jpeg",
    "prepare": "degrade",
    "validation": "degraded",
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Noise to train on and to hold out, 50x56, with JPEGs of it."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for part, names in (("train", "abcd"), ("held_out", "xy")):
        for half in ("gt", "lq"):
            (folder / part / half).mkdir(parents=True)
        for name in names:
            small = rng.integers(0, 256, (10, 12, 3), np.uint8)
            image = cv2.resize(small, (56, 50), interpolation=cv2.INTER_CUBIC)
            write_png(folder / part / "gt" / f"{name}.png", image)
            jpeg = folder / part / "lq" / f"{name}.jpg"
            cv2.imwrite(str(jpeg), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 20])
    return folder


def settings_of(kind, base, photos, folder):
    """Settings of a short run of each kind, whose data are made where there are none."""
    held_out = photos / "held_out"
    if kind == "jpeg":
        sets = {"train_set": photos / "train" / "gt", "validation_set": held_out / "gt"}
        return base | MADE_JPEGS | sets | {"patch_size": 24}
    scale, clean = int(kind[1:]), [photos / "train" / "gt"]
    made = {"downscale": resize_double} if scale > 1 else {"downscale": None}
    damaged = [] if scale > 1 else [photos / "train" / "lq"]
    recipe = Recipe(scale=scale, codec=CODECS["raw"], **made)
    build_dataset(folder / "set", recipe, gt_folders=clean, lq_folders=damaged)
    # at x1, the folder has pairs; else the low-resolution images are made of its ground truths
    validation = held_out if scale == 1 else held_out / "gt"
    sets = {"train_set": folder / "set", "validation_set": validation}
    return base | sets | {"scale": scale, "patch_size": 24}


def luma(image):
    """MATLAB's rgb2ycbcr, of whole levels, not rounded."""
    return 16 + image.astype(float) @ (65.481, 128.553, 24.966) / 255


def psnr(sr, gt, border):
    height, width = gt.shape[:2]
    inside = np.s_[border : height - border, border : width - border]
    error = np.mean((luma(sr)[inside] - luma(gt)[inside]) ** 2)
    return 10 * np.log10(255**2 / error)


def baseline_by_hand(kind, photos):
    """PSNR-Y of what the network begins with: bicubic; of restorations, the damaged image."""
    scale, values = int(kind[1:]), []
    for path in sorted((photos / "held_out" / "gt").iterdir()):
        gt = cv2.imread(str(path))[..., ::-1]
        height, width = (side - side % scale for side in gt.shape[:2])
        gt = np.ascontiguousarray(gt[:height, :width])
        if scale == 1:
            jpeg = photos / "held_out" / "lq" / f"{path.stem}.jpg"
            values.append(psnr(cv2.imread(str(jpeg))[..., ::-1], gt, 0))
        else:
            sr = resize_double(resize_double(gt, 1 / scale), scale)
            values.append(psnr(sr, gt, scale))
    return np.mean(values)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) for kind in ("x1", "x2", "x3", "jpeg")]
)
def test_a_run_of_each_scale_that_is_killed_ends_as_one_that_is_not(
    server, settings, photos, tmp_path, kind
) -> None:
    settings = settings_of(kind, settings, photos, tmp_path)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole = server.start(tmp_path / "whole", settings)
    assert whole.wait() == 0, whole.stderr
    kill_and_resume(server, tmp_path / "killed", settings, num_kills=1)
    assert content(tmp_path / "killed/experiments/run") == content(whole.run)
    assert load_generator(whole.run / "run.pth").scale == settings["scale"]
    assert ("take its enlargement by 3 for one by 2" in whole.stdout) == (kind == "x3")
    if kind != "jpeg":
        with (whole.run / "val.csv").open() as file:
            first = next(csv.DictReader(file))
        expected = baseline_by_hand(kind, photos)
        assert float(first["bicubic_PSNR-Y"]) == pytest.approx(expected, abs=1e-6)


def test_weights_of_x4_start_a_restoration_which_says_what_it_took(
    server, settings, photos, tmp_path
):
    x4 = RRDBNet(num_features=8, num_blocks=1, growth_channels=4)
    save_release(tmp_path / "x4.pth", x4, metadata={})
    settings = settings_of("x1", settings, photos, tmp_path) | {
        "iterations": 11,
        "init_from": tmp_path / "x4.pth",
    }
    refused = server.start(tmp_path, settings)
    assert refused.wait() == 2
    assert "init_partial=true loads that part" in refused.stderr
    training = server.start(tmp_path, settings | {"init_partial": True})
    assert training.wait() == 0, training.stderr
    assert (
        "41 of the network's 42 tensors fit: conv_first 1, body 30, conv_body 2, conv_up1 2, "
        "conv_up2 2, conv_hr 2, conv_last 2\n"
        "1 of another shape: conv_first.weight (file 8x3x3x3, network 8x48x3x3)\n"
        "what is missing or of another shape (1) starts from random weights\n"
    ) in training.stdout
