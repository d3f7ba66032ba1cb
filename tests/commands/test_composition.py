"""What is said of words and files that cannot be read as settings."""

import shlex
from pathlib import Path

import pytest

from esrgan.commands import train
from esrgan.commands.composition import with_plus
from esrgan.hydra_errors import as_typed


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Where the data of an experiment is looked for, and is not there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def error(home, capsys):
    """What `train.py` says of words; nothing is imported for long before it is said."""

    def of(*words):
        assert train.main(["experiment=quickstart", *words]) == 2
        line = capsys.readouterr().err
        assert line.startswith("error: ") and line.count("\n") == 1
        return line.removeprefix("error: ").rstrip()

    return of


@pytest.mark.parametrize(
    "name", ["写真", "a(1)", "a#b", "o'brien", "a=b", 'say "hi"', "é, è", "a{1}"]
)
def test_a_value_that_needs_quotes_is_shown_as_it_must_be_typed(error, home, name):
    message = error(f"train_set=data/{name}")
    (word,) = shlex.split(
        message.rpartition("give ")[2].rpartition("text it is ")[2].split(", a list")[0]
    )
    (home / "data" / name).mkdir(parents=True)
    again = error(word)  # it is read now: what is not there is the next thing
    assert again.startswith("validation_set (data/sample/held_out) is not a folder")


@pytest.mark.parametrize(
    "word", ["generator.parameters.dim=8", "generator.parameters={dim:8}", "patch_size=8"]
)
def test_parameters_of_a_network_of_others_need_no_plus(word):
    plus = "" if word == "patch_size=8" else "++"
    assert with_plus(word) == plus + word


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("name=2024_11_03", "20241103"),
        ("name=1e3", "1000.0"),
        ("name=true", "True"),
    ],
)
def test_text_that_hydra_takes_for_something_else_is_refused(error, word, value):
    assert error(word) == f"{word} would be read as {value}: give {as_typed(word)}"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("quickstart", "quickstart is not KEY=VALUE, as experiment=quickstart is"),
        ("generator=null", "generator cannot be null: there are dat_light, from_file, msrresnet, "),
        ("~generator", "generator cannot be null: there are dat_light, from_file, msrresnet, "),
        ("iterations =5", "iterations =5 has spaces around its =: give iterations=5"),
        ("training.optimizer.betas=(0.9,0.99)", "cannot be read: a list is written '"),
        ("training.adversary.weight=1", "was renamed: give training.losses.adversarial and"),
        ("validation.metrics.psnr_y=1", "was renamed: give metrics=[PSNR-Y,...]; CHANGELOG.md"),
        ("validation=gan", "validation/gan was renamed: give metrics=[PSNR-Y,SSIM-Y"),
        ("training.optimizer.amsgrad=true", "but can be: give +training.optimizer.amsgrad=VALUE"),
        ("generator=rrdb", "generator/rrdb does not exist: did you mean rrdb_23?"),
        ("train_set=~/data", f"leaves ~ as it is after a =: give train_set={Path.home()}/data"),
    ],
)
def test_what_is_meant_is_said(error, word, message):
    assert message in error(word)


def test_all_that_a_generator_takes_is_listed(error):
    message = error("generator.foo=2")
    for name in ("scale", "num_features", "residual_scaling", "batch_norm", "unshuffle"):
        assert name in message.partition("there are ")[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "# @package _global_\n# Mine.\niterationz: 4\n",
            "experiment/mine: iterationz is not a setting: did you mean iterations?",
        ),
        (
            "# Mine.\niterations: 4\n",
            "experiment/mine: its first line must be `# @package _global_`",
        ),
        (
            "# @package _global_\ntrain_set: a\n\titerations: 4\n",
            r"own/experiment/mine.yaml, line 3: found character '\t' that cannot start any token: "
            "indent with spaces",
        ),
    ],
)
def test_a_file_of_ones_own_is_spoken_of_as_words_are(home, capsys, text, message):
    own = home / "own/experiment/mine.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(text)
    for name in ("data/sample_x4", "data/sample/held_out"):
        (home / name).mkdir(parents=True)
    words = ["experiment=mine", "train_set=data/sample_x4", "validation_set=data/sample/held_out"]
    assert train.main(["--config-dir", "own", *words]) == 2
    line = capsys.readouterr().err
    assert message in line and line.count("\n") == 1
