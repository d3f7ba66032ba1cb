"""Fetches published data sets, benchmarks and weights: `--help` tells how."""

import sys

from esrgan.commands.download import main

if __name__ == "__main__":
    sys.exit(main())
