import json
import math

import numpy as np
import pytest

from esrgan.evaluation import METRICS, BenchmarkResult, Score
from esrgan.evaluation.ma_scores import MaScores, perceptual_index, pirm_region

CSV = "\ufeffimage, method, score\nbaby, ours, 8.25\nbaby, GT, 9\n1, ours, 5\n"


@pytest.fixture
def scores(tmp_path):
    def read(text):
        path = tmp_path / "ma.txt"
        path.write_text(text, encoding="utf-8")
        return MaScores(path)

    return read


def test_a_table_and_a_list_of_objects_are_read_alike(scores):
    rows = [("baby", "ours", 8.25), ("baby", "GT", 9), (1, "ours", "5")]
    objects = [dict(zip(("image", "method", "score"), row, strict=True)) for row in rows]
    for text in (CSV, json.dumps(objects)):
        found = scores(text)
        assert found.find("Set5", "baby", "ours") == 8.25
        assert found.find("Set5", "baby", "GT") == 9
        assert found.find("BSD100", "1", "ours") == 5
        assert found.find("Set5", "bird", "ours") is None


def test_a_row_for_one_benchmark_counts_there_only_and_before_others(scores):
    found = scores("benchmark,image,method,score\nA,x,m,0\n,x,m,10\nA,y,m,3\n")
    assert [found.find(b, "x", "m") for b in "AB"] == [0, 10]
    assert found.find("B", "y", "m") is None


def test_what_is_missing_is_named(scores):
    found = scores(CSV)
    found.check("Set5", ["baby"], ["ours", "GT"])
    with pytest.raises(ValueError, match=r"ma\.txt has no score of theirs on baby \(Set5\)"):
        found.check("Set5", ["baby"], ["ours", "theirs"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,method\nbaby,ours\n", "entry 1: needs image, method, score"),
        ("image,method,score\na,m,1\nb,m,high\n", "entry 2: needs"),
        ("image,method,score\na,m\n", "entry 1: needs"),
        ("image,method,score\na,m,-1\n", "from 0 to 10.*is -1 for m on a"),
        ("image,method,score\na,m,10.5\n", "from 0 to 10"),
        ("image,method,score\na,m,nan\n", "from 0 to 10"),
        ("image,method,score\na,m,1\na,m,2\n", "entry 2: one score"),
        ('[{"image": "a"}]', "entry 1: needs"),
        ('{"a": 1}', "must be a list of objects"),
        ("[1]", "must be a list of objects"),
        ("[", "is broken"),
    ],
)
def test_files_that_cannot_be_used_are_refused(scores, text, message):
    with pytest.raises(ValueError, match=message):
        scores(text)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "ma.mat"
    path.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(ValueError, match=r"ma\.mat must be CSV or JSON"):
        MaScores(path)


def test_the_mean_over_images_is_the_root_of_the_mean_square():
    rmse, niqe = METRICS["RMSE-Y"], METRICS["NIQE"]
    scores = tuple(Score(name, "x", {rmse: v, niqe: v}) for name, v in [("a", 1), ("b", 7)])
    assert BenchmarkResult("Set2", {}, scores).means() == {"x": {rmse: 5, niqe: 4}}


def test_the_perceptual_index_is_that_of_the_challenge():
    assert perceptual_index(ma=8, niqe=3) == 2.5
    # Linear: of the means as of the images
    ma, niqe = [8.1, 6.4], [3.2, 5.5]
    single = [perceptual_index(ma=m, niqe=n) for m, n in zip(ma, niqe, strict=True)]
    assert perceptual_index(ma=np.mean(ma), niqe=np.mean(niqe)) == pytest.approx(np.mean(single))


@pytest.mark.parametrize(
    ("region", "published"),  # of the challenge's ranking, and figure 2 of the ESRGAN paper
    [
        ("R1", [10.87, 11.16, 11.19, 11.37, 11.44, 11.47, 11.50]),
        ("R2", [12.23, 12.40, 12.45, 12.50]),
        ("R3", [13.17, 14.24, 15.15, 15.30, 15.95, 15.99]),
        (None, [16.01, 24.586, math.inf]),
    ],
)
def test_methods_are_in_the_regions_in_which_they_were_ranked(region, published):
    assert {pirm_region(rmse) for rmse in published} == {region}
