"""Score methods on benchmarks: `esrgan evaluate`."""

from esrgan.commands.evaluate import main

if __name__ == "__main__":
    raise SystemExit(main())
