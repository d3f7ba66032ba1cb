"""What makes low-quality images; what needs torch, which takes seconds, is in its modules only."""

from esrgan.degradations.bicubic import CONVENTIONS as CONVENTIONS
from esrgan.degradations.bicubic import resize_double as resize_double
from esrgan.degradations.bicubic import resize_uint8 as resize_uint8
from esrgan.degradations.bicubic import shrink_and_enlarge as shrink_and_enlarge
from esrgan.degradations.degraded_images import DegradedImages as DegradedImages
