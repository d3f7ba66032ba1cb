"""How good a training of 25 minutes can be: 400 photographs in, PSNR-Y on Set5 out.

The recipe is configs/experiment/speedrun.yaml, that of the best run so far; KEY=VALUE changes it.
Two short trainings tell how many iterations this machine does in the time.
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.result import describe_machine
from demo import run

from esrgan.errors import STOPPED, report_errors
from esrgan.reports.tables import markdown_table
from esrgan.signals import Stopped, stopping_at_once

DATA_SET = Path("data/BSDS400_x4")
RUNS = Path("experiments")
# Iterations: what a start takes is what they do not differ in. Enough for some minutes together,
# because machines were seen that do the first hundreds a sixth faster than all that follow.
MEASURED = (300, 1_500)
SPARE = 0.97  # of the time, so that a slower moment does not exceed it


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("settings", nargs="*", metavar="KEY=VALUE", help="changes to the recipe")
    text = f"400 of BSDS500, of which {DATA_SET} is made where it is missing"
    add("--photographs", type=Path, metavar="FOLDER", help=text)
    add("--benchmark", type=Path, default=Path("data/Set5"), metavar="FOLDER")
    add("--minutes", type=float, default=25, metavar="N", help="of the training; default: 25")
    arguments = parser.parse_args()
    if arguments.minutes <= 0:
        raise ValueError(f"--minutes ({arguments.minutes:g}) must be above 0")
    for setting in arguments.settings:
        if "=" not in setting:
            raise ValueError(f"{setting}: a change is KEY=VALUE")
        if setting.split("=")[0] in ("iterations", "name", "experiment"):
            raise ValueError(f"{setting}: experiment, name and iterations are this script's")
    if not DATA_SET.exists() and arguments.photographs is None:
        raise ValueError(
            f"{DATA_SET} does not exist: give --photographs FOLDER, which it is made of"
        )
    if not arguments.benchmark.is_dir():
        raise ValueError(f"--benchmark {arguments.benchmark} is not a folder")
    try:
        with stopping_at_once():
            take_part(arguments)
    except Stopped as stopped:
        sys.stderr.write(f"stopped by {stopped.name}: a speedrun does not go on\n")
        return STOPPED
    return 0


def take_part(arguments: argparse.Namespace) -> None:
    machine = describe_machine()  # its load is that of the others
    if not DATA_SET.exists():
        convention = ("--convention", "uint8")  # that of Set5's published files
        run("scripts/prepare_data.py", arguments.photographs, "--output", DATA_SET, *convention)
    name = f"speedrun/{datetime.now(UTC):%Y-%m-%d_%H-%M-%S}"
    settings = [f"validation_set={arguments.benchmark / 'HR'}", *arguments.settings]

    def train(iterations: int, name: str) -> float:
        begin = time.perf_counter()
        run(
            *("train.py", "experiment=speedrun", f"name={name}", f"iterations={iterations}"),
            *settings,
        )
        return time.perf_counter() - begin

    few, many = MEASURED
    short, longer = (train(iterations, f"{name}/first_{iterations}") for iterations in MEASURED)
    each = (longer - short) / (many - few)
    start = short - few * each
    iterations = int((arguments.minutes * 60 * SPARE - start) / each) if each > 0 else 0
    if iterations <= many:
        raise ValueError(
            f"--minutes {arguments.minutes:g} is too short: {many} iterations took {longer:.0f} s"
        )
    print(f"\n{each * 1000:.1f} ms per iteration, {start:.0f} s to start: {iterations} iterations")
    spent = train(iterations, f"{name}/run")
    folder = RUNS / name / "run"
    benchmark = ("--benchmark", arguments.benchmark, "--output", folder / "scores")
    run("scripts/evaluate.py", folder, *benchmark)
    scores = json.loads((folder / "scores/scores.json").read_text(encoding="utf-8"))
    (means,) = scores["benchmarks"][0]["means"].values()
    row = {
        "PSNR-Y": f"{means['PSNR-Y']:.2f}",
        "SSIM-Y": f"{means['SSIM-Y']:.4f}",
        "changes": " ".join(arguments.settings) or "none",
        "iterations": f"{iterations:,}",
        "minutes": f"{spent / 60:.1f}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{machine['CPU']} ({machine['instructions']}), {machine['threads']} threads",
        "load before": machine["load before"],
        "esrgan": machine["esrgan"],
    }
    print(f"\n{markdown_table(list(row), [list(row.values())])}")


if __name__ == "__main__":
    raise SystemExit(report_errors(main))
