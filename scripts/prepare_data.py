"""Builds a data set for training from folders of images."""

import sys

from esrgan.commands.prepare_data import main

if __name__ == "__main__":
    sys.exit(main())
