"""Which file of weights a word on a command line stands for."""

from pathlib import Path


def find_weights(word: str) -> Path:
    """A file, or the newest release or checkpoint of a run.

    Raises:
        ValueError: it is neither.
    """
    path = Path(word)
    file = path if path.is_file() else newest_weights(path)
    if file is None:
        raise ValueError(f"{word} must be a file of weights, or the folder of a run that has some")
    return file


def newest_weights(run: Path) -> Path | None:
    """None: the folder has no weights."""
    releases = [*run.glob("*.pth"), *run.glob("*.safetensors")]
    return max(
        [*list_checkpoints(run)[-1:], *sorted(releases)],
        key=lambda file: file.stat().st_mtime_ns,
        default=None,
    )


def list_checkpoints(run: Path) -> list[Path]:
    """The newest last: their names begin with the iteration."""
    return sorted(run.glob("checkpoints/*.ckpt"))
