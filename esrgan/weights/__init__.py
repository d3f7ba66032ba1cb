from esrgan.weights.architecture import Generator
from esrgan.weights.files import WeightsError, load_state_dict_file
from esrgan.weights.interpolate import SAME_LINEAGE, interpolate, lineage_similarity
from esrgan.weights.load import load_generator, load_into
from esrgan.weights.match import MatchReport
from esrgan.weights.release import save_release

__all__ = [
    "SAME_LINEAGE",
    "Generator",
    "MatchReport",
    "WeightsError",
    "interpolate",
    "lineage_similarity",
    "load_generator",
    "load_into",
    "load_state_dict_file",
    "save_release",
]
