from esrgan.degradations.bicubic import CONVENTIONS, Resize, resize_double, resize_uint8

__all__ = ["CONVENTIONS", "Resize", "resize_double", "resize_uint8"]
