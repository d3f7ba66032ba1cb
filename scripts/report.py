"""Compare runs: their settings, metrics and cost."""

import sys

from esrgan.commands.report import main

if __name__ == "__main__":
    sys.exit(main())
