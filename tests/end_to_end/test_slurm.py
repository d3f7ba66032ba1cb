"""A job whose time ends is queued again and goes on: under SLURM, of which three programs are ours.

And under submitit, whose local executor starts a job again as SLURM would.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from run_content import content, logged_iterations

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/train.sbatch"
LONGEST = 120  # seconds, for what takes ten
# As SLURM does, it runs a copy of the script, which is somewhere else, in the folder of the call
SBATCH = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
spool=$(mktemp -d -p "${0%/*}")
cp "$1" "$spool/job"; shift
exec bash "$spool/job" "$@"
"""
SRUN = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
export SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1
export SLURM_NTASKS_PER_NODE=1 SLURM_NODELIST=localhost SLURM_JOB_NODELIST=localhost
exec "$@"
"""
SCONTROL = '#!/bin/sh\necho "$@" >> scontrol.log\n'


@pytest.fixture
def cluster(tmp_path):
    """The environment of a batch script."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("scontrol", SCONTROL)):
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    job = {"SLURM_JOB_ID": "417", "SLURM_JOBID": "417", "SLURM_JOB_NAME": "esrgan"}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return os.environ | job | {"PATH": path, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}


def words(settings):
    return [f"{key}={value}" for key, value in settings.items()]


def wait_for_iteration(process, log, iteration):
    wait_until(process, lambda: max(logged_iterations(log), default=0) >= iteration)


def wait_until(process, condition):
    end = time.monotonic() + LONGEST
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def sbatch(environment, folder, *arguments):
    """Queue the script by the command at its head, with other arguments than that has."""
    text = SCRIPT.read_text(encoding="utf-8")
    shown = re.search(r"^# +(sbatch .* scripts/train\.sbatch) ", text, re.MULTILINE)[1].split()
    return subprocess.Popen(
        [*shown[:-1], SCRIPT, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )


def asked_of_slurm():
    """What the script asks for, as sbatch reads it: up to the first command."""
    head, _, _ = SCRIPT.read_text(encoding="utf-8").partition("\nsrun ")
    return dict(re.findall(r"^#SBATCH --([\w-]+)=?(\S*)", head, re.MULTILINE))


@pytest.mark.parametrize(("code", "queued"), [(0, False), (2, False), (75, True)])
def test_a_job_is_queued_again_by_its_exit_code_alone(cluster, tmp_path, code, queued):
    cluster["PYTHON"] = "sh"
    training = f"printf '%s\\n' \"$@\" > words\nexit {code}\n"
    (tmp_path / "train.py").write_text(training, encoding="utf-8")
    assert sbatch(cluster, tmp_path, "experiment=esrgan", "name=a b").wait(LONGEST) == code
    assert (tmp_path / "words").read_text() == "resume=auto\nexperiment=esrgan\nname=a b\n"
    assert (tmp_path / "scontrol.log").exists() == queued


def test_a_job_that_a_user_cancels_is_not_queued_again(cluster, tmp_path):
    """scancel sends SIGTERM to the tasks and to the script, of which the second ends by it."""
    cluster["PYTHON"] = "sh"
    training = "trap 'touch stopped; exit 75' TERM\ntouch begun\nwhile :; do sleep 0.02; done\n"
    (tmp_path / "train.py").write_text(training, encoding="utf-8")
    job = sbatch(cluster, tmp_path)
    wait_until(job, (tmp_path / "begun").exists)
    os.killpg(job.pid, signal.SIGTERM)
    job.communicate(timeout=LONGEST)  # until the tasks have closed it, too
    assert job.returncode == -signal.SIGTERM
    assert (tmp_path / "stopped").exists()
    assert not (tmp_path / "scontrol.log").exists()


@pytest.mark.slow
def test_a_job_of_slurm_is_queued_again_and_goes_on(cluster, settings, finished, tmp_path):
    (tmp_path / "train.py").symlink_to(ROOT / "train.py")

    assert "requeue" in asked_of_slurm()
    warning = re.fullmatch(r"(USR[12])@\d+", asked_of_slurm()["signal"])  # no B:, for the script
    number = signal.Signals[f"SIG{warning[1]}"]

    job, run = sbatch(cluster, tmp_path, *words(settings)), tmp_path / "experiments/run"
    wait_for_iteration(job, run / "train.csv", 20)
    (training,) = psutil.Process(job.pid).children()  # a step's tasks get it, not the script
    training.send_signal(number)
    output, _ = job.communicate(timeout=LONGEST)
    assert job.returncode == 75, output
    assert f"stopped by {number.name}" in output
    # Lightning would queue it a second time, and leave a checkpoint of its own
    assert (tmp_path / "scontrol.log").read_text() == "requeue 417\n"
    assert not list(tmp_path.rglob("hpc_ckpt*"))

    job = sbatch(cluster, tmp_path, *words(settings))
    output, _ = job.communicate(timeout=LONGEST)
    assert job.returncode == 0, output
    assert (tmp_path / "scontrol.log").read_text() == "requeue 417\n"
    assert content(run) == content(finished / "experiments/run")


@pytest.mark.soak
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
