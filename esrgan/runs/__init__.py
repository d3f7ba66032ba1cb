"""What a run is: its folder, settings, logs and checkpoints. Reading it needs no torch."""

from esrgan.runs.changes import Composition as Composition
from esrgan.runs.checkpoints import CheckpointError as CheckpointError
from esrgan.runs.checkpoints import read_checkpoint as read_checkpoint
from esrgan.runs.checkpoints import read_newest as read_newest
from esrgan.runs.checkpoints import remove_old as remove_old
from esrgan.runs.checkpoints import write_checkpoint as write_checkpoint
from esrgan.runs.folder import RUNS as RUNS
from esrgan.runs.folder import RunFolder as RunFolder
from esrgan.runs.folder import find_weights as find_weights
from esrgan.runs.history import History as History
from esrgan.runs.history import in_words as in_words
from esrgan.runs.logs import CSVLogs as CSVLogs
from esrgan.runs.logs import Line as Line
from esrgan.runs.logs import read_log as read_log
from esrgan.runs.open_run import OpenRun as OpenRun
from esrgan.runs.records import RunRecord as RunRecord
from esrgan.runs.records import find_runs as find_runs
from esrgan.runs.settings import Settings as Settings
from esrgan.runs.settings import flatten as flatten
from esrgan.runs.settings import read_settings as read_settings
from esrgan.runs.settings import say_of as say_of
