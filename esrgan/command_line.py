"""What the commands share: how they end, and the list of experiments."""

import sys
from collections.abc import Callable
from pathlib import Path

FAILED = 2
STOPPED = 75  # "try again": what a scheduler expects of a job that can be continued
INTERRUPTED = 130


def report_errors(command: Callable[[], int | None]) -> int:
    """Run a command and return its exit code; what a user can mend becomes a line on stderr."""
    try:
        return command() or 0
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return FAILED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {place}{error.strerror or error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED


def list_experiments(folder: Path) -> str:
    """The experiments of a folder, each with the lines that stand on top of its file."""
    entries = []
    for path in sorted(folder.rglob("*.yaml")):
        comments = [line[2:] for line in path.read_text().splitlines() if line.startswith("# ")]
        about = [f"    {line}" for line in comments if not line.startswith("@package")]
        entries.append("\n".join([str(path.relative_to(folder).with_suffix("")), *about]))
    return "\n".join(entries)
