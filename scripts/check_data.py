"""Checks data sets: every file, key, size and value, against what was written."""

from esrgan.commands.check_data import main

if __name__ == "__main__":
    raise SystemExit(main())
