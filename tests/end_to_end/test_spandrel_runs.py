"""Networks that spandrel has: trained, killed, continued, evaluated, upscaled, exported."""

import numpy as np
import pytest
import torch
from killing import kill_and_resume
from run_content import content
from spandrel import ModelLoader
from spandrel_samples import SMALL, small

from esrgan.commands import evaluate, export, upscale
from esrgan.data import read_image
from esrgan.runs import read_newest
from esrgan.weights import load_generator

LONG = [
    pytest.param(name, marks=pytest.mark.soak if name == "RealPLKSR" else pytest.mark.slow)
    for name in SMALL
]


def without_a_network(settings):
    kept = {key: value for key, value in settings.items() if not key.startswith("generator.")}
    return kept | {"schedule.warmup_iterations": 2}


def settings_of(settings, name):
    own = {f"generator.parameters.{key}": value for key, value in SMALL[name].items()}
    return without_a_network(settings) | {
        "generator": "spandrel",
        "generator.architecture": name,
        **own,
        "iterations": 20,
        "training.optimizer.lr": 1e-3,
        "training.ema_decay": 0.9,
    }


@pytest.fixture(params=LONG)
def trained(request, server, settings, tmp_path):
    """The settings of a run of 20 iterations, and its folder."""
    (tmp_path / "whole").mkdir()
    chosen = settings_of(settings, request.param)
    training = server.start(tmp_path / "whole", chosen)
    assert training.wait() == 0, training.stderr
    return chosen, training.run


def test_a_run_is_continued_in_every_bit_and_what_it_releases_is_used(
    trained, server, tmp_path, capsys
):
    settings, run = trained
    (tmp_path / "killed").mkdir()
    kill_and_resume(server, tmp_path / "killed", settings, num_kills=2)
    assert content(tmp_path / "killed/experiments/run") == content(run)

    held_out, exported = settings["validation_set"], tmp_path / "exported.safetensors"
    benchmark = ["--benchmark", str(held_out), "--output", str(tmp_path / "scores")]
    assert evaluate.main([str(run), *benchmark]) == 0
    assert export.main([str(run), "--output", str(exported)]) == 0
    opened = ModelLoader().load_from_file(exported)
    tiles = ["--tile", "16", "--output", str(tmp_path / "tiles"), "--precision", "fp32"]
    assert upscale.main([str(run), str(held_out), *tiles]) == 0
    printed = capsys.readouterr()
    assert f"{settings['generator.architecture']} of spandrel, whose code is under" in printed.out
    assert "of spandrel, whose code is under" in printed.err  # of evaluate
    assert "note:" not in printed.err
    for path in sorted(held_out.iterdir()):
        lq = torch.from_numpy(read_image(path)).permute(2, 0, 1)[None] / 255
        whole = opened(lq)[0].permute(1, 2, 0).numpy() * 255
        tiled = read_image(tmp_path / "tiles" / path.name)
        assert np.abs(tiled - whole).max() < 1.5


@pytest.mark.parametrize(
    "name", ["SPAN", *(pytest.param(name, marks=pytest.mark.soak) for name in ("SwinIR", "DAT"))]
)
def test_a_public_file_is_trained_on_and_the_run_goes_on_without_it(
    server, settings, tmp_path, name
):
    public = tmp_path / "4x_public.pth"
    state = small(name).state_dict()
    torch.save({"params_ema": state}, public)
    fine = without_a_network(settings) | {"generator": "from_file", "init_from": public}
    fine |= {"training.optimizer.lr": 1e-4}
    training = server.start(tmp_path, fine | {"iterations": 5})
    assert training.wait() == 0, training.stderr
    assert f"{public}: {len(state)} of the network's {len(state)} tensors fit" in training.stdout
    public.unlink()
    longer = server.start(tmp_path, fine | {"iterations": 10, "resume": True})
    assert longer.wait() == 0, longer.stderr
    assert "from iteration 5 to 10" in longer.stdout
    released = load_generator(longer.run / "run.pth")
    assert released.architecture == small(name).architecture
    learnt = released.state_dict()
    assert any(not torch.equal(learnt[key], state[key]) for key in state)


def test_processes_that_validate_nothing_have_the_weights_of_those_that_do(
    server, settings, tmp_path
):
    """SPAN computes weights anew where it is evaluated, here in one of two processes."""
    held_out = tmp_path / "held_out"
    held_out.mkdir()
    first = min(settings["validation_set"].iterdir())
    (held_out / first.name).write_bytes(first.read_bytes())
    one = settings_of(settings, "SPAN") | {
        "validation_set": held_out,
        "training.ema_decay": "null",
        "iterations": 10,
    }
    processes = server.start_several(tmp_path, one, count=2)
    assert [process.wait() for process in processes] == [0, 0], processes[0].stderr


@pytest.mark.soak
def test_a_compiled_run_leaves_the_weights_that_evaluation_computes_alone(
    server, settings, tmp_path
):
    """Without an average, it is the compiled network that is validated."""
    states = {}
    for choice in ("true", "false"):
        (tmp_path / choice).mkdir()
        chosen = settings_of(settings, "SPAN") | {"compile": choice, "training.ema_decay": "null"}
        training = server.start(tmp_path / choice, chosen)
        assert training.wait() == 0, training.stderr
        states[choice] = read_newest(training.run / "checkpoints")["generator"]
    for key, tensor in states["false"].items():
        torch.testing.assert_close(states["true"][key], tensor, rtol=0, atol=1e-4)
        assert "eval_conv" not in key or torch.equal(states["true"][key], tensor)
