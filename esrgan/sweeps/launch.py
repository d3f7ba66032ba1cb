"""`train.py -m`: Hydra combines the values and launches the jobs, each job trains by itself."""

import logging
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from functools import partial
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import configure_log
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from esrgan.errors import STOPPED, report_errors
from esrgan.hydra_errors import plain_errors
from esrgan.runs.checks import check_settings, check_targets, parts_that_are_built
from esrgan.sweeps.job import JobRunner, StopFile
from esrgan.sweeps.plan import Job, conclude, plan_jobs, sweep_folder

CONFIG = "train"
LAUNCHERS = {  # the package that has it, and the extra that installs that
    "joblib": ("hydra-joblib-launcher", "sweeps"),
    "submitit_local": ("hydra-submitit-launcher", "slurm"),
    "submitit_slurm": ("hydra-submitit-launcher", "slurm"),
}
_ALLOWED = {"multirun", "overrides", "cfg", "package", "resolve", "config_dir"}
log = logging.getLogger(__name__)


def sweep(
    arguments: Namespace, *, configs: Path, own: Path | None = None, command: Sequence[str]
) -> int:
    """Train, or show, what the values on the command line combine to; returns the exit code.

    Args:
        arguments: the command line, by Hydra's parser.
        configs: the folder that has `train.yaml`.
        own: a user's own folder of configs.
        command: trains one run by the overrides that are appended to it.

    Raises:
        ValueError: the command line is at fault, or jobs failed.
    """
    for flag in vars(arguments).keys() - _ALLOWED:
        if getattr(arguments, flag):
            raise ValueError(f"-m and --{flag.replace('_', '-')} cannot be combined")
    _require_launcher(arguments.overrides)
    with initialize_config_dir(str(configs), job_name=CONFIG, version_base="1.3"):
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())
        parsed = parser.parse_overrides(arguments.overrides)
        of_hydra = [str(each.input_line) for each in parsed if each.is_hydra_override()]
        if own is not None:
            of_hydra.append(f"hydra.searchpath=['file://{own.resolve()}']")
            command = [*command, "--config-dir", str(own)]
        jobs = _planned([each for each in parsed if not each.is_hydra_override()])
        if not arguments.cfg:
            return _launch(jobs, of_hydra, command)
        for job in jobs:
            sys.stdout.write(f"--- # {job.name}\n")
            overrides = [*of_hydra, *job.overrides, job.name_override]
            shown = {"cfg_type": arguments.cfg, "package": arguments.package}
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None
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


def _planned(overrides: Sequence[Override]) -> list[Job]:
    """A job for every combination of the values that are separated by commas."""
    choices = []
    for each in overrides:
        if not each.is_sweep_override():
            choices.append([str(each.input_line)])
        elif each.is_discrete_sweep():
            values = each.sweep_string_iterator()
            choices.append([f"{each.get_key_element()}={value}" for value in values])
        else:
            raise ValueError(
                f"{each.input_line}: a sweep does not support sweep type {each.value_type}: list "
                "the values, separated by commas"
            )
    swept = {each.get_key_element() for each in overrides if each.is_sweep_override()}
    return plan_jobs(product(*choices), swept)


def _launch(jobs: list[Job], of_hydra: list[str], command: Sequence[str]) -> int:
    with sweep_folder() as folder:
        own = ["hydra.mode=MULTIRUN", f"hydra.sweep.dir={folder}"]
        if "hydra/launcher=joblib" in of_hydra:
            own.append("hydra.launcher.batch_size=1")  # or jobs queue up behind each other
        # The launcher's settings are read beside the first job's, because a key may exist only with
        # a swept choice: discriminator.num_features with experiment=srgan,esrgan
        cfg = compose(CONFIG, [*own, *of_hydra, *jobs[0].overrides], return_hydra_config=True)
        for number, job in enumerate(jobs, 1):
            _judge(job, of_hydra, title=f"job {number} of {len(jobs)}, {job.name}")
        configure_log(cfg.hydra.hydra_logging, cfg.hydra.verbose)  # not all launchers do
        stop = StopFile(folder / "stop")
        stop.listen()
        context = HydraContext(
            config_loader=GlobalHydra.instance().config_loader(), callbacks=Callbacks()
        )
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context,
            task_function=partial(run_job, JobRunner(jobs, command, stop)),
            config=cfg,
        )
        try:
            results = launcher.launch([job.overrides for job in jobs], initial_job_idx=0)
        except Exception:
            if not stop.exists():
                raise
            log.warning("stopped: the same command goes on")  # some launchers do not outlive Ctrl-C
            return STOPPED
    return conclude(dict(result.return_value for result in results))


def _judge(job: Job, of_hydra: Sequence[str], *, title: str) -> None:
    """What cannot work in the last is said before the first has begun.

    But for what the earlier may be there to make: the weights that `init_from` names.
    """
    try:
        with plain_errors():
            cfg = compose(CONFIG, [*of_hydra, *job.overrides, job.name_override])
            composed = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
        settings = cast(dict[str, Any], composed)
        check_settings(settings)
        for with_lightning in (False, True):
            check_targets(parts_that_are_built(settings), with_lightning=with_lightning)
    except ValueError as error:
        raise ValueError(f"{title}: {error}") from error


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
