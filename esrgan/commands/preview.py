"""Show what a training will see, before a day is spent on it.

usage: python scripts/preview.py experiment=NAME [KEY=VALUE ...] [options]

Takes the settings of train.py, and makes the samples of these numbers as training makes them: a
sheet, FOLDER/sheet.png, and a page, FOLDER/page.html, with what was drawn for each; of degradations
also how strong they are.

example: preview.py experiment=realesrgan_x4plus train_set=data/mine_gt degradations=photo
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from esrgan.commands.configs import configs_folder
from esrgan.data import read_image, write_png
from esrgan.errors import report_errors
from esrgan.files import refuse_existing
from esrgan.runs import Settings

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from esrgan.degradations.degrader import Degrader
    from esrgan.reports.preview_page import PreviewSample
    from esrgan.types import Image, WholeImages

NUM_SAMPLES, NUM_MEASURED = 12, 200


def main(argv: Sequence[str] | None = None) -> int:
    return report_errors(lambda: _run(parse_arguments(argv)))


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The settings as overrides, and what is to be shown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("settings", nargs="+", metavar="KEY=VALUE", help="as train.py takes them")
    add("--config-dir", type=Path, metavar="FOLDER", help="configs of your own, as train.py's")
    text = f"as 0-11,500; default: the first {NUM_SAMPLES}"
    add("--samples", type=_numbers, default=list(range(NUM_SAMPLES)), metavar="NUMBERS", help=text)
    text = "show the degraded validation set instead, whole images"
    add("--validation", action="store_true", help=text)
    add("--output", type=Path, default=Path("preview"), metavar="FOLDER", help="to make")
    add("--steps", type=Path, metavar="IMAGE", help="show this image after each step instead")
    text = f"how many samples to measure; default: {NUM_MEASURED}; 0: none"
    add("--strength", type=int, default=NUM_MEASURED, metavar="N", help=text)
    text = "also write what is shown as PNG files: FOLDER/gt and FOLDER/lq, which evaluate.py takes"
    add("--pairs", action="store_true", help=text)
    return parser.parse_args(argv)


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise argparse.ArgumentTypeError(f"{text} must be numbers and ranges, as 0-11,500")
        numbers += range(int(first), int(last if dash else first) + 1)
    return numbers


def _run(arguments: argparse.Namespace) -> None:
    refuse_existing(arguments.output, fix="give another folder, or remove it")
    from esrgan.hydra_errors import composed, plain_errors

    with plain_errors():
        cfg = composed(
            "train",
            arguments.settings,
            configs=configs_folder(),
            own=arguments.config_dir,
            schema=Settings,
        )
        if arguments.steps:
            _write_steps(cfg, arguments)
        else:
            _write_samples(cfg, arguments)
    sys.stdout.write(f"{arguments.output}\n")


def _write_steps(cfg: "DictConfig", arguments: argparse.Namespace) -> None:
    from esrgan.reports.preview_page import steps_sheet

    degrader = _degrader(cfg)
    image = read_image(arguments.steps)
    height, width = (side - side % cfg.scale for side in image.shape[:2])
    image = np.ascontiguousarray(image[:height, :width])
    degrader(image, 0)  # which refuses what is too small
    arguments.output.mkdir(parents=True)
    for number in arguments.samples:
        sheet = steps_sheet([*degrader.stages(image, number)])
        write_png(arguments.output / f"steps_{number}.png", sheet)


def _write_samples(cfg: "DictConfig", arguments: argparse.Namespace) -> None:
    from esrgan.reports import preview_page

    if arguments.validation:
        samples = [*_validation_samples(cfg, arguments.samples)]
        strength = None
    else:
        samples = [*_training_samples(cfg, arguments.samples)]
        strength = _strength(cfg, arguments.strength)
    output = arguments.output
    output.mkdir(parents=True)
    write_png(output / "sheet.png", preview_page.preview_sheet(samples))
    title = " ".join(arguments.settings)
    preview_page.write_preview_page(
        output / "page.html", title=title, samples=samples, strength=strength
    )
    if arguments.pairs:
        for name in ("gt", "lq"):
            (output / name).mkdir()
            for sample in samples:
                key = sample.title.replace("/", "_").replace(":", "")
                write_png(output / name / f"{key}.png", getattr(sample, name))
    if strength:
        sys.stdout.write(preview_page.strength_lines(strength) + "\n")


def _training_samples(cfg: "DictConfig", numbers: Sequence[int]) -> "Iterator[PreviewSample]":
    """Each as in a batch of its own: a sample does not depend on the others of its batch."""
    import torch
    from hydra.utils import instantiate

    from esrgan.degradations.degrader import Degrade, as_bytes
    from esrgan.reports.preview_page import PreviewSample

    data = instantiate(cfg.data.train, _convert_="all")
    prepare = instantiate(cfg.prepare, _convert_="all")
    for number in numbers:
        sample = data[number]
        images = prepare(data.collate([sample]), torch.float32)
        steps = ["as given"]
        if isinstance(prepare, Degrade) and not data.is_given(number):
            steps = [str(step) for _, step in prepare.degrader.draw(number).steps]
        title = f"{number}: {data.key(number)}"
        yield PreviewSample(title, as_bytes(images.gt), as_bytes(images.lq), steps)


def _validation_samples(cfg: "DictConfig", numbers: Sequence[int]) -> "Iterator[PreviewSample]":
    from hydra.utils import instantiate

    from esrgan.reports.preview_page import PreviewSample

    pairs: WholeImages = instantiate(cfg.validation.pairs, _convert_="all")
    for number in numbers:
        if number < len(pairs):
            lq, gt = pairs.read(number)
            yield PreviewSample(pairs.key(number), gt, lq, [])


def _strength(cfg: "DictConfig", count: int) -> list[float] | None:
    """PSNR in dB of the low-quality images of samples from 0 against clean ones."""
    from hydra.utils import instantiate

    from esrgan.degradations import resize_double

    if not cfg.degradations or count == 0:
        return None
    data, degrader = instantiate(cfg.data.train, _convert_="all"), _degrader(cfg)
    values = []
    for number in range(count):
        gt: Image = data[number]["gt"]
        difference = degrader(gt, number) - resize_double(gt, 1 / cfg.scale).astype(float)
        values.append(float(10 * np.log10(255**2 / np.mean(difference**2))))
    return values


def _degrader(cfg: "DictConfig") -> "Degrader":
    from hydra.utils import instantiate

    if not cfg.degradations:
        raise ValueError("degradations is none: choose some, as degradations=published")
    degrader: Degrader = instantiate(cfg.prepare.degrader, _convert_="all")
    return degrader
