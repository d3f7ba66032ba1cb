"""Losses of the generator: callables `(sr, gt) -> scalar`, given their weights in the config."""

from esrgan.losses.weighted import WeightedLoss

__all__ = ["WeightedLoss"]
