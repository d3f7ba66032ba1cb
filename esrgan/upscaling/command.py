"""Enlarges pictures by a trained network: `esrgan-upscale`, `scripts/upscale.py`."""

import argparse
import sys
from collections.abc import Sequence

from esrgan.command_line import FAILED, report_errors
from esrgan.upscaling.arguments import parse_arguments
from esrgan.upscaling.inputs import find_images
from esrgan.upscaling.outputs import plan_jobs


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0; 2 where something could not be done; 130 after Ctrl-C."""
    return report_errors(lambda: _run(parse_arguments(argv)))


def _run(arguments: argparse.Namespace) -> int:
    images = find_images(arguments.images, output=arguments.output)
    jobs = plan_jobs(
        images,
        arguments.output,
        ending=f"{arguments.suffix}.{arguments.format}",
        existing=arguments.existing,
    )
    if len(jobs) < len(images):
        sys.stdout.write(f"{len(images) - len(jobs)} of {len(images)} exist and are left\n")
    if not jobs:
        return 0
    # Not before: torch takes seconds, which --help and a misspelt name need not wait for.
    from esrgan.upscaling.session import upscale_all

    return FAILED if upscale_all(jobs, arguments) else 0
