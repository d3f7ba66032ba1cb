from esrgan.degradations.bicubic import CONVENTIONS, resize_double, resize_uint8

__all__ = ["CONVENTIONS", "resize_double", "resize_uint8"]
