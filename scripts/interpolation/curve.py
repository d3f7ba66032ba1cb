"""PSNR along the way from one network to the other."""

import sys
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from esrgan.data import FolderPairs
from esrgan.evaluation import Panel, compare, psnr_y
from esrgan.weights import Generator
from interpolation.between import mix_images, network_output


class Point(NamedTuple):
    """PSNR-Y in dB at one alpha, mean over the images."""

    alpha: float
    network: float
    image: float


def measure(a: Generator, b: Generator, pairs: FolderPairs, *, steps: int) -> list[Point]:
    """Both interpolations at `steps` + 1 places; `scale` pixels are left out at each border."""
    alphas = [step / steps for step in range(steps + 1)]
    metric = partial(psnr_y, crop=a.scale)
    networks = {
        f"alpha {alpha:g}": lambda _key, lq, alpha=alpha: network_output(a, b, alpha, lq)
        for alpha in alphas
    }
    by_network, by_image = [], []
    for comparison in compare(networks, pairs, {"PSNR-Y": metric}):
        print(comparison.key, file=sys.stderr)
        sr_a, *_, sr_b = comparison.outputs.values()
        by_network.append([score.values["PSNR-Y"] for score in comparison.scores])
        by_image.append([metric(mix_images(sr_a, sr_b, alpha), comparison.gt) for alpha in alphas])
    means = np.mean([by_network, by_image], axis=1)
    return [Point(*values) for values in zip(alphas, *means.tolist(), strict=True)]


def as_markdown(points: Sequence[Point]) -> str:
    rows = [f"| {p.alpha:<5g} | {p.network:21.4f} | {p.image:19.4f} |" for p in points]
    header = "| alpha | network interpolation | image interpolation |"
    return "\n".join([header, "| ----- | --------------------: | ------------------: |", *rows])


def as_panel(points: Sequence[Point], *, title: str) -> Panel:
    return Panel(
        title=title,
        x_label="alpha",
        y_label="PSNR-Y in dB",
        curves={
            "network interpolation": [(p.alpha, p.network) for p in points],
            "image interpolation": [(p.alpha, p.image) for p in points],
        },
    )
