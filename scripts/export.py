"""Write a trained network for other programs; see esrgan/commands/export.py."""

from esrgan.commands.export import main

if __name__ == "__main__":
    raise SystemExit(main())
