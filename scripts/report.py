"""Compare runs: their settings, metrics and cost."""

from esrgan.commands.report import main

if __name__ == "__main__":
    raise SystemExit(main())
