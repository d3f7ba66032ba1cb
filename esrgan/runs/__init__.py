"""What a run is: its folder, settings, logs and checkpoints. Reading it needs no torch."""

from esrgan.runs.checkpoints import (
    CheckpointError,
    read_checkpoint,
    read_newest,
    remove_old,
    write_checkpoint,
)
from esrgan.runs.folder import RUNS, OpenRun, RunFolder, find_weights
from esrgan.runs.logs import CSVLogs, Line, read_log
from esrgan.runs.records import RunRecord, find_runs
from esrgan.runs.settings import Settings, flatten, read_settings, say_of

__all__ = [
    "RUNS",
    "CSVLogs",
    "CheckpointError",
    "Line",
    "OpenRun",
    "RunFolder",
    "RunRecord",
    "Settings",
    "find_runs",
    "find_weights",
    "flatten",
    "read_checkpoint",
    "read_log",
    "read_newest",
    "read_settings",
    "remove_old",
    "say_of",
    "write_checkpoint",
]
