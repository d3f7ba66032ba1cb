"""Running trained networks on images."""

from esrgan.inference.chain import Chain as Chain
from esrgan.inference.chain import Enlarger as Enlarger
from esrgan.inference.network import upscale as upscale
from esrgan.inference.upscaler import Upscaler as Upscaler
from esrgan.inference.upscaler import computes_in as computes_in
