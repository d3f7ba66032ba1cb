import math
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from esrgan.data import FolderPairs
from esrgan.degradations import resize_double
from esrgan.evaluation import BenchmarkResult, Metric, Score, compare, open_metrics
from esrgan.evaluation.benchmarks import (
    find_methods,
    match_outputs,
)
from esrgan.runs import RunFolder, write_checkpoint


def newest_weights(path):
    return RunFolder(path).newest_weights()


def named(name, needs_reference=True):
    return Metric(
        name=name,
        larger_is_better=True,
        digits=2,
        about="",
        load=lambda _: None,
        needs_reference=needs_reference,
    )


IT, LEVEL, PSNR = named("it"), named("level", needs_reference=False), named("PSNR")
NIQE, PI = named("NIQE", needs_reference=False), named("PI", needs_reference=False)


class TwoPairs:
    """The lq of the first is 0 and its gt 10, of the second 1 and 11."""

    def __len__(self):
        return 2

    def key(self, index):
        return "ab"[index]

    def read(self, index):
        return np.full((2, 2, 3), index, np.uint8), np.full((4, 4, 3), index + 10, np.uint8)

    def is_grey(self, index):
        return False


def enlarge(_key, lq):
    return lq.repeat(2, axis=0).repeat(2, axis=1)


def difference(sr, gt):
    return float((gt.astype(int) - sr).mean())


def test_every_method_is_scored_on_every_image_in_order():
    methods = {"plain": enlarge, "brighter": lambda key, lq: enlarge(key, lq) + 4}
    comparisons = list(compare(methods, TwoPairs(), {IT: difference}))
    rows = [(s.image, s.method, s.values[IT]) for c in comparisons for s in c.scores]
    assert rows == [
        ("a", "plain", 10),
        ("a", "brighter", 6),
        ("b", "plain", 10),
        ("b", "brighter", 6),
    ]
    assert comparisons[1].outputs["brighter"][0, 0, 0] == 5
    assert comparisons[1].lq.shape == (2, 2, 3)
    assert comparisons[1].gt.shape == (4, 4, 3)


def test_a_method_is_told_the_key_of_the_image():
    seen = []
    method = lambda key, lq: seen.append(key) or enlarge(key, lq)  # noqa: E731
    list(compare({"it": method}, TwoPairs(), {}))
    assert seen == ["a", "b"]


def test_the_mean_is_that_of_the_images_values_for_each_method():
    rows = [("a", "x", 30.0), ("a", "y", 1.0), ("b", "x", 40.0), ("b", "y", math.inf)]
    scores = tuple(Score(image, method, {PSNR: value}) for image, method, value in rows)
    result = BenchmarkResult("Set2", {}, scores)
    assert result.means() == {"x": {PSNR: 35.0}, "y": {PSNR: math.inf}}


def test_a_metric_without_reference_judges_the_results_and_the_ground_truth():
    level = lambda sr, _gt: float(sr.mean())  # noqa: E731
    comparisons = compare({"plain": enlarge}, TwoPairs(), {IT: difference, LEVEL: level})
    first, second = (comparison.scores for comparison in comparisons)
    assert [(s.method, dict(s.values)) for s in first] == [
        ("plain", {IT: 10, LEVEL: 0}),
        ("GT", {LEVEL: 10}),
    ]
    assert [s.values[LEVEL] for s in second] == [1, 11]


def test_what_a_method_lacks_on_an_image_has_no_mean():
    scores = (Score("a", "GT", {NIQE: 3, PI: 2}), Score("b", "GT", {NIQE: 5}))
    assert BenchmarkResult("Set2", {}, scores).means() == {"GT": {NIQE: 4}}


def test_an_error_names_the_method_and_the_image():
    def refuse(sr, gt):
        raise ValueError("too small")

    with pytest.raises(ValueError, match="plain on a: too small"):
        list(compare({"plain": enlarge}, TwoPairs(), {IT: refuse}))
    with pytest.raises(ValueError, match="GT on a: too small"):
        list(compare({}, TwoPairs(), {LEVEL: refuse}))


@pytest.mark.parametrize("name", ["GT", "LQ"])
def test_no_method_may_have_the_name_of_an_image(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=f"would be called {name}, which names an image"):
        find_methods([str(tmp_path / name)], newest_weights)


@pytest.mark.parametrize("name", ["baby", "babyx4", "baby_x4", "baby_RCANplus_x4", "baby-SR"])
def test_results_are_found_under_the_names_that_others_give_them(name):
    file = Path(f"results/{name}.png")
    assert match_outputs([file, Path("results/babyface.png")], ["baby"], scale=4) == {"baby": file}


def test_a_file_belongs_to_the_longest_key_that_fits():
    files = [Path("img_1_x4.png"), Path("img_1_2_x4.png"), Path("img_10_x4.png")]
    matched = match_outputs(files, ["img_1", "img_1_2", "img_10"], scale=4)
    assert matched == {"img_1": files[0], "img_1_2": files[1], "img_10": files[2]}


def test_missing_and_ambiguous_results_are_refused_by_name():
    with pytest.raises(ValueError, match=r"found for bird \(none\), head \(none\)"):
        match_outputs([Path("r/baby.png")], ["baby", "bird", "head"], scale=4)
    with pytest.raises(ValueError, match=r"found for baby \(baby\.png, baby_x4\.png\)"):
        match_outputs([Path("r/baby.png"), Path("r/baby_x4.png")], ["baby"], scale=4)
    with pytest.raises(ValueError, match=r"named like IMAGE\.png or IMAGE_x2\.png"):
        match_outputs([], ["baby"], scale=2)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("baby_HR_x4", "baby_RCAN_x4"),
        ("baby_GT", "baby"),
        ("img_001_SRF_4_HR", "img_001_SRF_4_SelfExSR"),
    ],
)
def test_results_need_not_say_that_the_key_is_of_a_ground_truth(key, name):
    file = Path(f"results/{name}.png")
    assert match_outputs([file], [key], scale=4) == {key: file}


def test_a_run_stands_for_its_newest_weights_and_other_folders_for_themselves(tmp_path):
    run, results = tmp_path / "run", tmp_path / "results"
    results.mkdir()
    release = run / "net.pth"
    older, newer = (write_checkpoint(run / "checkpoints", number, {}) for number in (900, 1000))
    release.write_bytes(b"weights")
    for time, file in enumerate([newer, older, release]):  # as after copying: times say little
        os.utime(file, (time, time))
    words = ["bicubic", str(run), str(results)]
    assert find_methods(words, newest_weights) == {
        "bicubic": None,
        "run": release,
        "results": results,
    }
    release.unlink()
    assert find_methods([str(run), str(older)], newest_weights) == {"run": newer, older.stem: older}


def test_methods_that_are_not_there_or_share_a_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="nowhere must be"):
        find_methods(["nowhere"], newest_weights)
    (tmp_path / "net.pth").touch()
    (tmp_path / "net").mkdir()
    with pytest.raises(ValueError, match="would be called net"):
        find_methods([str(tmp_path / "net"), str(tmp_path / "net.pth")], newest_weights)


def test_files_of_one_channel_are_scored_as_they_are(tmp_path):
    """As RCAN's and BasicSR's code does, which converts to Y where there are three channels."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 246, (40, 48), dtype=np.uint8)
    (tmp_path / "gt").mkdir()
    cv2.imwrite(str(tmp_path / "gt" / "grey.png"), truth)
    cv2.imwrite(str(tmp_path / "gt" / "rgb.png"), truth[..., None].repeat(3, axis=2))
    pairs = FolderPairs(gt=tmp_path / "gt", scale=2, downscale=resize_double)
    assert [pairs.is_grey(index) for index in range(2)] == [True, False]
    result = truth[..., None].repeat(3, axis=2) + np.array([6, 7, 8], np.uint8)  # mean: 7 more
    metrics = open_metrics(["PSNR-Y", "PSNR-RGB", "SSIM-RGB", "RMSE-Y", "COLOR-DRIFT"], crop=0)
    first, second = compare({"it": lambda _key, _lq: result}, pairs, metrics)
    grey, rgb = ({m.name: v for m, v in c.scores[0].values.items()} for c in (first, second))
    assert grey["PSNR-Y"] == pytest.approx(20 * math.log10(255 / 7))
    assert grey["PSNR-RGB"] == pytest.approx(20 * math.log10(255 / 7))
    assert grey["RMSE-Y"] == pytest.approx(7)
    assert grey["COLOR-DRIFT"] == pytest.approx(7)
    y = (65.481 * 6 + 128.553 * 7 + 24.966 * 8) / 255
    assert rgb["PSNR-Y"] == pytest.approx(20 * math.log10(255 / y))
    assert rgb["PSNR-RGB"] == pytest.approx(10 * math.log10(255**2 / ((36 + 49 + 64) / 3)))
    assert grey["SSIM-RGB"] < 1


def test_an_own_metric_is_given_three_channels_of_a_grey_file():
    shapes = []
    own = replace(named("own"), load=lambda _: lambda sr, gt: shapes.append((sr.shape, gt.shape)))
    measure = open_metrics([own], crop=0)[own]
    measure(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5, 1), np.uint8))
    assert shapes == [((4, 5, 3), (4, 5, 3))]
