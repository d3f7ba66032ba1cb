import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from run_content import logged_iterations

from esrgan.data import CODECS, Recipe, build_dataset, write_png
from esrgan.degradations import resize_uint8

ANY_STAGE = {
    "name": "run",
    "generator.num_blocks": 1,
    "generator.num_features": 8,
    "patch_size": 32,
    "batch_size": 2,
    "iterations": 60,
    "log_every": 3,
    "validation.every": 10,
    "checkpoints.every": 5,
    "trainer.accelerator": "cpu",
    "precision": "32-true",
    "training.optimizer.lr": 1e-2,
    "data.num_workers": 0,
}
PSNR_STAGE = ANY_STAGE | {
    "experiment": "quickstart",
    "generator.growth_channels": 4,
    "schedule.warmup_iterations": 10,
}
GAN_STAGE = ANY_STAGE | {
    "experiment": "esrgan",
    "init_from": "null",
    "generator.growth_channels": 4,
    "discriminator.num_features": 4,
    "training.losses.perceptual.loss.weights": "random",
    "training.losses.perceptual.loss.layers.conv5_4": "null",
    "+training.losses.perceptual.loss.layers.conv1_2": 1.0,
    "training.optimizer.lr": 1e-3,
    "training.ema_decay": 0.9,
}
# Real-ESRGAN's: low-quality images made while training, three losses, the U-Net, the pool
BLIND_STAGE = ANY_STAGE | {
    "experiment": "realesrgan_published",
    "init_from": "null",
    "data": "blind_folder",
    "data.train.crop": 80,
    "data.pool.size": 4,
    "data.pool.batch": 2,
    "metrics": "[PSNR-Y]",
    "checkpoints.monitor": "PSNR-Y",
    "generator.growth_channels": 4,
    "discriminator.num_features": 4,
    "training.losses.perceptual.loss.weights": "random",
    **{
        f"training.losses.perceptual.loss.layers.{layer}": "null"
        for layer in ("conv2_2", "conv3_4", "conv4_4", "conv5_4")
    },
    "training.optimizer.lr": 1e-3,
    "training.ema_decay": 0.9,
}


@dataclass(frozen=True)
class Training:
    """A `train.py` that was started."""

    server: "ForkServer"
    pid: int
    run: Path
    output: str

    def send(self, number: signal.Signals, *, to_the_group: bool = False) -> None:
        """Signal the process, or its loading processes too, as a terminal does and SLURM may."""
        (os.killpg if to_the_group else os.kill)(self.pid, number)

    def wait_for_iteration(self, iteration: int) -> None:
        """Wait until the log has a line of a later iteration."""
        log = self.run / "train.csv"
        self.wait_for(lambda: max(logged_iterations(log), default=0) > iteration)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        while not condition():
            state = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
            assert "State:\tZ" not in state, f"it ended too early: {self.stderr}"
            time.sleep(0.005)

    def wait(self) -> int:
        """The exit code, or minus the signal that ended it."""
        return self.server.ask(wait=self.pid)

    @property
    def stdout(self) -> str:
        return Path(f"{self.output}.stdout").read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return Path(f"{self.output}.stderr").read_text(encoding="utf-8")


class ForkServer:
    """Starts trainings; see fork_server.py."""

    def __init__(self, outputs: Path) -> None:
        self.outputs, self.num_started = outputs, 0
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("fork_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def ask(self, **job) -> int:
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def start(
        self, folder: Path, settings, *, words=(), fault: str | None = None, environment=None
    ) -> Training:
        """With `words` of the command line before the settings."""
        self.num_started += 1
        output = str(self.outputs / str(self.num_started))
        job = {
            "folder": str(folder),
            "output": output,
            "overrides": [*words, *(f"{key}={value}" for key, value in settings.items())],
            "fault": fault,
            "environment": environment or {},
        }
        return Training(self, self.ask(**job), folder / "experiments/run", output)

    def start_several(
        self, folder: Path, settings, *, count: int, fault: str | None = None, differ=()
    ) -> list[Training]:
        """Processes of one run, in the environment that torchrun gives them.

        `differ` has settings that are not alike in all of them, as they should be.
        """
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        common = {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "TORCHELASTIC_RUN_ID": "test",
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "GROUP_RANK": "0",
        }
        several = settings | {"trainer": "ddp", "trainer.devices": count}
        return [
            self.start(
                folder,
                several | {key: values[rank] for key, values in dict(differ).items()},
                fault=fault,
                environment=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            )
            for rank in range(count)
        ]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = ForkServer(tmp_path_factory.mktemp("outputs"))
    yield server
    # Not by the end of its input: a process that another test has forked may hold that open.
    server.process.kill()
    server.process.wait()


@pytest.fixture(scope="session")
def sets(tmp_path_factory):
    """Settings that name data sets made for runs of seconds."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for part, names in (("photos", "abcdef"), ("held_out", "xy")):
        (folder / part).mkdir()
        for name in names:
            image = rng.integers(0, 256, (48, 56, 3), np.uint8)
            write_png(folder / part / f"{name}.png", image)
    recipe = Recipe(scale=4, codec=CODECS["raw"], downscale=resize_uint8)
    build_dataset(folder / "train_x4", recipe, gt_folders=[folder / "photos"])
    return {"train_set": folder / "train_x4", "validation_set": folder / "held_out"}


@pytest.fixture(scope="session")
def settings(sets):
    """Settings of a run of the PSNR stage that takes seconds."""
    return PSNR_STAGE | sets


@pytest.fixture(scope="session")
def gan_settings(sets):
    """The same of the GAN stage."""
    return GAN_STAGE | sets


@pytest.fixture(scope="session")
def blind_settings(tmp_path_factory):
    """The same of the GAN stage of Real-ESRGAN, with all that the published code does besides."""
    folder, rng = tmp_path_factory.mktemp("blind"), np.random.default_rng(0)
    for part, count in (("photos", 6), ("held_out", 2)):
        (folder / part).mkdir()
        for number in range(count):
            image = rng.integers(0, 256, (84, 96, 3), np.uint8)
            write_png(folder / part / f"{number}.png", image)
    return BLIND_STAGE | {"train_set": folder / "photos", "validation_set": folder / "held_out"}


@pytest.fixture(scope="session")
def finished(server, settings, tmp_path_factory):
    """The folder that a run, which nothing interrupted, was started in; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    assert server.start(folder, settings).wait() == 0
    return folder


@pytest.fixture(scope="session")
def finished_gan(server, gan_settings, tmp_path_factory):
    """The same of the GAN stage."""
    folder = tmp_path_factory.mktemp("finished_gan")
    assert server.start(folder, gan_settings).wait() == 0
    return folder


@pytest.fixture(scope="session")
def finished_blind(server, blind_settings, tmp_path_factory):
    """The same of Real-ESRGAN."""
    folder = tmp_path_factory.mktemp("finished_blind")
    assert server.start(folder, blind_settings).wait() == 0
    return folder
