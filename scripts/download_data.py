"""Fetches published data sets, benchmarks and weights, and puts them where the other commands look.

Whatever interrupts it, the same command continues where it was.

example: download_data.py div2k flickr2k
example: download_data.py set5 set14 --from ~/Downloads
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf
from tqdm import tqdm

from esrgan.command_line import INTERRUPTED, report_errors
from esrgan.downloads import Entry, Patience, Progress, install, megabytes, read_table

TABLE = Path(__file__).parent.parent / "configs/downloads.yaml"
PATIENCE = Patience()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="as --list shows them")
    add("--list", action="store_true", help="show what there is, its size and terms")
    add("--output", type=Path, default=Path("data"), metavar="FOLDER", help="default: data")
    add("--from", dest="by_hand", type=Path, metavar="FOLDER", help="of files fetched by hand")
    add("--keep-archive", action="store_true", help="archives stay in the output folder")
    arguments = parser.parse_args()
    if not (arguments.names or arguments.list):
        parser.error("give a NAME, or --list to see them")
    return arguments


def find(name: str, table: dict[str, Entry]) -> Entry:
    if name.lower() not in table:
        close = get_close_matches(name.lower(), table, n=1)
        fix = f"did you mean {close[0]}?" if close else "--list shows what there is"
        raise ValueError(f"{name} is not in {TABLE.name}: {fix}")
    return table[name.lower()]


@contextmanager
def show_bar(label: str, unit: str) -> Iterator[Progress]:
    with tqdm(desc=label, unit=unit, unit_scale=unit == "B", delay=0.2) as bar:

        def show(done: int, total: int | None) -> None:
            if not bar.n:  # what an earlier run has done says nothing about the speed
                bar.initial = done
            bar.total = total
            bar.update(done - bar.n)

        yield show


def fetch_one(entry: Entry, arguments: argparse.Namespace) -> None:
    target = arguments.output / entry.target
    if target.exists():
        print(f"{entry.name} is here already: {target}")
        return
    print(f"{entry.about}; terms: {entry.terms}", flush=True)
    try:
        install(
            entry,
            arguments.output,
            by_hand=arguments.by_hand,
            keep_archive=arguments.keep_archive,
            patience=PATIENCE,
            bars=show_bar,
        )
    except KeyboardInterrupt:
        print("the same command continues where it was", file=sys.stderr)
        raise
    print(f"{target}\n  use: {entry.use.format(target=target)}")


def describe(entry: Entry, output: Path) -> str:
    source = entry.sources[0]
    size = source.size or source.rough_size
    here = "here" if (output / entry.target).exists() else ""
    known = megabytes(size) if size else "?"
    return f"{entry.name:22} {known:>8}  {here:4}  {entry.about}\n{'':39}terms: {entry.terms}"


def main() -> int:
    arguments = parse_arguments()
    table = read_table(cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(TABLE))))
    if arguments.list:
        print("\n".join(describe(entry, arguments.output) for entry in table.values()))
        return 0
    codes = [0]
    wanted = {name.lower(): find(name, table) for name in arguments.names}
    for entry in wanted.values():
        codes.append(report_errors(partial(fetch_one, entry, arguments)))
        if codes[-1] == INTERRUPTED:
            break
    return max(codes)


if __name__ == "__main__":
    sys.exit(report_errors(main))
