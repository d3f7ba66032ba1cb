"""`train.py -m`: Hydra combines the values and launches the jobs, each job trains by itself."""

import logging
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from hydra import TaskFunction, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from esrgan.command_line import STOPPED, report_errors
from esrgan.hydra_errors import plain_errors
from esrgan.sweeps.job import JobRunner, StopFile
from esrgan.sweeps.plan import Job, conclude, plan_jobs, sweep_folder

CONFIG = "train"
LAUNCHERS = {  # the package that has it, and the extra that installs that
    "joblib": ("hydra-joblib-launcher", "sweeps"),
    "submitit_local": ("hydra-submitit-launcher", "slurm"),
    "submitit_slurm": ("hydra-submitit-launcher", "slurm"),
}
log = logging.getLogger(__name__)


def sweep(arguments: Namespace, *, configs: Path, script: Path) -> int:
    """Train, or show, what the values on the command line combine to; returns the exit code.

    Args:
        arguments: the command line, by Hydra's parser.
        configs: the folder that has `train.yaml`.
        script: trains one run by the overrides that it is given.

    Raises:
        ValueError: the command line is at fault, or jobs failed.
    """
    for flag in vars(arguments).keys() - {"multirun", "overrides", "cfg", "package", "resolve"}:
        if getattr(arguments, flag):
            raise ValueError(f"-m and --{flag.replace('_', '-')} cannot be combined")
    _require_launcher(arguments.overrides)
    with initialize_config_dir(str(configs), job_name=CONFIG, version_base="1.3"):
        hydra = cast(Hydra, GlobalHydra.instance().hydra)
        jobs = _planned(arguments.overrides, hydra)
        if not arguments.cfg:
            return _launch(hydra, jobs, arguments.overrides, script)
        for job in jobs:
            sys.stdout.write(f"--- # {job.name}\n")
            overrides = [*job.overrides, job.name_override]
            shown = {"cfg_type": arguments.cfg, "package": arguments.package}
            hydra.show_cfg(CONFIG, overrides, **shown, resolve=arguments.resolve)
    return 0


def _require_launcher(overrides: Iterable[str]) -> None:
    for override in overrides:
        key, _, value = override.partition("=")
        if key == "hydra/launcher" and value in LAUNCHERS:
            package, extra = LAUNCHERS[value]
            try:
                metadata.distribution(package)
            except metadata.PackageNotFoundError:
                raise ValueError(
                    f"{override} needs {package}: pip install --editable '.[{extra}]'"
                ) from None


def _planned(overrides: list[str], hydra: Hydra) -> list[Job]:
    parser = OverridesParser.create(hydra.config_loader)
    parsed = [each for each in parser.parse_overrides(overrides) if not each.is_hydra_override()]
    swept = {each.get_key_element() for each in parsed if each.is_sweep_override()}
    (combinations,) = BasicSweeper.split_arguments(parsed, None)
    return plan_jobs(combinations, swept)


def _launch(hydra: Hydra, jobs: list[Job], overrides: list[str], script: Path) -> int:
    with sweep_folder() as folder:
        own = ["hydra.mode=MULTIRUN", f"hydra.sweep.dir={folder}"]
        if "hydra/launcher=joblib" in overrides:
            own.append("hydra.launcher.batch_size=1")  # or jobs queue up behind each other
        stop = StopFile(folder / "stop")
        stop.listen()
        run = partial(run_job, JobRunner(jobs, script, stop))
        try:
            batches = _sweep(hydra, run, jobs[0], [*own, *overrides])
        except Exception:
            if not stop.exists():
                raise
            log.warning("stopped: the same command goes on")  # some launchers do not outlive Ctrl-C
            return STOPPED
    return conclude(dict(job.return_value for batch in batches for job in batch))


def _sweep(
    hydra: Hydra, run: TaskFunction, first: Job, overrides: list[str]
) -> Sequence[Sequence[JobReturn]]:
    """As Hydra's own multirun, which reads the launcher's settings without what is swept.

    Here they are read beside the first job's, because a key may exist only with a swept choice:
    discriminator.num_features with experiment=srgan,esrgan.
    """
    parsed = OverridesParser.create(hydra.config_loader).parse_overrides(overrides)
    of_hydra = [str(each.input_line) for each in parsed if each.is_hydra_override()]
    of_jobs = [str(each.input_line) for each in parsed if not each.is_hydra_override()]
    cfg = hydra.compose_config(
        CONFIG, [*of_hydra, *first.overrides], RunMode.MULTIRUN, with_log_configuration=True
    )
    context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(cfg))
    sweeper = Plugins.instance().instantiate_sweeper(
        hydra_context=context, task_function=run, config=cfg
    )
    batches: Sequence[Sequence[JobReturn]] = sweeper.sweep(of_jobs)
    return batches


def run_job(runner: JobRunner, cfg: DictConfig) -> tuple[str, int]:
    """What a launcher calls for each job, in a process and on a machine of its choice.

    Returns:
        The job's name and its exit code.
    """
    overrides = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    job = runner.find(cast(list[str], overrides))
    cfg.name = job.name

    @plain_errors()
    def run() -> int:
        settings = OmegaConf.to_container(cfg, resolve=True)
        return runner.run(job, cast(dict[str, Any], settings))

    return job.name, report_errors(run)
