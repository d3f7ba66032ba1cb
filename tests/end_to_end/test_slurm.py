"""A job whose time ends is queued again and goes on: under SLURM, of which three programs are ours.

And under submitit, whose local executor starts a job again as SLURM would.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from run_content import content, logged_iterations

ROOT = Path(__file__).parents[2]
LONGEST = 120  # seconds, for what takes ten
SRUN = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
export SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1
export SLURM_NTASKS_PER_NODE=1 SLURM_NODELIST=localhost SLURM_JOB_NODELIST=localhost
exec "$@"
"""
SCONTROL = '#!/bin/sh\necho "$@" >> scontrol.log\n'

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(tmp_path):
    """The environment of a batch script."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    job = {"SLURM_JOB_ID": "417", "SLURM_JOBID": "417", "SLURM_JOB_NAME": "esrgan"}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return os.environ | job | {"PATH": path, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}


def words(settings):
    return [f"{key}={value}" for key, value in settings.items()]


def wait_for_iteration(process, log, iteration):
    end = time.monotonic() + LONGEST
    while max(logged_iterations(log), default=0) < iteration:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_job_of_slurm_is_queued_again_and_goes_on(cluster, settings, finished, tmp_path):
    (tmp_path / "train.py").symlink_to(ROOT / "train.py")

    def sbatch():
        return subprocess.Popen(
            ["bash", ROOT / "scripts/train.sbatch", *words(settings)],
            cwd=tmp_path,
            env=cluster,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    job, run = sbatch(), tmp_path / "experiments/run"
    wait_for_iteration(job, run / "train.csv", 20)
    (training,) = psutil.Process(job.pid).children()  # a step's tasks get it, not the script
    training.send_signal(signal.SIGUSR1)
    output, _ = job.communicate(timeout=LONGEST)
    assert job.returncode == 75, output
    assert "stopped by SIGUSR1" in output
    # Lightning would queue it a second time, and leave a checkpoint of its own
    assert (tmp_path / "scontrol.log").read_text() == "requeue 417\n"
    assert not list(tmp_path.rglob("hpc_ckpt*"))

    job = sbatch()
    output, _ = job.communicate(timeout=LONGEST)
    assert job.returncode == 0, output
    assert (tmp_path / "scontrol.log").read_text() == "requeue 417\n"
    assert content(run) == content(finished / "experiments/run")


def test_a_job_of_submitit_is_started_again_and_goes_on(settings, finished, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="the extra slurm")
    kept = {key: value for key, value in settings.items() if key != "name"}
    choice = {"experiment": kept.pop("experiment"), "seed": "0", "hydra/launcher": "submitit_local"}
    sweep = subprocess.Popen(
        [sys.executable, ROOT / "train.py", "-m", *words(choice | kept)],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    run = tmp_path / "experiments/quickstart"
    wait_for_iteration(sweep, run / "train.csv", 20)
    jobs = [
        each
        for each in psutil.Process(sweep.pid).children(recursive=True)
        if "submitit.core._submit" in each.cmdline()
    ]
    jobs[-1].send_signal(signal.SIGUSR2)
    output, _ = sweep.communicate(timeout=LONGEST)
    assert sweep.returncode == 0, output
    assert (run / "train.log").read_text().count("stopped by") == 1
    assert content(run) == content(finished / "experiments/run")
