"""A command ends as it should, whoever has stopped reading what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMAND = """
import sys
from esrgan.errors import report_errors

def talk():
    for _ in range(9):
        print("x" * 10_000)
        sys.stderr.write("y" * 10_000)
    return 3

sys.exit(report_errors(talk))
"""


def ended(*words, **streams):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *words], env=environment, check=False, **streams)
    return done.returncode


@pytest.fixture
def unread():
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize("options", [[], ["-u"]], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    ("gone", "other"), [("stdout", "stderr"), ("stderr", "stdout")], ids=["stdout", "stderr"]
)
def test_a_stream_that_nobody_reads_stops_nothing(unread, tmp_path, options, gone, other):
    with (tmp_path / other).open("wb") as file:
        assert ended(*options, "-c", COMMAND, **{gone: unread, other: file}) == 3
    expected = "y" * 90_000 if other == "stderr" else ("x" * 10_000 + "\n") * 9
    assert (tmp_path / other).read_text(encoding="utf-8") == expected


def test_nor_do_streams_that_were_closed_from_the_start():
    shell = f'exec "{sys.executable}" "$@" >&- 2>&-'
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", shell, "sh", "-c", COMMAND], env=environment, check=False)
    assert done.returncode == 3


def test_nor_does_the_list_of_commands_whose_reader_has_gone(unread, tmp_path):
    with (tmp_path / "stderr").open("wb") as file:
        assert ended("-m", "esrgan", stdout=unread, stderr=file) == 0
    assert (tmp_path / "stderr").read_bytes() == b""


def test_what_else_is_refused_on_writing_is_said(tmp_path):
    """As on a full disk, where stdout goes to a file."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("the system has no /dev/full")
    with (tmp_path / "stderr").open("wb") as file, full.open("wb") as device:
        assert ended("-u", "-c", COMMAND, stdout=device, stderr=file) == 2
    assert b"No space left on device" in (tmp_path / "stderr").read_bytes()
