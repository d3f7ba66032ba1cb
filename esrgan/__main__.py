"""The one console command: `esrgan NAME ...`, or `python -m esrgan NAME ...`."""

import sys
from collections.abc import Sequence
from importlib import import_module

from esrgan.errors import FAILED, outlive_readers, suggestion
from esrgan.signals import decided

COMMANDS = {
    "train": "train an experiment; alone, it lists them",
    "prepare-data": "build a data set for training from folders of images",
    "check-data": "check data sets against what was written",
    "download": "fetch published data sets, benchmarks and weights",
    "preview": "show what a training will see: samples, degradations, how strong they are",
    "replay": "do an iteration again whose numbers were not finite, and show where",
    "evaluate": "score networks and results on benchmarks",
    "upscale": "enlarge pictures and videos by a trained network",
    "interpolate": "mix two trained networks",
    "export": "write a trained network for other programs",
    "report": "compare runs: their settings, metrics and cost",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Hand the arguments to the command that the first of them names; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print("usage: esrgan COMMAND ...; esrgan COMMAND --help tells more\n")
        print("\n".join(f"  {name:14}{about}" for name, about in COMMANDS.items()))
        return 0
    name, *rest = words
    if name not in COMMANDS:
        sys.stderr.write(f"error: {name} is not a command: {suggestion(name, COMMANDS)}\n")
        return FAILED
    if name != "train":  # which Lightning starts anew, in its other processes, from sys.argv
        # What a command prints of itself, as argparse's usage, begins with its name
        sys.argv = [f"esrgan {name}", *rest]
    command = import_module(f"esrgan.commands.{name.replace('-', '_')}")
    code: int = command.main(rest)
    return code


def console() -> int:
    """`main` of a process that has nothing else to do."""
    outlive_readers()
    return decided(main())


if __name__ == "__main__":
    raise SystemExit(console())
