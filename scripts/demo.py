"""The main job from end to end: sample photographs, data set, training, evaluation, picture."""

import shlex
import subprocess
import sys
from pathlib import Path

from esrgan.data import write_sample_photographs

PHOTOGRAPHS = Path("data/sample")
DATA_SET = Path("data/sample_x4")
RUN = Path("experiments/quickstart")
PICTURE = RUN / "held_out.png"


def main() -> int:
    try:
        write_sample_photographs(PHOTOGRAPHS)
        if not DATA_SET.exists():
            run("scripts/prepare_data.py", PHOTOGRAPHS / "train", "--output", DATA_SET)
        resume = ["resume=true"] if (RUN / "settings.json").exists() else []
        run("train.py", "experiment=quickstart", *resume)
        held_out = PHOTOGRAPHS / "held_out"
        options = ["--benchmark", held_out, "--sheet", PICTURE, "--overwrite"]
        run("scripts/evaluate.py", "bicubic", RUN, *options)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:  # it has said why
        return error.returncode
    except KeyboardInterrupt:
        return 130
    print(f"\nlq, bicubic, ours and gt, side by side: {PICTURE}")
    return 0


def run(*words: str | Path) -> None:
    """Say what a user would type, and do it."""
    command = [str(word) for word in words]
    print(f"\n$ python {shlex.join(command)}", flush=True)
    subprocess.run([sys.executable, *command], check=True)


if __name__ == "__main__":
    sys.exit(main())
