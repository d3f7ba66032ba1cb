"""Mix two trained networks, and see what lies between them."""

from esrgan.commands.interpolate import main

if __name__ == "__main__":
    raise SystemExit(main())
