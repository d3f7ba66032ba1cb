from pathlib import Path

import pytest
import torch
from torch import nn
from weight_samples import lively

from esrgan.networks import RRDBNet, SRResNet


@pytest.fixture
def rrdb() -> RRDBNet:
    return lively(RRDBNet(num_features=4, num_blocks=2, growth_channels=2))


@pytest.fixture
def srresnet() -> SRResNet:
    return lively(SRResNet(num_features=4, num_blocks=2))


@pytest.fixture
def save(tmp_path: Path):
    """Write anything as torch does; gives the path."""

    def write(content: object, name: str = "weights.pth") -> Path:
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def assert_same_output():
    def check(first: nn.Module, second: nn.Module) -> None:
        lq = torch.rand(1, 3, 8, 8)
        with torch.no_grad():
            sr = second(lq)
            torch.testing.assert_close(first(lq), sr, rtol=0, atol=1e-5 * sr.abs().max().item())

    return check
