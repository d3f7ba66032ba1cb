"""The full counts of what `make test` does a few times; ESRGAN_SOAK=0.01 does a hundredth."""

import os
from collections.abc import Callable

import pytest

# What trainings of seconds are made of
from tests.end_to_end.conftest import (  # noqa: F401
    blind_settings,
    finished,
    finished_blind,
    finished_gan,
    gan_settings,
    server,
    sets,
    settings,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "soak" in item.path.parts:
            item.add_marker("soak")


@pytest.fixture(scope="session")
def share_of() -> Callable[[int], int]:
    """How many of a full count are to be done: at least one."""
    factor = float(os.environ.get("ESRGAN_SOAK", "1"))
    return lambda full: max(1, round(full * factor))
