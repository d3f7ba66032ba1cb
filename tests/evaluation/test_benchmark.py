import math

import numpy as np
import pytest

from esrgan.evaluation import BenchmarkResult, Score, compare


class TwoPairs:
    """The lq of the first is 0 and its gt 10, of the second 1 and 11."""

    def __len__(self):
        return 2

    def key(self, index):
        return "ab"[index]

    def read(self, index):
        return np.full((2, 2, 3), index, np.uint8), np.full((4, 4, 3), index + 10, np.uint8)


def enlarge(_key, lq):
    return lq.repeat(2, axis=0).repeat(2, axis=1)


def difference(sr, gt):
    return float((gt.astype(int) - sr).mean())


def test_every_method_is_scored_on_every_image_in_order():
    methods = {"plain": enlarge, "brighter": lambda key, lq: enlarge(key, lq) + 4}
    comparisons = list(compare(methods, TwoPairs(), {"difference": difference}))
    rows = [(s.image, s.method, s.values["difference"]) for c in comparisons for s in c.scores]
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
    scores = tuple(Score(image, method, {"PSNR": value}) for image, method, value in rows)
    result = BenchmarkResult("Set2", {}, scores)
    assert result.means() == {"x": {"PSNR": 35.0}, "y": {"PSNR": math.inf}}


def test_a_metric_without_reference_judges_the_results_and_the_ground_truth():
    level = lambda image: float(image.mean())  # noqa: E731
    comparisons = compare({"plain": enlarge}, TwoPairs(), {"it": difference}, {"level": level})
    first, second = (comparison.scores for comparison in comparisons)
    assert [(s.method, dict(s.values)) for s in first] == [
        ("plain", {"it": 10, "level": 0}),
        ("GT", {"level": 10}),
    ]
    assert [s.values["level"] for s in second] == [1, 11]


def test_what_a_method_lacks_on_an_image_has_no_mean():
    scores = (Score("a", "GT", {"NIQE": 3, "PI": 2}), Score("b", "GT", {"NIQE": 5}))
    assert BenchmarkResult("Set2", {}, scores).means() == {"GT": {"NIQE": 4}}


def test_an_error_names_the_method_and_the_image():
    def refuse(sr, gt):
        raise ValueError("too small")

    with pytest.raises(ValueError, match="plain on a: too small"):
        list(compare({"plain": enlarge}, TwoPairs(), {"it": refuse}))
    with pytest.raises(ValueError, match="GT on a: too small"):
        list(compare({}, TwoPairs(), {}, {"it": lambda image: refuse(image, image)}))
