"""Fetches published data sets, benchmarks and weights, and puts them where the other commands look.

Whatever interrupts it, the same command continues where it was.

example: download_data.py div2k flickr2k
example: download_data.py set5 set14 --from ~/Downloads
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from omegaconf import OmegaConf
from tqdm import tqdm

from esrgan.commands.configs import configs_folder
from esrgan.downloads.table import Entry, megabytes, read_table
from esrgan.errors import INTERRUPTED, report_errors, suggestion
from esrgan.files import check_folder

if TYPE_CHECKING:
    from esrgan.downloads.transfer import Bar


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command is asked for; `by_hand` is a folder of files that were fetched by hand."""

    names: Sequence[str]
    list: bool
    output: Path
    by_hand: Path | None
    keep_archive: bool


def main(argv: Sequence[str] | None = None) -> int:
    return report_errors(lambda: _run(_parse_arguments(argv)))


def _parse_arguments(argv: Sequence[str] | None) -> Arguments:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="as --list shows them")
    add("--list", action="store_true", help="show what there is, its size and terms")
    add("--output", type=Path, default=Path("data"), metavar="FOLDER", help="default: data")
    add("--from", dest="by_hand", type=Path, metavar="FOLDER", help="of files fetched by hand")
    add("--keep-archive", action="store_true", help="archives stay in the output folder")
    arguments = Arguments(**vars(parser.parse_args(argv)))
    if not (arguments.names or arguments.list):
        parser.error("give a NAME, or --list to see them")
    return arguments


def _run(arguments: Arguments) -> int:
    file = configs_folder() / "downloads.yaml"
    table = read_table(cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(file))))
    if arguments.list:
        for entry in table.values():
            print(_describe(entry, arguments.output))
        return 0
    for name in arguments.names:
        if name.lower() not in table:
            fix = suggestion(name.lower(), table)
            raise ValueError(f"{name} is not in {file.name}: {fix}")
    codes = [0]
    for name in dict.fromkeys(name.lower() for name in arguments.names):
        codes.append(report_errors(partial(_fetch, table[name], arguments)))
        if codes[-1] == INTERRUPTED:
            break
    return max(codes)


def _describe(entry: Entry, output: Path) -> str:
    source = entry.sources[0]
    size = source.size or source.rough_size
    here = "here" if (output / entry.target).exists() else ""
    known = megabytes(size) if size else "?"
    return f"{entry.name:22} {known:>8}  {here:4}  {entry.about}\n{'':39}terms: {entry.terms}"


def _fetch(entry: Entry, arguments: Arguments) -> None:
    from esrgan.downloads.install import install  # its client of HTTP takes a while to import

    target = arguments.output / entry.target
    if target.exists():
        print(f"{entry.name} is here already: {target}")
        return
    check_folder(target)
    print(f"{entry.about}; terms: {entry.terms}", flush=True)  # the bars go to stderr
    try:
        install(
            entry,
            arguments.output,
            by_hand=arguments.by_hand,
            keep_archive=arguments.keep_archive,
            bars=_show_bar,
        )
    except KeyboardInterrupt:
        sys.stderr.write("the same command continues where it was\n")
        raise
    print(f"{target}\n  use: {entry.use.format(target=target)}", flush=True)


@contextmanager
def _show_bar(label: str, unit: str) -> Iterator["Bar"]:
    with tqdm(desc=label, unit=unit, unit_scale=unit == "B", delay=0.2) as bar:

        def show(done: int, total: int | None) -> None:
            if not bar.n:  # what an earlier run has done says nothing about the speed
                bar.initial = done
            bar.total = total
            bar.update(done - bar.n)

        yield show
