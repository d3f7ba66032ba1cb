import json
import math

from esrgan.evaluation import BenchmarkResult, Score, as_json, as_markdown, describe_protocol

RESULT = BenchmarkResult(
    "Set2",
    describe_protocol(scale=4, crop=4, lq="files of LRbicx4"),
    (
        Score("a", "ours", {"PSNR-Y": 30.12345678, "SSIM-Y": 0.9}),
        Score("b", "ours", {"PSNR-Y": math.inf, "SSIM-Y": 1.0}),
    ),
)


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
    assert "| method | PSNR-Y | SSIM-Y |" in lines
    assert "| ours   |    inf | 0.9500 |" in lines
    assert "| a     | ours   | 30.123457 | 0.900000 |" in lines
    tables = [len(line) for line in lines if line.startswith("|")]
    assert len(set(tables)) == 2


def test_both_name_the_protocol():
    data, text = json.dumps(as_json([RESULT])), as_markdown([RESULT])
    for words in ("4 pixels left out", "65.481 R", "files of LRbicx4", "sigma 1.5", "rounded"):
        assert words in data
        assert words in text
