"""The command itself; what it trains is tested in tests/end_to_end."""

import sys

import pytest

from esrgan.__main__ import main as esrgan_main
from esrgan.commands import train


@pytest.mark.parametrize(
    ("main", "command_line"),
    [
        (train.main, ["/somewhere/train.py", "experiment=quickstart"]),
        (esrgan_main, ["/somewhere/esrgan", "train", "experiment=quickstart"]),
    ],
)
def test_lightning_finds_the_command_that_was_given(main, command_line, monkeypatch):
    """It starts the processes of other GPUs by `sys.argv`."""
    seen = []
    monkeypatch.setattr(train, "train", lambda cfg: seen.append([cfg.name, *sys.argv]) or 0)
    monkeypatch.setattr(sys, "argv", command_line)
    assert main() == 0
    assert seen == [["quickstart", *command_line]]
