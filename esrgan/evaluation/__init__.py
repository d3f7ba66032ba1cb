"""Metrics on whole images, and benchmarks that name their protocol."""

from esrgan.evaluation.benchmark import (
    GROUND_TRUTH,
    BenchmarkResult,
    Comparison,
    Method,
    Metric,
    NoReferenceMetric,
    Pairs,
    Score,
    compare,
)
from esrgan.evaluation.color import rgb_to_y, rounded_y
from esrgan.evaluation.color_drift import color_drift
from esrgan.evaluation.crops import comparison_row, most_different_window, score_text
from esrgan.evaluation.layout import (
    benchmark_folders,
    benchmark_name,
    find_methods,
    match_outputs,
)
from esrgan.evaluation.ma_scores import MaScores
from esrgan.evaluation.metrics import METRICS, find_metric, open_metrics
from esrgan.evaluation.niqe import NiqeModel, load_niqe_model, niqe
from esrgan.evaluation.page import Page, open_page
from esrgan.evaluation.pirm import (
    REGIONS,
    perceptual_index,
    pirm_region,
    rmse_y,
    root_mean_square,
)
from esrgan.evaluation.protocol import describe_protocol, recognise_bicubic, standard_metrics
from esrgan.evaluation.psnr import psnr_rgb, psnr_y
from esrgan.evaluation.ranking import LOWER_IS_BETTER, best_methods
from esrgan.evaluation.report import as_json, as_markdown
from esrgan.evaluation.sheet import SheetRow, comparison_sheet
from esrgan.evaluation.ssim import ssim_rgb, ssim_y

__all__ = [
    "GROUND_TRUTH",
    "LOWER_IS_BETTER",
    "METRICS",
    "REGIONS",
    "BenchmarkResult",
    "Comparison",
    "MaScores",
    "Method",
    "Metric",
    "NiqeModel",
    "NoReferenceMetric",
    "Page",
    "Pairs",
    "Score",
    "SheetRow",
    "as_json",
    "as_markdown",
    "benchmark_folders",
    "benchmark_name",
    "best_methods",
    "color_drift",
    "compare",
    "comparison_row",
    "comparison_sheet",
    "describe_protocol",
    "find_methods",
    "find_metric",
    "load_niqe_model",
    "match_outputs",
    "most_different_window",
    "niqe",
    "open_metrics",
    "open_page",
    "perceptual_index",
    "pirm_region",
    "psnr_rgb",
    "psnr_y",
    "recognise_bicubic",
    "rgb_to_y",
    "rmse_y",
    "root_mean_square",
    "rounded_y",
    "score_text",
    "ssim_rgb",
    "ssim_y",
    "standard_metrics",
]
