"""Enlarge pictures by a trained network; also installed as `esrgan-upscale`."""

import sys

from esrgan.commands.upscale import main

if __name__ == "__main__":
    sys.exit(main())
