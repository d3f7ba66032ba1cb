"""Muon (https://kellerjordan.github.io/posts/muon/), with Adam for what it is not made for.

Nothing imports this module but `optimizer=muon`: the package of the optimizer is an extra.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytorch_optimizer
import torch
from pytorch_optimizer.optimizer.utils.matrix import zero_power_via_newton_schulz_5
from torch import Tensor
from torch.nn import Parameter


class Muon(pytorch_optimizer.Muon):
    """Makes the singular values of each hidden weight's update alike, and Adam does the rest.

    The kernel of a convolution is a matrix here, of its outputs by its inputs in all places. An
    update is 0.2 sqrt(its longer side) times the learning rate, as long as one of Adam's
    (arXiv:2502.16982, section 2.2), so that one rate does for both. Adam's are the biases, what
    normalises, and, as Muon's author advises, the first and the last layer.

    Args:
        params: of one network, from its input to its output.
        lr: of both.
        momentum: of Muon, Nesterov's.
        betas: of Adam, as is its eps of 1e-8.
        weight_decay: of both, decoupled: a weight loses lr * weight_decay of itself per step.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> None:
        weights = list(params)
        hidden = [weight for weight in weights if weight.ndim > 1][1:-1]
        taken = {id(weight) for weight in hidden}
        others = [weight for weight in weights if id(weight) not in taken]
        super().__init__(
            [{"params": hidden, "use_muon": True}, {"params": others, "use_muon": False}],
            lr=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            use_adjusted_lr=True,
            adamw_lr=lr,
            adamw_betas=betas,
            adamw_wd=weight_decay,
            adamw_eps=1e-8,
        )

    @staticmethod
    def _orthogonalize(group: Mapping[str, Any], updates: Sequence[Tensor]) -> list[Tensor]:
        """In float32: bfloat16, the package's choice, takes processors without it 14 x as long.

        The updates have one shape, as matrices, up to transposition.
        """
        matrices = [update.flatten(1) for update in updates]
        stands = [matrix.size(0) > matrix.size(1) for matrix in matrices]
        lying = [m.mT if stand else m for m, stand in zip(matrices, stands, strict=True)]
        done = zero_power_via_newton_schulz_5(
            torch.stack(lying),
            num_steps=group["ns_steps"],
            weights=group["ns_coeffs"],
            dtype=torch.float32,
        )
        return [m.mT if stand else m for m, stand in zip(done, stands, strict=True)]
