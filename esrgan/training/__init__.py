"""Lightning modules of the training stages and what surrounds them."""

from esrgan.runs import CheckpointError, read_checkpoint, read_newest
from esrgan.training.after_iteration import AfterIteration
from esrgan.training.checkpointing import Checkpointing
from esrgan.training.gan import AdversarialTerm, GANTraining
from esrgan.training.learner import FiniteGuard, Learner, NonFiniteError
from esrgan.training.loggers import CSVLogger, TensorBoard
from esrgan.training.psnr import PSNRTraining
from esrgan.training.ranks import ReplicaStrategy
from esrgan.training.stage import from_bytes, warmup_cosine
from esrgan.training.stop_signal import StopSignal
from esrgan.training.training_log import TrainingLog
from esrgan.training.validation import Validation

__all__ = [
    "AdversarialTerm",
    "AfterIteration",
    "CSVLogger",
    "CheckpointError",
    "Checkpointing",
    "FiniteGuard",
    "GANTraining",
    "Learner",
    "NonFiniteError",
    "PSNRTraining",
    "ReplicaStrategy",
    "StopSignal",
    "TensorBoard",
    "TrainingLog",
    "Validation",
    "from_bytes",
    "read_checkpoint",
    "read_newest",
    "warmup_cosine",
]
