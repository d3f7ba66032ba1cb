"""What training in bfloat16 costs in PSNR."""

from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import mean

import torch
from hydra.utils import instantiate

from bench.result import Table
from bench.sizes import RRDB, Sizes
from bench.steps import experiment, feed_of, train
from bench.turns import worker
from esrgan.data import CODECS, Recipe, build_dataset
from esrgan.degradations import resize_double
from esrgan.training.ranks import Ranks


def quality_table(images: Path, held_out: Path, folder: Path, sizes: Sizes) -> Table:
    """Train on images the same run in both number formats, side by side, from several seeds."""
    build_dataset(folder, Recipe(4, CODECS["raw"], resize_double), gt_folders=[images])
    tiny = sizes._replace(trained=RRDB(16, 1, 8), batch_size=8, patch_size=64)
    scores: dict[str, tuple[float, float]] = {}
    with ExitStack() as stack:
        in_fp32, in_bf16 = (
            stack.enter_context(worker(precision, _score, precision, folder, held_out, tiny))
            for precision in ("32-true", "bf16-mixed")
        )
        for seed in range(sizes.seeds):
            (fp32, bicubic), (bf16, _) = in_fp32(), in_bf16()
            scores[str(seed)] = fp32, bf16
    fp32, bf16 = map(mean, zip(*scores.values(), strict=True))
    scores["mean"] = fp32, bf16
    return Table(
        "Quality of bfloat16",
        f"PSNR-Y on {held_out.name} after {sizes.iterations:,} iterations of a tiny RRDB (16/1/8, "
        "8 patches of 64), with the same first weights and the same stream of patches; bicubic "
        f"has {bicubic:.3f} dB.",
        [
            {
                "seed": seed,
                "fp32, dB": f"{fp32:.3f}",
                "bf16, dB": f"{bf16:.3f}",
                "bf16 less fp32": f"{bf16 - fp32:+.3f}",
            }
            for seed, (fp32, bf16) in scores.items()
        ],
    )


def _score(to: Connection, precision: str, train_set: Path, held_out: Path, sizes: Sizes) -> None:
    """Send the PSNR-Y of the network and that of bicubic interpolation for each seed."""
    torch.set_num_threads(1)  # more have little to share in so small a network
    settings = {
        "precision": precision,
        "iterations": sizes.iterations,
        "schedule.warmup_iterations": min(50, sizes.iterations // 2),
        "data.num_workers": 0,
    }
    for seed in range(sizes.seeds):
        cfg = experiment("quickstart", sizes, settings | {"seed": seed})
        cfg.train_set, cfg.validation_set = str(train_set), str(held_out)
        stage = train(cfg, feed_of(cfg))
        scores = instantiate(cfg.validation).run(stage.evaluated, Ranks()).values()
        to.recv()
        to.send((scores["val/PSNR-Y"], scores["val/bicubic_PSNR-Y"]))
