"""What is measured: metrics by the names that they have in tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from esrgan import evaluation
from esrgan.data import Image
from esrgan.evaluation import (
    Comparison,
    MaScores,
    Metric,
    NoReferenceMetric,
    Score,
)
from esrgan.settings import suggestion
from scoring.benchmarks import Benchmark
from scoring.methods import naming_memory

STANDARD = ("PSNR-Y", "SSIM-Y", "PSNR-RGB", "SSIM-RGB")
LEARNED = ("LPIPS", "LPIPS-VGG", "DISTS")
NAMES = (*STANDARD, "RMSE-Y", *LEARNED, "NIQE", "MA", "PI")


class Metrics(NamedTuple):
    """What to measure, and `names` as they are reported: MA and PI follow from the others."""

    names: Sequence[str]
    full_reference: Mapping[str, Metric]
    no_reference: Mapping[str, NoReferenceMetric]
    ma_scores: MaScores | None

    def check(self, benchmark: Benchmark, methods: Iterable[str]) -> None:
        """Before the work: is there a score of Ma et al. for everything?"""
        if self.ma_scores:
            self.ma_scores.check(benchmark.name, benchmark.keys, methods)

    def complete(self, benchmark: str, comparison: Comparison) -> Comparison:
        """The comparison with MA and PI, in the order of `names`.

        Without a score of Ma et al. (it may be missing for the ground truth) it has neither.
        """
        scores = []
        for score in comparison.scores:
            values = dict(score.values)
            ma = self._ma(benchmark, score)
            if ma is not None:
                values["MA"] = ma
                if "NIQE" in values:
                    values["PI"] = evaluation.perceptual_index(ma=ma, niqe=values["NIQE"])
            ordered = {name: values[name] for name in self.names if name in values}
            if ordered:
                scores.append(replace(score, values=ordered))
        return replace(comparison, scores=tuple(scores))

    def _ma(self, benchmark: str, score: Score) -> float | None:
        if self.ma_scores is None:
            return None
        return self.ma_scores.find(benchmark, score.image, score.method)


def parse_names(asked: Sequence[str]) -> list[str]:
    """In any case of letters; without repetitions.

    Raises:
        ValueError: one is no metric.
    """
    names = [name.upper() for name in asked]
    for name, word in zip(names, asked, strict=True):
        if name not in NAMES:
            raise ValueError(f"--metrics: {word} is not a metric: {suggestion(name, NAMES)}")
    return list(dict.fromkeys(names))


def open_metrics(
    names: Sequence[str],
    *,
    crop: int,
    device: torch.device,
    niqe_model: Path,
    ma_scores: Path | None,
) -> Metrics:
    """Loads only what the names ask for.

    Args:
        names: as from `parse_names`.
        crop: pixels left out on each side.
        device: of the networks behind `LEARNED`.
        niqe_model: the file of NIQE's parameters.
        ma_scores: the file of scores for MA and PI.

    Raises:
        ValueError: a file or a network is missing or cannot be used.
    """
    makers: dict[str, Callable[[], Metric]] = {
        **{name: partial(_standard, name, crop) for name in STANDARD},
        "RMSE-Y": lambda: partial(evaluation.rmse_y, crop=crop),
        **{name: partial(_learned, name, crop, device) for name in LEARNED},
    }
    blind: dict[str, NoReferenceMetric] = {}
    if {"NIQE", "PI"} & set(names):
        model = evaluation.load_niqe_model(niqe_model)
        blind["NIQE"] = partial(evaluation.niqe, crop=crop, model=model)
    return Metrics(
        names,
        {name: makers[name]() for name in names if name in makers},
        blind,
        MaScores(ma_scores) if ma_scores else None,
    )


def describe_regions(means: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """In which region of PIRM a method is, where both of its measures are there."""
    described = {}
    for method, row in means.items():
        if {"PI", "RMSE-Y"} <= set(row):
            region = evaluation.pirm_region(row["RMSE-Y"])
            limit = f" (RMSE-Y at most {evaluation.REGIONS[region]:g})" if region else ""
            described[f"PIRM region of {method}"] = f"{region or 'none'}{limit}"
    return described


def _standard(name: str, crop: int) -> Metric:
    return evaluation.standard_metrics(crop=crop)[name]


def _learned(name: str, crop: int, device: torch.device) -> Metric:
    from esrgan.evaluation.learned import dists, lpips  # imports torchvision, which takes a second

    makers: dict[str, Callable[..., Metric]] = {
        "LPIPS": partial(lpips, backbone="alex"),
        "LPIPS-VGG": partial(lpips, backbone="vgg"),
        "DISTS": dists,
    }
    metric = makers[name](crop=crop, device=device)

    def measure(sr: Image, gt: Image) -> float:
        with naming_memory():
            return metric(sr, gt)

    return measure
