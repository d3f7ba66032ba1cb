"""How the validations of a run go: what has become worse, in plain words."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from esrgan.training.validation import Metric

# Where figures are given, they are of Set5, baboon and comic at x4, against their ground truths.

# GAN stages trade PSNR for detail: Real-ESRGAN's costs 1.8 dB on Set5 (28.03 to 26.22 in MMagic's
# runs). More than twice that is no trade any more.
_FALL_OF_PSNR = 4.0
# The images stay the same, so that only the network moves these. Shares, because their size depends
# on the degradation; NIQE also jumps for fine noise, with which GANs begin: hence twice as much.
_RISE_OF_DISTANCE = 0.1
_RISE_OF_NIQE = 0.2
# Of 255 levels. Bicubic is off by 0.3 at most, even a Gaussian blur of sigma 6 by 1.3 to 2.7.
_COLOUR_LEVELS = 2.0
# Bicubic and that blur move it by 0.3 at most; noise that is cut off at black lifts it by up to 6.
_BRIGHTNESS_LEVELS = 2.0
# Bicubic keeps 0.84 to 0.99 of the contrast, that blur 0.79 on average, one grey value 0.02.
_LEAST_CONTRAST = 0.5

_SLOWER = "lower training.optimizer.lr"
_STOP = f"Stop the run, and start another: {_SLOWER}, or set training.guard.clip_norm=1"


class _Rule(NamedTuple):
    """What is said where one of the metrics, now and then, breaks a rule."""

    name: str
    metrics: tuple[str, ...]
    is_broken: Callable[[float, float], bool]
    words: str


_COLLAPSES = (
    _Rule(
        "collapse",
        ("PSNR-Y", "PSNR-RGB"),
        lambda now, then: then - now > _FALL_OF_PSNR,
        f"the network is collapsing. {_STOP}",
    ),
    _Rule(
        "flat images",
        ("CONTRAST",),
        lambda now, then: now < _LEAST_CONTRAST * then,
        f"the images are becoming flat or grey. {_STOP}",
    ),
)
"""Then is the best so far: a run that had got better may collapse as any other."""

_DECLINES = (
    _Rule(
        "further from the truth",
        ("LPIPS", "LPIPS-VGG", "DISTS"),
        lambda now, then: now > (1 + _RISE_OF_DISTANCE) * then,
        "to the eye, the images are getting worse. If this lasts, keep the best checkpoint: "
        f"{_SLOWER}, train for a shorter time, or degrade no more than your images are degraded",
    ),
    _Rule(
        "less natural",
        ("NIQE",),
        lambda now, then: now > (1 + _RISE_OF_NIQE) * then,
        "the images are getting less natural: look at them for artefacts. If this lasts, lower "
        f"training.losses.adversarial.weight, or {_SLOWER}",
    ),
    _Rule(
        "colours",
        ("COLOR-DRIFT",),
        lambda now, then: now > then + _COLOUR_LEVELS,
        f"the colours of large areas are drifting off. If this lasts, {_SLOWER}, or raise "
        "training.losses.pixel.weight",
    ),
    _Rule(
        "brightness",
        ("BRIGHTNESS",),
        lambda now, then: abs(now - then) > _BRIGHTNESS_LEVELS and abs(now) > abs(then),
        "the images are getting too bright (above 0) or too dark. Noise that is cut off at black "
        f"teaches it: weaken the noise of the degradations, {_SLOWER}, or raise "
        "training.losses.pixel.weight",
    ),
)
"""Then is the start, where the run was validated, else the best so far."""


class Course:
    """Remembers the validation before the first iteration, if there was one, and the best ones."""

    def __init__(self) -> None:
        self.start: dict[str, float] = {}
        self.best: dict[str, tuple[int, float]] = {}
        """Iteration and value, by the names of the metrics."""

    def take_in(self, iteration: int, scores: Mapping[Metric, float]) -> dict[str, str]:
        """What a validation says, compared with earlier ones: in words, by a short name."""
        warnings = self._judge({metric.name: value for metric, value in scores.items()})
        for metric, value in scores.items():
            name = metric.name
            if math.isnan(value):
                continue
            if iteration == 0:
                self.start[name] = value
            if name not in self.best or metric.is_better(value, self.best[name][1]):
                self.best[name] = iteration, value
        return warnings

    def _judge(self, now: Mapping[str, float]) -> dict[str, str]:
        warnings = _broken(_COLLAPSES, now, self.best)
        if not warnings:  # else it explains all the rest
            start = {name: (0, value) for name, value in self.start.items()}
            warnings = _broken(_DECLINES, now, self.best | start)
        for name in [name for name in now if math.isnan(now[name])]:
            warnings[f"no {name}"] = (
                f"{name} cannot be measured: too little is left in the images. {_STOP}"
            )
        return warnings

    def state_dict(self) -> dict[str, Any]:
        return {"start": self.start, "best": self.best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.start, self.best = dict(state["start"]), dict(state["best"])


def _broken(
    rules: Iterable[_Rule], now: Mapping[str, float], then: Mapping[str, tuple[int, float]]
) -> dict[str, str]:
    """Those that are broken, with the first metric that breaks them; `then` with its iteration."""
    words: dict[str, str] = {}
    for rule in rules:
        for name in [name for name in rule.metrics if name in now and name in then]:
            iteration, before = then[name]
            if rule.is_broken(now[name], before):
                when = f"at iteration {iteration}" if iteration else "at the start"
                figures = f"{name} is {now[name]:.4g}, and was {before:.4g} {when}"
                words.setdefault(rule.name, f"{figures}: {rule.words}")
    return words
