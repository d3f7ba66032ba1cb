"""Lightning modules of the training stages and what surrounds them."""

from esrgan.training.adversary import Adversary
from esrgan.training.after_iteration import AfterIteration
from esrgan.training.checkpointing import Checkpointing
from esrgan.training.checkpoints import CheckpointError, read_checkpoint, read_newest
from esrgan.training.csv_logger import CSVLogger
from esrgan.training.gan import GANTraining
from esrgan.training.guard import FiniteGuard, NonFiniteError
from esrgan.training.precision import choose_precision
from esrgan.training.progress import Progress
from esrgan.training.psnr import PSNRTraining
from esrgan.training.run_folder import RunFolder
from esrgan.training.schedules import warmup_cosine
from esrgan.training.stop_signal import StopSignal
from esrgan.training.strategy import ReplicaStrategy
from esrgan.training.training_log import TrainingLog
from esrgan.training.validation import Validation

__all__ = [
    "Adversary",
    "AfterIteration",
    "CSVLogger",
    "CheckpointError",
    "Checkpointing",
    "FiniteGuard",
    "GANTraining",
    "NonFiniteError",
    "PSNRTraining",
    "Progress",
    "ReplicaStrategy",
    "RunFolder",
    "StopSignal",
    "TrainingLog",
    "Validation",
    "choose_precision",
    "read_checkpoint",
    "read_newest",
    "warmup_cosine",
]
