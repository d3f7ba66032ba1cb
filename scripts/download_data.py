"""Fetches published data sets, benchmarks and weights: `--help` tells how."""

from esrgan.commands.download import main

if __name__ == "__main__":
    raise SystemExit(main())
