import logging
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from esrgan.errors import report_errors


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Hydra leaves a handler behind, which writes to what was stdout in the test that called it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers).difference(handlers):
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of real images and published files that some tests compare against."""
    folder = os.environ.get("ESRGAN_REFERENCE_DATA")
    if not folder:
        pytest.skip("ESRGAN_REFERENCE_DATA is not set: it names the folder of reference images")
    return Path(folder)


@pytest.fixture
def call(monkeypatch, capsys):
    """Calls a command as from a shell: the script's name, its main function, the arguments.

    Returns its exit code and what it wrote to stdout and to stderr.
    """

    def call_main(name, main, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        code = report_errors(main)
        return code, *capsys.readouterr()

    return call_main


@pytest.fixture
def files_up_to():
    """The system refuses what would make a file longer, as a full disk does."""

    @contextmanager
    def limited(num_bytes: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited
