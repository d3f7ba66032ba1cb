"""Checks data sets: every file, key, size and value, against what was written."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from esrgan.command_line import report_errors
from esrgan.data import find_problems


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Exit code: 0 if all is as written, 1 if not."
    )
    parser.add_argument("datasets", nargs="+", type=Path, metavar="DATASET", help="data/NAME")
    folders = parser.parse_args().datasets
    num_bad = sum([count_problems(folder) > 0 for folder in folders])
    return 1 if num_bad else 0


def count_problems(folder: Path) -> int:
    """Prints a line per problem."""
    num_problems = 0
    with tqdm(unit=" pairs", desc=str(folder), delay=0.2) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        for problem in find_problems(folder, progress=show):
            tqdm.write(f"{folder}: {problem}")
            num_problems += 1
    print(f"{folder}: {f'{num_problems} problems' if num_problems else 'sound'}")
    return num_problems


if __name__ == "__main__":
    sys.exit(report_errors(main))
