"""Running a trained network on images."""

from esrgan.inference.network import upscale as upscale
from esrgan.inference.upscaler import Upscaler as Upscaler
from esrgan.inference.upscaler import computes_in as computes_in
