"""What files of weights say of themselves."""

import pytest
from safetensors.torch import save_file

from esrgan.runs import RunFolder, write_checkpoint
from esrgan.weights import WeightsError, read_metadata, save_release

SETTINGS = {"scale": 4, "name": "gan", "init_from": "/home/me/psnr.pth"}
STATE = {"iteration": 100, "settings": SETTINGS}


@pytest.fixture
def run(tmp_path, rrdb):
    """A run of the name `gan` that was validated, with a checkpoint."""
    folder = RunFolder(tmp_path / "gan")
    folder.path.mkdir()
    (folder.path / "val.csv").write_text("iteration,psnr_y\n50,24.5\n100,25.25\n")
    state = STATE | {"generator": rrdb.state_dict(), "ema": None}
    write_checkpoint(folder.checkpoints, 100, state)
    return folder


def test_a_checkpoint_says_what_its_release_would(run, rrdb):
    expected = run.describe(STATE)
    assert set(expected) == {"run", "iterations", "esrgan", "recipe", "metrics"}
    assert read_metadata(run.list_checkpoints()[0]) == expected
    save_release(run.release, rrdb, metadata=expected)
    assert read_metadata(run.release) == {"scale": "4", **expected}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_release_says_what_it_was_given(rrdb, tmp_path, suffix):
    save_release(tmp_path / f"a{suffix}", rrdb, metadata={"recipe": "{}", "note": "é"})
    expected = {"recipe": "{}", "note": "é", "scale": "4"}
    assert read_metadata(tmp_path / f"a{suffix}") == expected


def test_what_programs_put_into_safetensors_for_themselves_is_not_taken_along(rrdb, tmp_path):
    save_file(rrdb.state_dict(), tmp_path / "a.safetensors", {"format": "pt", "author": "me"})
    assert read_metadata(tmp_path / "a.safetensors") == {"author": "me"}


@pytest.mark.parametrize("metadata", [None, 3, {"a": 1}])
def test_a_file_of_another_program_may_say_nothing_or_anything(rrdb, save, metadata):
    content = {"params": rrdb.state_dict(), "metadata": metadata}
    assert read_metadata(save(content)) == ({"a": "1"} if metadata == {"a": 1} else {})
    assert read_metadata(save(rrdb.state_dict())) == {}
    strange = {"params": rrdb.state_dict(), "settings": "none", "iteration": "last"}
    assert read_metadata(save(strange)) == {}


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.pth is not a file"):
        read_metadata(tmp_path / "none.pth")
