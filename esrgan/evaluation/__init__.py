"""Metrics on whole images, and benchmarks that name their protocol."""

from esrgan.evaluation.benchmarks import BenchmarkResult, Comparison, Method, Score, compare
from esrgan.evaluation.full_reference import psnr_y, ssim_y
from esrgan.evaluation.metrics import METRICS, STANDARD, Metric, find_metric, open_metrics
from esrgan.evaluation.niqe import load_niqe_model, niqe

__all__ = [
    "METRICS",
    "STANDARD",
    "BenchmarkResult",
    "Comparison",
    "Method",
    "Metric",
    "Score",
    "compare",
    "find_metric",
    "load_niqe_model",
    "niqe",
    "open_metrics",
    "psnr_y",
    "ssim_y",
]
