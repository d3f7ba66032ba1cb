"""The losses of short runs, kept in `golden/`: whoever changes what a step computes sees it here.

In double precision, so that the processor's way of adding up plays no part. Where a change is
meant, the new train.csv of the run takes the file's place, in the commit that says why.
"""

import csv
import math
from pathlib import Path

import pytest

GOLDEN = Path(__file__).with_name("golden")
CHANGES = {
    "precision": "64-true",
    "iterations": 20,
    "log_every": 1,
    "checkpoints.every": 100,
}


def read(path: Path) -> list[dict[str, float]]:
    with path.open(encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("stage", ["psnr", "gan"])
def test_a_step_computes_what_it_did(server, settings, gan_settings, tmp_path, stage) -> None:
    chosen = {"psnr": settings, "gan": gan_settings}[stage] | CHANGES
    training = server.start(tmp_path, chosen)
    assert training.wait() == 0, training.stderr
    golden, found = read(GOLDEN / f"{stage}.csv"), read(training.run / "train.csv")
    assert [row.keys() for row in found] == [row.keys() for row in golden]
    for ours, theirs in zip(found, golden, strict=True):
        for name, value in ours.items():
            assert math.isclose(value, theirs[name], rel_tol=1e-7, abs_tol=1e-12), (theirs, name)
