from pathlib import Path

import pytest

from esrgan.runs import RunFolder, RunRecord


@pytest.fixture
def new_run():
    """A run as if it had been read from a folder."""

    def make(name, *, train=(), validation=(), speed=(), **settings):
        settings = {"iterations": 250, "batch_size": 8, "validation_set": "data/Set5"} | settings
        return RunRecord(name, RunFolder(Path(name)), settings, train, validation, speed)

    return make
