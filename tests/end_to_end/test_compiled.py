"""Trainings by PyTorch's compiler; each takes a minute to begin."""

import pytest
from run_content import content

from esrgan.runs import read_newest


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """What the compiler keeps, for these tests alone."""
    return {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param("settings", marks=pytest.mark.soak),
        pytest.param("gan_settings", marks=pytest.mark.slow),
    ],
)
def test_it_computes_the_same_and_goes_on_exactly(server, cache, request, tmp_path, stage):
    short = request.getfixturevalue(stage) | {"iterations": 15, "validation.every": 5}
    short |= {"precision": "64-true"}
    runs = {}
    for choice in ("false", "true"):
        folder = tmp_path / choice
        folder.mkdir()
        compiled = short | {"compile": choice}
        training = server.start(folder, compiled, environment=cache)
        assert training.wait() == 0, training.stderr
        runs[choice] = training.run
    assert "the first iteration took" in training.stdout

    plain, compiled = (read_newest(run / "checkpoints") for run in runs.values())
    for network in ("generator", "ema", "discriminator"):
        for key, weight in (plain.get(network) or {}).items():
            if network == "discriminator" and not key.endswith("weight"):
                continue  # a bias that BatchNorm takes away again has gradients of rounding alone
            other = compiled[network][key]
            assert weight.allclose(other, rtol=1e-6, atol=1e-9), (network, key)

    expected = content(runs["true"])
    max(runs["true"].glob("checkpoints/*.ckpt")).unlink()  # as if it had been killed before
    resumed = short | {"compile": "true", "resume": True}
    assert server.start(tmp_path / "true", resumed, environment=cache).wait() == 0
    assert content(runs["true"]) == expected


def test_without_a_compiler_the_fix_is_named(server, settings, tmp_path):
    empty = {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    compiled = settings | {"compile": "true"}
    training = server.start(tmp_path, compiled, fault="no_compiler", environment=empty)
    assert training.wait() == 2
    (line,) = [line for line in training.stderr.splitlines() if line.startswith("error: ")]
    assert "PyTorch cannot compile the networks" in line
    assert "compile=false trains without" in line
    assert "Traceback" not in training.stderr
    assert not training.run.exists()
