"""What training in bfloat16 costs in PSNR."""

from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import mean

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import seed_everything

from bench.recipe import experiment, quiet_lightning
from bench.sizes import Sizes
from bench.table import Cell, Table
from bench.worker import Worker
from esrgan.data import CODECS, Recipe, build_dataset
from esrgan.degradations import resize_double
from esrgan.training.ranks import Ranks

PRECISIONS = {"fp32, dB": "32-true", "bf16, dB": "bf16-mixed"}
SCALE = 4


def quality_table(images: Path, held_out: Path, folder: Path, sizes: Sizes) -> Table:
    """Train the same run in both number formats, side by side, from several seeds.

    Args:
        images: photographs to train on.
        held_out: photographs to score on.
        folder: to be made; holds the training set.
        sizes: has the number of iterations and of seeds.
    """
    recipe = Recipe(scale=SCALE, codec=CODECS["raw"], downscale=resize_double)
    build_dataset(folder, recipe, gt_folders=[images])
    arguments = (folder, held_out, sizes.iterations, sizes.seeds)
    rows: list[dict[str, Cell]] = []
    psnr: dict[str, list[float]] = {column: [] for column in PRECISIONS}
    with ExitStack() as stack:
        workers = {
            column: stack.enter_context(Worker(column, _train, precision, *arguments))
            for column, precision in PRECISIONS.items()
        }
        for seed in range(sizes.seeds):
            for column, worker in workers.items():
                trained, bicubic = worker.receive()
                psnr[column].append(trained)
            rows.append(_row(str(seed), {column: values[-1] for column, values in psnr.items()}))
    rows.append(_row("mean", {column: mean(values) for column, values in psnr.items()}))
    return Table(
        "Quality of bfloat16",
        f"PSNR-Y on {held_out.name} after {sizes.iterations:,} iterations of a tiny RRDB (16/1/8, "
        "8 patches of 64), with the same first weights and the same stream of patches; bicubic "
        f"has {bicubic:.3f} dB.",
        rows,
    )


def _train(
    results: Connection,
    precision: str,
    train_set: Path,
    held_out: Path,
    iterations: int,
    seeds: int,
) -> None:
    torch.set_num_threads(1)  # more have little to share in so small a network
    quiet_lightning()
    for seed in range(seeds):
        cfg = tiny_run(train_set, held_out, iterations, seed=seed, precision=precision)
        results.send(scores(cfg))


def _row(seed: str, psnr: dict[str, float]) -> dict[str, Cell]:
    fp32, bf16 = psnr.values()
    cells: dict[str, Cell] = {column: f"{value:.3f}" for column, value in psnr.items()}
    return {"seed": seed} | cells | {"bf16 less fp32": f"{bf16 - fp32:+.3f}"}


def tiny_run(
    train_set: Path, held_out: Path, iterations: int, *, seed: int, precision: str
) -> DictConfig:
    return experiment(
        "quickstart",
        generator__num_features=16,
        generator__num_blocks=1,
        generator__growth_channels=8,
        train_set=train_set,
        validation_set=held_out,
        batch_size=8,
        patch_size=64,
        iterations=iterations,
        data__num_workers=0,
        seed=seed,
        precision=precision,
    )


def scores(cfg: DictConfig) -> tuple[float, float]:
    """PSNR-Y in dB, of the network after its training and of bicubic interpolation."""
    seed_everything(cfg.seed, verbose=False)
    generator = instantiate(cfg.generator)
    stage = instantiate(cfg.training, generator=generator, _convert_="all")
    trainer = instantiate(cfg.trainer, callbacks=[], logger=False)
    trainer.fit(stage, instantiate(cfg.data))
    metrics, _ = instantiate(cfg.validation).run(stage.evaluated, Ranks())
    return metrics["val/psnr_y"], metrics["val/bicubic_psnr_y"]
