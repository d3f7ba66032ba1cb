"""Train an experiment: `python train.py experiment=NAME [key=value ...]`; alone, it lists them."""

from esrgan.commands.train import main

if __name__ == "__main__":
    raise SystemExit(main())
