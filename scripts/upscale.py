"""Enlarge pictures and videos by a trained network; also installed as `esrgan-upscale`."""

from esrgan.commands.upscale import main

if __name__ == "__main__":
    raise SystemExit(main())
