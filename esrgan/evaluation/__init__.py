"""Metrics on whole images, and benchmarks that name their protocol."""

from esrgan.evaluation.benchmarks import BenchmarkResult, Comparison, Method, Score, compare
from esrgan.evaluation.definition import Measure, Metric, Resources, plain
from esrgan.evaluation.full_reference import (
    color_drift,
    psnr_rgb,
    psnr_y,
    rgb_to_y,
    rmse_y,
    rounded_y,
    ssim_rgb,
    ssim_y,
)
from esrgan.evaluation.metrics import METRICS, STANDARD, find_metric, open_metrics
from esrgan.evaluation.niqe import load_niqe_model, niqe

__all__ = [
    "METRICS",
    "STANDARD",
    "BenchmarkResult",
    "Comparison",
    "Measure",
    "Method",
    "Metric",
    "Resources",
    "Score",
    "color_drift",
    "compare",
    "find_metric",
    "load_niqe_model",
    "niqe",
    "open_metrics",
    "plain",
    "psnr_rgb",
    "psnr_y",
    "rgb_to_y",
    "rmse_y",
    "rounded_y",
    "ssim_rgb",
    "ssim_y",
]
