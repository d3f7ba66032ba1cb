"""Show where the numbers of an iteration stop being finite: `esrgan replay`."""

from esrgan.commands.replay import main

if __name__ == "__main__":
    raise SystemExit(main())
