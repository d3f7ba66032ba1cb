"""Weights of SRVGGNetCompact by the formula that golden outputs were computed with."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch


def formula_weights(
    shapes: Mapping[str, Sequence[int]], *, first: int = 0
) -> dict[str, torch.Tensor]:
    """Entry t of the published keys is drawn by Philox with the key `first` + t."""
    weights = {}
    for number, (name, shape) in enumerate(shapes.items(), start=first):
        raw = np.random.Philox(key=number).random_raw(int(np.prod(shape)))
        u = 2 * ((raw >> np.uint64(11)) * 2.0**-53) - 1
        if len(shape) == 4:
            values = u * np.sqrt(6 / (1.0625 * 9 * shape[1]))
        else:
            values = 0.02 * u if name.endswith("bias") else 0.25 + 0.1 * u
        weights[name] = torch.from_numpy(values.astype(np.float32).reshape(shape))
    return weights


def published_shapes(*, num_features: int, num_convs: int, scale: int) -> dict[str, list[int]]:
    """Keys and shapes with slopes: convolutions stand at even numbers, slopes between them."""
    shapes: dict[str, list[int]] = {}
    inputs = 3
    for place in range(0, 2 * num_convs + 1, 2):
        shapes[f"body.{place}.weight"] = [num_features, inputs, 3, 3]
        shapes[f"body.{place}.bias"] = [num_features]
        shapes[f"body.{place + 1}.weight"] = [num_features]
        inputs = num_features
    last = 2 * num_convs + 2
    shapes[f"body.{last}.weight"] = [3 * scale**2, num_features, 3, 3]
    shapes[f"body.{last}.bias"] = [3 * scale**2]
    return shapes
