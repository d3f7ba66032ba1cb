"""What is computed in float32 where the numbers come in half of it."""

import torch
from torch import Tensor


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """Half precisions lack the digits of integers, even of some with 8 bits, and of sums."""
    return torch.promote_types(dtype, torch.float32)


def precise(numbers: Tensor) -> Tensor:
    """In float32 at least."""
    return numbers.to(at_least_float32(numbers.dtype))
