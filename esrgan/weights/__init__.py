from esrgan.weights.about import read_metadata, run_metadata
from esrgan.weights.architecture import Generator, multiple_of
from esrgan.weights.dialects import DIALECTS
from esrgan.weights.discriminators import Discriminator
from esrgan.weights.files import WeightsError, load_state_dict_file
from esrgan.weights.find import find_weights, list_checkpoints, newest_weights
from esrgan.weights.interpolate import (
    SAME_LINEAGE,
    interpolate,
    lineage_similarity,
    lineage_warning,
)
from esrgan.weights.load import load_discriminator, load_generator, load_into
from esrgan.weights.match import MatchReport
from esrgan.weights.onnx import save_onnx
from esrgan.weights.parts import AVERAGE, RAW
from esrgan.weights.release import save_release

__all__ = [
    "AVERAGE",
    "DIALECTS",
    "RAW",
    "SAME_LINEAGE",
    "Discriminator",
    "Generator",
    "MatchReport",
    "WeightsError",
    "find_weights",
    "interpolate",
    "lineage_similarity",
    "lineage_warning",
    "list_checkpoints",
    "load_discriminator",
    "load_generator",
    "load_into",
    "load_state_dict_file",
    "multiple_of",
    "newest_weights",
    "read_metadata",
    "run_metadata",
    "save_onnx",
    "save_release",
]
