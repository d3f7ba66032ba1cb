"""Training framework for ESRGAN image super-resolution."""

__version__ = "0.2.0"
