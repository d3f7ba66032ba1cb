"""Checks data sets: every file, key, size and value, against what was written."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from esrgan.data.check import find_problems, lq_of
from esrgan.errors import report_errors


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Which data sets."""

    folders: tuple[Path, ...]


def main(argv: Sequence[str] | None = None) -> int:
    return report_errors(lambda: _run(parse_arguments(argv)))


def parse_arguments(argv: Sequence[str] | None) -> Arguments:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Exit code: 0 if all is as written, 1 if not."
    )
    parser.add_argument("datasets", nargs="+", type=Path, metavar="DATASET", help="data/NAME")
    return Arguments(folders=tuple(parser.parse_args(argv).datasets))


def _run(arguments: Arguments) -> int:
    return 1 if sum(map(_print_problems, arguments.folders)) else 0


def _print_problems(folder: Path) -> int:
    """Writes a line per problem, and returns how many there are."""
    num_problems = 0
    with tqdm(unit=" records", desc=str(folder), delay=0.2) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        lq = lq_of(folder)
        for problem in find_problems(folder, lq=lq, progress=show):
            tqdm.write(f"{folder}: {problem}")
            num_problems += 1
    sound = "sound" if lq else "sound (ground truths only)"
    sys.stdout.write(f"{folder}: {f'{num_problems} problems' if num_problems else sound}\n")
    return num_problems
