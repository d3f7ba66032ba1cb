"""Lightning modules of the training stages and what surrounds them."""

from esrgan.runs import CheckpointError as CheckpointError
from esrgan.runs import read_checkpoint as read_checkpoint
from esrgan.runs import read_newest as read_newest
from esrgan.training.after_iteration import AfterIteration as AfterIteration
from esrgan.training.checkpointing import Checkpointing as Checkpointing
from esrgan.training.feed import Feed as Feed
from esrgan.training.gan import AdversarialTerm as AdversarialTerm
from esrgan.training.gan import GANTraining as GANTraining
from esrgan.training.learner import FiniteGuard as FiniteGuard
from esrgan.training.learner import Learner as Learner
from esrgan.training.learner import NonFiniteError as NonFiniteError
from esrgan.training.loggers import CSVLogger as CSVLogger
from esrgan.training.loggers import TensorBoard as TensorBoard
from esrgan.training.psnr import PSNRTraining as PSNRTraining
from esrgan.training.quiet import quieten_lightning as quieten_lightning
from esrgan.training.ranks import Ranks as Ranks
from esrgan.training.schedules import cosine_restarts as cosine_restarts
from esrgan.training.schedules import warmup_cosine as warmup_cosine
from esrgan.training.stage import from_bytes as from_bytes
from esrgan.training.stop_signal import StopSignal as StopSignal
from esrgan.training.strategy import ReplicaStrategy as ReplicaStrategy
from esrgan.training.strategy import loss_of_a_process as loss_of_a_process
from esrgan.training.streaks import Streaks as Streaks
from esrgan.training.training_log import TrainingLog as TrainingLog
from esrgan.training.validation import Validation as Validation
