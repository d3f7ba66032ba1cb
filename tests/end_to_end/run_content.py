"""What a run leaves behind, in a form that two runs can be compared in."""

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from esrgan.runs import read_newest


def content(run):
    """Everything but the settings, the speed and the clock."""
    state = read_newest(run / "checkpoints")
    del state["settings"]  # they say whether a run was resumed
    logs = {name: (run / name).read_text() for name in ("train.csv", "val.csv")}
    return dict(_flat(state)) | logs | {"tensorboard": scalars(run)}


def _flat(value, path=""):
    """The bits of all tensors, and the numbers, of nested containers by their paths."""
    if isinstance(value, torch.Tensor):
        yield path, (value.dtype, value.shape, value.numpy().tobytes())
    elif isinstance(value, dict | list | tuple):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(child, f"{path}/{key}")
    else:
        yield path, value


def scalars(run):
    """Step and value of TensorBoard's curves, as its own reader sees them."""
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    tags = [tag for tag in events.Tags()["scalars"] if not tag.startswith("speed")]
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}


def logged_iterations(path):
    lines = path.read_text().splitlines() if path.exists() else []
    return [int(line.partition(",")[0]) for line in lines[1:]]
