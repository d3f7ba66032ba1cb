"""The main job from end to end: sample photographs, data set, training, evaluation, picture."""

import argparse
import shlex
import sys
from pathlib import Path

from esrgan.data import write_sample_photographs
from esrgan.errors import STOPPED, report_errors
from esrgan.runs import RunFolder
from esrgan.signals import Stopped, run_until_stopped, stopping_at_once

PHOTOGRAPHS = Path("data/sample")
DATA_SET = Path("data/sample_x4")
RUN = Path("experiments/quickstart")
PICTURE = RUN / "held_out.png"


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        with stopping_at_once():
            show()
    except Stopped as stopped:
        sys.stderr.write(f"stopped by {stopped.name}; the same command goes on\n")
        return STOPPED
    return 0


def show() -> None:
    write_sample_photographs(PHOTOGRAPHS)
    if not DATA_SET.exists():
        run("scripts/prepare_data.py", PHOTOGRAPHS / "train", "--output", DATA_SET)
    resume = ["resume=true"] if RunFolder(RUN).settings.exists() else []
    run("train.py", "experiment=quickstart", *resume)
    benchmark: list[str | Path] = ["--benchmark", PHOTOGRAPHS / "held_out"]
    run("scripts/evaluate.py", "bicubic", RUN, *benchmark, "--sheet", PICTURE, "--overwrite")
    print(f"\nlq, bicubic, ours and gt, side by side: {PICTURE}")


def run(*words: str | Path) -> None:
    """Say what a user would type, and do it."""
    command = [str(word) for word in words]
    print(f"\n$ python {shlex.join(command)}", flush=True)
    code = run_until_stopped([sys.executable, *command])
    if code:
        sys.exit(code)  # it has said why


if __name__ == "__main__":
    raise SystemExit(report_errors(main))
