"""Metrics on whole images, and benchmarks that name their protocol."""

from esrgan.evaluation.benchmark import (
    BenchmarkResult,
    Comparison,
    Method,
    Metric,
    Pairs,
    Score,
    compare,
)
from esrgan.evaluation.color import rgb_to_y
from esrgan.evaluation.color_drift import color_drift
from esrgan.evaluation.layout import (
    benchmark_folders,
    benchmark_name,
    find_methods,
    match_outputs,
)
from esrgan.evaluation.plot import Panel, plot_panels
from esrgan.evaluation.protocol import describe_protocol, recognise_bicubic, standard_metrics
from esrgan.evaluation.psnr import psnr_rgb, psnr_y
from esrgan.evaluation.report import as_json, as_markdown
from esrgan.evaluation.sheet import (
    SheetRow,
    comparison_row,
    comparison_sheet,
    most_different_window,
)
from esrgan.evaluation.ssim import ssim_rgb, ssim_y

__all__ = [
    "BenchmarkResult",
    "Comparison",
    "Method",
    "Metric",
    "Pairs",
    "Panel",
    "Score",
    "SheetRow",
    "as_json",
    "as_markdown",
    "benchmark_folders",
    "benchmark_name",
    "color_drift",
    "compare",
    "comparison_row",
    "comparison_sheet",
    "describe_protocol",
    "find_methods",
    "match_outputs",
    "most_different_window",
    "plot_panels",
    "psnr_rgb",
    "psnr_y",
    "recognise_bicubic",
    "rgb_to_y",
    "ssim_rgb",
    "ssim_y",
    "standard_metrics",
]
