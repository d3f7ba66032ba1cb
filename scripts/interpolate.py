"""Mix two trained networks, and see what lies between them."""

import sys

from esrgan.commands.interpolate import main

if __name__ == "__main__":
    sys.exit(main())
