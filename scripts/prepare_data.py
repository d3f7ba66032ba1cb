"""Builds a data set for training from folders of images."""

from esrgan.commands.prepare_data import main

if __name__ == "__main__":
    raise SystemExit(main())
