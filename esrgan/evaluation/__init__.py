"""Metrics on whole images, and benchmarks that name their protocol."""

from esrgan.evaluation.benchmarks import BenchmarkResult as BenchmarkResult
from esrgan.evaluation.benchmarks import Comparison as Comparison
from esrgan.evaluation.benchmarks import Method as Method
from esrgan.evaluation.benchmarks import Score as Score
from esrgan.evaluation.benchmarks import compare as compare
from esrgan.evaluation.full_reference import psnr_y as psnr_y
from esrgan.evaluation.full_reference import ssim_y as ssim_y
from esrgan.evaluation.metrics import METRICS as METRICS
from esrgan.evaluation.metrics import STANDARD as STANDARD
from esrgan.evaluation.metrics import Metric as Metric
from esrgan.evaluation.metrics import border_of as border_of
from esrgan.evaluation.metrics import find_metric as find_metric
from esrgan.evaluation.metrics import open_metrics as open_metrics
from esrgan.evaluation.niqe import load_niqe_model as load_niqe_model
from esrgan.evaluation.niqe import niqe as niqe
