"""Score methods on benchmarks: `esrgan evaluate`."""

import sys

from esrgan.commands.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
