import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def golden(reference_data):
    """The numbers that the published code gave: a file's arrays by name."""

    def load(name: str) -> dict[str, np.ndarray]:
        with np.load(reference_data / "real_esrgan" / f"{name}.npz") as file:
            return {key: file[key] for key in file.files}

    return load


@pytest.fixture
def images():
    """Bytes (N, 3, H, W) as float32 in [0, 1]."""
    return lambda array: torch.from_numpy(array).float() / 255
