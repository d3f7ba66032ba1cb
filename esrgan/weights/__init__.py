from esrgan.weights.architecture import Generator, architecture_of, multiple_of, scale_of
from esrgan.weights.interpolation import interpolate, lineage_warning
from esrgan.weights.keys import KEY_LAYOUTS
from esrgan.weights.load import generator_in, load_discriminator, load_generator, load_into
from esrgan.weights.reading import (
    EMA,
    RAW,
    WeightsError,
    load_state_dict_file,
    read_metadata,
    read_weights_file,
)
from esrgan.weights.release import save_onnx, save_release

__all__ = [
    "EMA",
    "KEY_LAYOUTS",
    "RAW",
    "Generator",
    "WeightsError",
    "architecture_of",
    "generator_in",
    "interpolate",
    "lineage_warning",
    "load_discriminator",
    "load_generator",
    "load_into",
    "load_state_dict_file",
    "multiple_of",
    "read_metadata",
    "read_weights_file",
    "save_onnx",
    "save_release",
    "scale_of",
]
