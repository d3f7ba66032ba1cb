"""Show what a training will see: `esrgan preview`."""

from esrgan.commands.preview import main

if __name__ == "__main__":
    raise SystemExit(main())
