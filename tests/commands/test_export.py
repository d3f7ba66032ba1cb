import json
import re
import subprocess
import sys
from functools import partial

import pytest
import torch
from safetensors import safe_open

from esrgan.commands import export
from esrgan.errors import FAILED
from esrgan.networks import RRDBNet, SRResNet
from esrgan.runs import write_checkpoint
from esrgan.weights import KEY_LAYOUTS, load_generator, read_metadata, save_release


@pytest.fixture
def run(call):
    return partial(call, "export.py", export.main)


def tiny(num_blocks=1):
    torch.manual_seed(num_blocks)
    return RRDBNet(
        num_features=4, num_blocks=num_blocks, growth_channels=2, initialise=lambda _: None
    )


@pytest.fixture
def release(tmp_path):
    """A file of one set of weights, with metadata."""
    save_release(tmp_path / "gan.pth", tiny(), metadata={"recipe": '{"lr": 1}', "run": "gan"})
    return tmp_path / "gan.pth"


@pytest.fixture
def checkpoint(tmp_path):
    """A run's: the average has one block, the raw weights have two."""
    folder = tmp_path / "experiments/gan/checkpoints"
    state = {"ema": tiny(1).state_dict(), "generator": tiny(2).state_dict(), "iteration": 100}
    path = write_checkpoint(folder, 100, state | {"settings": {"seed": 5, "name": "gan"}})
    (folder.parent / "val.csv").write_text("iteration,psnr_y\n100,25.5\n")
    write_checkpoint(folder, 50, state | {"ema": tiny(3).state_dict()})
    return path


def num_blocks(path):
    return load_generator(path).architecture["num_blocks"]


def test_weights_are_written_with_all_that_was_said_of_them(run, release, tmp_path):
    output = tmp_path / "new" / "a.safetensors"
    code, printed, errors = run(release, "--output", output, "--as-trained")
    assert code == 0
    assert errors.startswith("note: programs that read weights by spandrel")
    count = sum(parameter.numel() for parameter in tiny().parameters())
    assert f"gan.pth: {count:,} parameters, network RRDBNet, scale 4, " in printed
    assert f"a.safetensors: {output.stat().st_size / 1e6:.1f} MB, float32" in printed
    loaded = load_generator(output).state_dict()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in tiny().state_dict().items())
    with safe_open(output, framework="pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["architecture"])["num_blocks"] == 1
    assert read_metadata(output) == {"recipe": '{"lr": 1}', "run": "gan", "scale": "4"}


def test_what_others_do_not_see_is_computed_into_the_weights(run, release, tmp_path):
    output = tmp_path / "a.pth"
    code, printed, errors = run(release, "--output", output)
    assert (code, errors) == (0, "")
    assert "computed into the weights, because other programs do not see it: growth_cha" in printed
    assert load_generator(output).architecture["growth_channels"] == 32


def test_a_network_that_others_never_read_is_named(run, tmp_path):
    save_release(tmp_path / "x3.pth", RRDBNet(num_blocks=1, scale=3), metadata={})
    code, _, errors = run(tmp_path / "x3.pth", "--output", tmp_path / "a.pth")
    assert code == 0
    assert "or read another network: they take its enlargement by 3 for one by 2" in errors


@pytest.mark.parametrize(
    ("layout", "first"),
    [
        ("basicsr", "body.0.rdb1.conv1.weight"),
        ("esrgan", "RRDB_trunk.0.RDB1.conv1.weight"),
        ("2018", "model.1.sub.0.RDB1.conv1.0.weight"),
    ],
)
def test_names_and_precision_are_those_asked_for(run, release, tmp_path, layout, first):
    output = tmp_path / "a.safetensors"
    code, printed, _ = run(release, "--output", output, "--layout", layout, "--half")
    assert code == 0
    assert "MB, float16" in printed
    with safe_open(output, framework="pt") as file:
        assert file.get_tensor(first).dtype == torch.float16


def test_layouts_have_the_names_that_files_are_written_in(run, release, tmp_path):
    assert tuple(KEY_LAYOUTS) == export.LAYOUTS
    output = tmp_path / "a.safetensors"
    assert (
        run(release, "--output", output, "--dialect", "2018")[0] == 0
    )  # the option's earlier name
    with safe_open(output, framework="pt") as file:
        assert "model.0.weight" in file.keys()  # noqa: SIM118 (no dict)


def test_of_a_run_the_average_is_written_with_its_recipe(run, checkpoint, tmp_path):
    output = tmp_path / "a.pth"
    assert run(checkpoint.parents[1], "--output", output)[0] == 0
    assert num_blocks(output) == 1
    metadata = read_metadata(output)
    assert json.loads(metadata["recipe"]) == {"seed": 5}
    assert (metadata["run"], metadata["iterations"]) == ("gan", "100")


@pytest.mark.parametrize(("weights", "blocks"), [("ema", 1), ("raw", 2)])
@pytest.mark.parametrize("by_folder", [True, False])
def test_of_a_checkpoint_either_set_can_be_written(
    run, checkpoint, release, tmp_path, weights, blocks, by_folder
):
    release.rename(checkpoint.parents[1] / "gan.pth")  # newer, but there is no choice in it
    source = checkpoint.parents[1] if by_folder else checkpoint
    assert run(source, "--output", tmp_path / "a.pth", "--weights", weights)[0] == 0
    assert num_blocks(tmp_path / "a.pth") == blocks
    metadata = read_metadata(tmp_path / "a.pth")
    assert metadata["iterations"] == "100"
    assert ("metrics" in metadata) == (weights == "ema")  # it is the average that is validated


def test_a_program_is_told_with_the_difference_that_was_measured(
    run, release, tmp_path, monkeypatch
):
    given = {}

    def save(path, network, **arguments):
        given.update(arguments, network=network)
        path.write_bytes(bytes(70_000))
        return 4.52e-6

    monkeypatch.setattr("esrgan.weights.save_onnx", save)  # the exporter takes seconds
    code, printed, _ = run(release, "--output", tmp_path / "a.onnx", "--overwrite")
    assert code == 0
    assert "a.onnx: 0.1 MB, float32, opset 18, at most 4.5e-06 from PyTorch's output" in printed
    assert given["metadata"] == {"recipe": '{"lr": 1}', "run": "gan", "scale": "4"}
    assert given["overwrite"]
    assert given["network"].architecture == tiny().architecture


def test_a_program_of_ncnn_is_two_files(run, release, tmp_path):
    code, printed, errors = run(release, "--output", tmp_path / "a-x4.param")
    assert (code, errors) == (0, "")
    assert re.search(r"a-x4\.param: 0\.0 MB, with \S+a-x4\.bin: 0\.0 MB, float16, at most", printed)
    assert {"a-x4.param", "a-x4.bin"} < {each.name for each in tmp_path.iterdir()}
    code, _, errors = run(release, "--output", tmp_path / "a-x4.param", "--fp32")
    assert code == FAILED
    assert "a-x4.param exists" in errors


def test_a_name_that_others_read_wrongly_is_refused(run, release, tmp_path):
    code, _, errors = run(release, "--output", tmp_path / "a-x2.param")
    assert code == FAILED
    assert "which has x2 in it; the network's is 4" in errors
    assert list(tmp_path.iterdir()) == [release]


def test_a_shape_that_is_none_is_refused(run, release, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(release, "--output", tmp_path / "a.onnx", "--shape", "1x3x0x8")
    assert "1x3x0x8 must be batch x 3 x height x width, as 1x3x256x256" in capsys.readouterr().err


@pytest.mark.slow
def test_a_program_is_written(run, release, tmp_path):
    code, printed, errors = run(release, "--output", tmp_path / "a.onnx")
    assert (code, errors) == (0, "")
    assert "from PyTorch's output" in printed
    assert (tmp_path / "a.onnx").exists()


def test_nothing_is_written_over_unasked(run, release, tmp_path):
    output = tmp_path / "a.pth"
    output.write_text("mine")
    code, _, errors = run(release, "--output", output)
    assert (code, output.read_text()) == (FAILED, "mine")
    assert "a.pth exists and is not overwritten: choose another name, or give --overwrite" in errors
    assert run(release, "--output", output, "--overwrite")[0] == 0
    assert num_blocks(output) == 1


def test_a_source_is_not_replaced_by_what_is_made_of_it(run, release):
    before = release.read_bytes()
    code, _, errors = run(release, "--output", release, "--overwrite", "--half")
    assert code == FAILED
    assert "is what is exported" in errors
    assert release.read_bytes() == before


def test_a_run_does_not_come_to_stand_for_an_export_of_it(run, checkpoint, monkeypatch):
    folder = checkpoint.parents[1]
    code, _, errors = run(folder, "--output", folder / "half.pth", "--half")
    assert code == FAILED
    assert "is the folder of a run, which would then stand for half.pth" in errors
    monkeypatch.setattr("esrgan.weights.save_onnx", lambda path, *_, **__: path.touch() or 0.0)
    assert run(folder, "--output", folder / "gan.onnx")[0] == 0  # which is never looked for


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "a.bin"], "a.bin must end in .safetensors or .pth or .onnx or .param"),
        (["--output", "a.onnx", "--layout", "2018"], "--layout has no effect on .onnx"),
        (["--output", "a-x4.param", "--half"], "its weights are float16 unless --fp32 is given"),
        (["--output", "a-x4.param", "--shape", "1x3x8x8"], "it is for .onnx: what else is written"),
        (["--output", "a.onnx", "--fp32"], "--fp32 has no effect on .onnx: it is for .param"),
        (["--output", "a.pth", "--weights", "raw"], "one set of weights: --weights has nothing to"),
        (["--output", "gan.pth/a.pth"], "gan.pth is not a folder"),
    ],
)
def test_options_without_effect_are_refused(run, release, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    code, printed, errors = run("gan.pth", *options)
    assert (code, printed) == (FAILED, "")
    assert message in errors
    assert list(tmp_path.iterdir()) == [release]


def test_a_layout_is_refused_where_there_is_none(run, tmp_path):
    network = SRResNet(num_features=4, num_blocks=1)
    save_release(tmp_path / "s.pth", network, metadata={})
    code, _, errors = run(tmp_path / "s.pth", "--output", tmp_path / "a.pth", "--layout", "2018")
    assert code == FAILED
    assert "--layout is for RRDBNet: the layers of SRResNet have one set of names" in errors
    assert not (tmp_path / "a.pth").exists()


def test_an_unknown_argument_is_refused_as_everywhere(run):
    with pytest.raises(SystemExit) as refused:
        run("gan.pth", "--output", "a.pth", "--alpha", "1")
    assert refused.value.code == FAILED


def test_help_and_refusals_do_not_wait_for_torch():
    code = (
        "import sys; from esrgan.commands.export import main; "
        "assert main(['a.pth', '--output', 'a.bin']) == 2; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_source_that_is_none_is_named(run, tmp_path):
    for options in ([], ["--weights", "raw"]):
        code, _, errors = run(tmp_path, "--output", tmp_path / "a.pth", *options)
        assert code == FAILED
        assert "has no checkpoint" in errors or "must be a file of weights" in errors
        code, _, errors = run("none.pth", "--output", tmp_path / "a.pth", *options)
        assert code == FAILED
        assert "none.pth must be a file of weights" in errors


def test_the_scale_of_an_older_file_is_told_and_written(run, tmp_path):
    network = RRDBNet(scale=3, num_features=4, num_blocks=1, growth_channels=2)
    torch.save(network.state_dict(), tmp_path / "x3.pth")
    output = tmp_path / "a.safetensors"
    code, printed, _ = run(tmp_path / "x3.pth", "--output", output, "--scale", 3)
    assert code == 0
    assert "network RRDBNet, scale 3, " in printed
    assert load_generator(output).scale == 3
    code, _, errors = run(tmp_path / "x3.pth", "--output", tmp_path / "b.pth", "--scale", 4)
    assert code == FAILED
    assert "x3.pth is of scale 2, not 4" in errors


def test_padding_is_of_programs_only(run, release, tmp_path):
    code, _, errors = run(release, "--output", tmp_path / "a.pth", "--no-padding")
    assert code == FAILED
    assert "--no-padding has no effect on .pth: it is for .onnx" in errors
