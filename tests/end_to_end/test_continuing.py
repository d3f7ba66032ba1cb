"""A run is made longer, renamed, moved, and changed on its way; and what is lost is not hidden."""

import json
import shutil

import pytest
import torch
from run_content import content, logged_iterations

from esrgan.runs import read_newest
from esrgan.weights import load_state_dict_file, read_metadata

WEIGHTS = ("generator", "ema", "discriminator", "progress")


def weights(run):
    """The bits of networks, optimizers and schedules."""
    return {k: v for k, v in content(run).items() if k.split("/")[1:2] and k.split("/")[1] in WEIGHTS}


def train(server, folder, settings, **changes):
    """Until it has ended; with keys that are no words of Python as a mapping."""
    training = server.start(folder, settings | changes.pop("with_", {}) | changes)
    training.wait()
    return training


def refused(server, folder, settings, **changes):
    training = train(server, folder, settings, **changes)
    assert training.wait is not None
    assert "Traceback" not in training.stderr
    assert training.stderr.startswith("error: ")
    return training.stderr


@pytest.fixture(scope="module")
def constant(settings):
    """Settings of a run whose learning rate does not depend on its length, and which is short."""
    rest = {key: v for key, v in settings.items() if not key.startswith("schedule.")}
    return rest | {"experiment": "rrdb_psnr", "generator": "rrdb_tiny", "schedule.milestones": "[15,25]", "log_every": 5}


@pytest.fixture(scope="module")
def short(server, constant, tmp_path_factory):
    """The folder of a run of 20 iterations; not to be changed."""
    folder = tmp_path_factory.mktemp("short")
    assert train(server, folder, constant, iterations=20).stderr.endswith("\n") is not None
    return folder


@pytest.fixture(scope="module")
def long(server, constant, tmp_path_factory):
    """The run of 40 iterations that was to have so many from the start."""
    folder = tmp_path_factory.mktemp("long")
    train(server, folder, constant, iterations=40)
    return folder / "experiments/run"
