import json
import math

from esrgan.evaluation import METRICS, STANDARD, BenchmarkResult, Score
from esrgan.evaluation.metrics import describe_protocol
from esrgan.reports.tables import as_json, as_markdown, best_methods

PSNR_Y, SSIM_Y, NIQE, LPIPS = (METRICS[n] for n in ("PSNR-Y", "SSIM-Y", "NIQE", "LPIPS"))
PROTOCOL = describe_protocol(
    [METRICS[name] for name in STANDARD], scale=4, crop=4, lq="files of LRbicx4"
)
MEANS = {
    "a": {PSNR_Y: 30.00001, NIQE: 4.0, LPIPS: 0.2},
    "b": {PSNR_Y: 30.00002, NIQE: 5.0, LPIPS: 0.1},
    "GT": {NIQE: 3.0},
}
RESULT = BenchmarkResult(
    "Set2",
    PROTOCOL,
    (
        Score("a", "ours", {PSNR_Y: 30.12345678, SSIM_Y: 0.9}),
        Score("b", "ours", {PSNR_Y: math.inf, SSIM_Y: 1.0}),
    ),
)


def several(name, lq="files"):
    rows = [("ours", 31.0, 4.0), ("theirs", 30.0, 3.0), ("ours too", 31.00001, 5.0)]
    scores = [Score("a", method, {PSNR_Y: p, NIQE: n}) for method, p, n in rows]
    protocol = {"scale": "x4", "low-resolution images": lq}
    return BenchmarkResult(name, protocol, (*scores, Score("a", "GT", {NIQE: 2.0})))


def test_the_json_is_valid_where_a_psnr_is_infinite_and_keeps_full_precision():
    text = json.dumps(as_json([RESULT]), allow_nan=False)
    (benchmark,) = json.loads(text)["benchmarks"]
    assert benchmark["means"] == {"ours": {"PSNR-Y": "inf", "SSIM-Y": 0.95}}
    assert benchmark["images"][0] == {
        "image": "a",
        "method": "ours",
        "PSNR-Y": 30.12345678,
        "SSIM-Y": 0.9,
    }
    assert float(benchmark["images"][1]["PSNR-Y"]) == math.inf


def test_the_markdown_has_aligned_tables_of_means_and_of_images():
    lines = as_markdown([RESULT]).splitlines()
    assert "## Set2 (2 images)" in lines
    assert "| method | PSNR-Y ↑ | SSIM-Y ↑ |" in lines
    assert "| ours   |      inf |   0.9500 |" in lines
    assert "| a     | ours   | 30.123457 | 0.900000 |" in lines
    tables = [len(line) for line in lines if line.startswith("|")]
    assert len(set(tables)) == 2


def test_the_values_of_the_images_can_be_left_out():
    lines = as_markdown([RESULT], per_image=False).splitlines()
    assert "| ours   |      inf |   0.9500 |" in lines
    assert not [line for line in lines if line.startswith("| a ")]


def test_the_best_are_in_bold_and_what_was_not_measured_is_empty():
    lines = as_markdown([several("Set1")], per_image=False).splitlines()
    assert "## Set1 (1 image)" in lines
    assert lines[4:8] == [
        "| ours     | **31.0000** |     4.0000 |",
        "| theirs   |     30.0000 | **3.0000** |",
        "| ours too | **31.0000** |     5.0000 |",
        "| GT       |             |     2.0000 |",
    ]


def test_several_benchmarks_are_put_side_by_side():
    text = as_markdown([several("One"), several("Two")], per_image=False)
    lines = text[text.index("## All benchmarks") :].splitlines()
    assert lines[2] == "| metric   | method   |         One |         Two |"
    assert lines[4] == "| PSNR-Y ↑ | ours     | **31.0000** | **31.0000** |"
    assert lines[9] == "| NIQE ↓   | ours too |      5.0000 |      5.0000 |"
    assert len([line for line in lines if "| GT " in line]) == 1
    assert "## All" not in as_markdown([several("One")])


def test_the_protocol_is_written_once_and_what_differs_for_each_benchmark():
    lines = as_markdown([several("One", "these"), several("Two", "those")]).splitlines()
    assert lines[-3:] == [
        "- scale: x4",
        "- low-resolution images, One: these",
        "- low-resolution images, Two: those",
    ]


def test_a_line_of_the_protocol_that_one_benchmark_alone_has_is_written():
    second = BenchmarkResult("Two", {"region": "R1"}, several("Two").scores)
    assert "- region, Two: R1" in as_markdown([several("One"), second]).splitlines()


def test_both_name_the_protocol():
    data, text = json.dumps(as_json([RESULT])), as_markdown([RESULT])
    for words in ("4 pixels left out", "65.481 R", "files of LRbicx4", "sigma 1.5", "rounded"):
        assert words in data
        assert words in text


def test_a_vertical_bar_in_a_name_does_not_end_a_cell():
    result = BenchmarkResult("S", {}, (Score("a", "x|y", {NIQE: 1}),))
    assert "| x\\|y   |" in as_markdown([result])


def test_the_best_is_the_largest_or_smallest_and_never_the_ground_truth():
    assert best_methods(MEANS, NIQE) == ["a"]
    assert best_methods(MEANS, LPIPS) == ["b"]


def test_the_best_may_lie_between_the_values_and_on_either_side_of_zero():
    shifts = {"a": 2.0, "b": -2.0, "c": 3.0, "d": -9.0}
    brightness = METRICS["BRIGHTNESS"]
    means = {method: {brightness: shift} for method, shift in shifts.items()}
    assert best_methods(means, brightness) == ["a", "b"]


def test_methods_that_a_table_shows_as_equal_are_the_best_together():
    assert best_methods(MEANS, PSNR_Y) == ["a", "b"]


def test_a_single_method_is_not_the_best_of_anything():
    assert not best_methods({"a": {NIQE: 4.0}, "GT": {NIQE: 3.0}}, NIQE)
