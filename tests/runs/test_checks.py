import sys
from pathlib import Path

import pytest

from esrgan.runs.checks import check_settings, check_targets, find_target

ONE = {"devices": 1, "num_nodes": 1, "strategy": "auto"}
SEVERAL = {"devices": 4, "num_nodes": 2, "strategy": {"_target_": "a.Strategy"}}
GAN = {
    "training": {"discriminator": {}},
    "discriminator": {"input_size": 128},
    "adversarial": {"_target_": "a.Loss"},
}


def settings(folder: Path, **changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "scale": 4,
        "patch_size": 128,
        "batch_size": 16,
        "iterations": 10,
        "log_every": 1,
        "seed": 0,
        "restarts": 0,
        "longest_wait": 600,
        "name": "run",
        "train_set": str(folder),
        "validation_set": None,
        "init_discriminator_from": None,
        "resume": False,
        "compile": False,
        "generator": {},
        "discriminator": {},
        "adversarial": {},
        "training": {},
        "trainer": ONE,
        "degradations": {},
        "prepare": {},
        "data": {"train": {}},
        "validation": None,
    }
    return values | changes


BLIND = {
    "degradations": {"steps": {}},
    "prepare": {"degrader": {}},
    "data": {"train": {"in_worker": None}},
    "validation": {"pairs": {"degrade": {}}},
}


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({"data": {"train": {}}}, r"give data=blind too"),
        ({"prepare": {}}, r"give prepare=degrade too"),
        ({"degradations": {}}, r"give degradations=published too"),
        ({"data": {"train": {}}, "prepare": {}}, r"give data=blind prepare=degrade too"),
    ],
)
def test_degradations_need_all_three_who_have_a_part_in_them(tmp_path, missing, message):
    check_settings(settings(tmp_path, **BLIND))
    with pytest.raises(ValueError, match=message):
        check_settings(settings(tmp_path, **BLIND | missing))
    with pytest.raises(ValueError, match="validation=degraded has nothing to degrade with"):
        check_settings(settings(tmp_path, validation=BLIND["validation"]))


@pytest.mark.parametrize(
    "changes",
    [{}, GAN, GAN | {"init_discriminator_from": "d.pth"}, {"trainer": SEVERAL}, {"resume": "auto"}],
)
def test_settings_that_work_pass(tmp_path: Path, changes: dict[str, object]) -> None:
    check_settings(settings(tmp_path, **changes))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("patch_size", 130, r"patch_size \(130\) must be a multiple of .* \(4\): use 128 or 132"),
        ("patch_size", 2, r"patch_size \(2\) must be a multiple of scale \(4\): use 4"),
        ("batch_size", 0, r"batch_size \(0\) must be at least 1"),
        ("iterations", -5, r"iterations \(-5\) must be at least 1"),
        ("seed", -1, r"seed \(-1\) must be at least 0"),
        ("restarts", -1, r"restarts \(-1\) must be at least 0"),
        ("longest_wait", 0, r"longest_wait \(0\) must be at least 1"),
        ("name", "../elsewhere", r"name \(../elsewhere\) must be a path below experiments"),
        ("name", "/tmp/run", r"name \(/tmp/run\) must be a path below"),
        ("train_set", "no/such", r"train_set \(no/such\) is not a folder.*train_set=FOLDER"),
        ("trainer", ONE | {"devices": 4}, r"trainer.devices \(4\) must be 1.* give trainer=ddp"),
        ("trainer", SEVERAL | {"devices": 3}, r"batch_size \(16\) .* multiple of .* \(6\): use 12"),
        ("compile", "yes", r"compile \(yes\) must be true, false or max-autotune"),
        ("resume", "maybe", r"resume \(maybe\) must be true, false or auto"),
        ("discriminator", {"input_size": 128}, "no effect in the PSNR stage.* discriminator=none"),
        ("adversarial", {"_target_": "a.Loss"}, "no effect in the PSNR stage.* adversarial=none"),
        ("init_discriminator_from", "d.pth", r"init_discriminator_from \(d.pth\) .* PSNR stage"),
        (
            "training",
            {"discriminator": {}},
            "GAN stage needs a discriminator: .*discriminator=vgg",
        ),
        ("patchsize", 128, r"patchsize is not a setting: did you mean patch_size\?"),
    ],
)
def test_settings_that_cannot_work_are_named_with_the_fix(tmp_path, key, value, message) -> None:
    with pytest.raises(ValueError, match=message):
        check_settings(settings(tmp_path, **{key: value}))


def test_a_discriminator_of_another_size_than_the_patches_is_refused(tmp_path: Path) -> None:
    other = GAN | {"discriminator": {"input_size": 96}}
    with pytest.raises(ValueError, match=r"input_size \(96\) must be equal to patch_size \(128\)"):
        check_settings(settings(tmp_path, **other))


def test_processes_that_would_train_alone_are_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    check_settings(settings(tmp_path, trainer=SEVERAL))
    with pytest.raises(ValueError, match=r"2 processes were started \(WORLD_SIZE\): .*trainer=ddp"):
        check_settings(settings(tmp_path))


NETWORK = {"_target_": "esrgan.networks.RRDBNet", "num_blocks": 2}


def test_a_part_whose_arguments_fit_passes() -> None:
    check_targets({"generator": NETWORK | {"residual_scaling": 1}}, with_lightning=False)


@pytest.mark.parametrize(
    ("generator", "message"),
    [
        (NETWORK | {"num_block": 2}, r"generator.num_block is not .*: did you mean num_blocks"),
        (NETWORK | {"num_blocks": "many"}, r"generator.num_blocks \('many'\) must be .* int"),
        (NETWORK | {"num_blocks": 1.5}, r"generator.num_blocks \(1.5\) must be .* int"),
        (NETWORK | {"num_blocks": True}, r"generator.num_blocks \(True\) must be .* int"),
        (NETWORK | {"batch_norm": 1}, r"generator.batch_norm \(1\) must be of the type bool"),
        ({"_target_": "esrgan.networks.RRDB"}, r"generator._target_ .*cannot be found"),
        ({"_target_": "esrgan.nets.RRDBNet"}, r"generator._target_ .*cannot be found"),
    ],
)
def test_a_part_that_cannot_be_built_is_named(generator, message) -> None:
    with pytest.raises(ValueError, match=message):
        check_targets({"generator": generator}, with_lightning=False)


def test_parts_inside_parts_are_checked() -> None:
    inner = {"_target_": "torch.nn.L1Loss", "reduktion": "mean"}
    with pytest.raises(ValueError, match=r"losses.pixel.loss.reduktion is not a setting: did you"):
        check_targets({"losses": {"pixel": {"loss": inner}}}, with_lightning=False)


VALIDATION = {"pairs": {"_target_": "a.Pairs"}}


def test_the_images_of_a_validation_may_be_two_folders(tmp_path: Path) -> None:
    (tmp_path / "HR").mkdir()
    word = f"{tmp_path}/HR:{tmp_path}/LR"
    with pytest.raises(ValueError, match=r"validation_set \(.*HR:.*LR\) is not a folder"):
        check_settings(settings(tmp_path, validation_set=word, validation=VALIDATION))
    (tmp_path / "LR").mkdir()
    check_settings(settings(tmp_path, validation_set=word, validation=VALIDATION))


@pytest.mark.parametrize("validation", [None, {}, {"pairs": None}])
def test_where_there_is_no_validation_its_images_are_not_judged(tmp_path, validation) -> None:
    check_settings(settings(tmp_path, validation_set="no/such", validation=validation))


@pytest.mark.parametrize("name", ["pytorch_optimizer.Adan", "esrgan.training.muon.Muon"])
def test_a_package_that_is_an_extra_is_said_to_be_one(monkeypatch, name) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)  # as if it were not there
    monkeypatch.delitem(sys.modules, "esrgan.training.muon", raising=False)
    words = rf"^a.b._target_ \({name}\) cannot be found: .*install -e '.\[optimizers\]'$"
    with pytest.raises(ValueError, match=words):
        find_target("a.b._target_", name)


class Unannotated:
    def __init__(self, params, rate, decay=0.0):
        self.rate = rate


def test_an_argument_without_an_annotation_takes_any_value() -> None:
    node = {"_target_": f"{__name__}.Unannotated", "rate": 0.002}
    check_targets({"o": node}, with_lightning=False)
    with pytest.raises(ValueError, match=r"^o.decai is not a setting: did you mean decay"):
        check_targets({"o": node | {"decai": 0.1}}, with_lightning=False)


def test_betas_of_another_number_are_refused_with_those_that_fit() -> None:
    optimizer = {"_target_": "torch.optim.Adam", "lr": 1e-4, "betas": [0.98, 0.92, 0.99]}
    words = r"o.betas \(\[0.98, 0.92, 0.99\]\) must be 2 numbers, .*: give o.betas=\[0.9,0.999\]"
    with pytest.raises(ValueError, match=words):
        check_targets({"o": optimizer}, with_lightning=False)
