"""Train an experiment: `python train.py experiment=NAME [key=value ...]`; alone, it lists them."""

from esrgan.commands.train import main
from esrgan.signals import decided

if __name__ == "__main__":
    raise SystemExit(decided(main()))
