"""What becomes of a run that is continued with other settings than it had."""

import pytest

from esrgan.runs import Composition
from esrgan.runs.changes import find_changes, refusal
from esrgan.runs.settings import Change

SETTINGS = {
    "scale": 4,
    "patch_size": 128,
    "iterations": 100,
    "train_set": "data/a",
    "init_from": "a.pth",
    "log_every": 10,
    "generator": {"_target_": "esrgan.networks.RRDBNet", "num_blocks": 23},
    "discriminator": {"input_size": 128},
    "data": {"train": {"pairs": {"folder": "data/a"}, "patch_size": 128}, "num_workers": 2},
    "schedule": {"_target_": "a.Cosine", "iterations": 100},
    "training": {
        "optimizer": {"lr": 1e-4},
        "losses": {"pixel": {"_target_": "a.L1", "weight": 1.0}, "vgg": {"weights": "vgg.pth"}},
        "schedule": {"_target_": "a.Cosine", "iterations": 100},
        "discriminator": {"network": {"input_size": 128}, "optimizer": {"lr": 1e-4}},
        "guard": {"max_in_a_row": 20},
    },
    "content": {"train_set": "1111", "init_from": "2222", "training.losses.vgg.weights": "3333"},
}
COPIES = {
    "data.train.patch_size": "patch_size",
    "data.train.pairs.folder": "train_set",
    "discriminator.input_size": "patch_size",
    "schedule.iterations": "iterations",
    "training.schedule": "schedule",
    "training.discriminator.network": "discriminator",
    "training.discriminator.optimizer.lr": "training.optimizer.lr",
}


def changed(key, value, settings=None):
    """A copy with another value of a key, and of all that repeats it."""
    new = settings or SETTINGS
    keys = {key, *(copy for copy, source in COPIES.items() if source == key)}
    keys |= {
        copy + k[len(s) :] for copy, s in COPIES.items() for k in keys if k.startswith(f"{s}.")
    }
    for one in keys:
        new = _with(new, one.split("."), value)
    return new


def _with(settings, parts, value):
    first, *rest = parts
    if first == "content":
        return {**settings, first: {**settings[first], ".".join(rest): value}}
    return {**settings, first: _with(settings.get(first, {}), rest, value) if rest else value}


def found(now, before=SETTINGS, **composition):
    changes = find_changes(before, now, Composition(copies=COPIES, **composition))
    return {change.key: change.change for change in changes}


def test_nothing_differs_from_itself():
    assert found(SETTINGS) == {}


@pytest.mark.parametrize(
    ("key", "value", "change"),
    [
        ("log_every", 20, Change.FREE),
        ("data.num_workers", 0, Change.FREE),
        ("training.guard.max_in_a_row", 5, Change.FREE),
        ("name", "other", Change.FREE),
        ("checkpoints.every", 3, Change.FREE),
        ("validation.every", 3, Change.FREE),
        ("logger.wandb.project", "a", Change.FREE),
        ("trainer.devices", 4, Change.FREE),
        ("cuda_graph", True, Change.FREE),
        ("iterations", 200, Change.LONGER),
        ("iterations", 50, Change.FROM_HERE),
        ("training.optimizer.lr", 2e-4, Change.FROM_HERE),
        ("training.losses.pixel.weight", 2.0, Change.FROM_HERE),
        ("schedule.iterations", 300, Change.FROM_HERE),
        ("precision", "bf16-mixed", Change.FROM_HERE),
        ("data.train.patch_size", 96, Change.FROM_HERE),
        ("something_new", 1, Change.FROM_HERE),
        ("generator.num_blocks", 16, Change.NEVER),
        ("training.optimizer._target_", "torch.optim.SGD", Change.NEVER),
        ("scale", 2, Change.NEVER),
    ],
)
def test_each_setting_is_listed_once_with_what_becomes_of_it(key, value, change):
    assert found(changed(key, value)) == {key: change}


def test_what_a_copy_cannot_do_its_source_cannot():
    """A discriminator of linear layers takes patches of one size."""
    (change,) = find_changes(SETTINGS, changed("patch_size", 96), Composition(copies=COPIES))
    assert (change.key, change.change) == ("patch_size", Change.NEVER)
    assert str(change) == "patch_size: 128 then, 96 now, and with it discriminator.input_size"


def test_a_copy_that_was_given_a_value_of_its_own_is_a_setting():
    now = _with(SETTINGS, ["data", "train", "patch_size"], 64)
    assert found(now) == {"data.train.patch_size": Change.FROM_HERE}


def test_a_part_that_goes_or_comes_is_one_change():
    without = _with(SETTINGS, ["training", "losses", "pixel"], None)
    (change,) = find_changes(SETTINGS, without)
    assert str(change) == "training.losses.pixel: a.L1 then, null now"
    (change,) = find_changes(without, SETTINGS)
    assert str(change) == "training.losses.pixel: null then, a.L1 now"


@pytest.mark.parametrize("path", ["./data/a", "/elsewhere/b"])
def test_a_data_set_is_known_by_its_content(path):
    moved = changed("train_set", path)
    assert found(moved) == {"train_set": Change.FREE}
    other = changed("content.train_set", "9999", moved)
    assert found(other) == {"train_set": Change.FROM_HERE}
    unknown = {**SETTINGS, "content": {}}
    assert found(moved, unknown) == {"train_set": Change.FROM_HERE}


def test_another_content_at_the_same_path_is_a_change():
    (change,) = find_changes(SETTINGS, changed("content.train_set", "9999"))
    assert change.change is Change.FROM_HERE
    assert str(change) == "train_set: data/a (1111) then, data/a (9999) now, of another content"


def with_precision(word, number_format):
    return changed("content.precision", number_format, changed("precision", word))


def test_a_precision_is_the_number_format_that_it_is_on_the_device():
    """`auto` is another one where bfloat16 is not in hardware."""
    here, there = with_precision("auto", "bf16-mixed"), with_precision("auto", "32-true")
    (change,) = find_changes(here, there)
    assert change.change is Change.FROM_HERE
    assert str(change) == "precision: auto (bf16-mixed) then, auto (32-true) now"
    (change,) = find_changes(here, with_precision("32-true", "32-true"))
    assert change.change is Change.FROM_HERE
    assert str(change) == "precision: auto (bf16-mixed) then, 32-true now"
    (change,) = find_changes(here, with_precision("bf16-mixed", "bf16-mixed"))
    assert change.change is Change.FREE
    assert str(change) == "precision: auto then, bf16-mixed now (of the same number format)"


def test_of_a_run_that_did_not_keep_its_number_format_the_words_are_compared():
    assert found(with_precision("auto", "32-true"), changed("precision", "auto")) == {}


def test_weights_of_a_loss_are_known_by_their_content_and_those_of_the_start_do_not_count():
    key = "training.losses.vgg.weights"
    assert found(changed(key, "moved.pth")) == {key: Change.FREE}
    assert found(changed(f"content.{key}", "9")) == {key: Change.FROM_HERE}
    assert found(changed("content.init_from", "9")) == {"init_from": Change.FREE}
    gone = {**changed("init_from", "gone.pth"), "content": {"train_set": "1111"}}
    assert found(gone) == {"init_from": Change.FREE}


def test_a_setting_that_the_run_did_not_know_has_its_default():
    now = changed("training.optimizer.decoupled", False, {**SETTINGS, "degradations": None})
    defaults = {"degradations": None, "training": {"optimizer": {"decoupled": False}}}
    assert found(now, defaults=defaults) == {}
    assert found({**now, "degradations": "real"}, defaults=defaults) == {
        "degradations": Change.FROM_HERE
    }
    assert found(now) == {
        "training.optimizer.decoupled": Change.FROM_HERE,
        "degradations": Change.FROM_HERE,
    }


def test_a_refusal_says_what_can_be_done():
    free = find_changes(SETTINGS, changed("log_every", 5))
    longer = find_changes(SETTINGS, changed("iterations", 300), Composition(copies=COPIES))
    from_here = find_changes(SETTINGS, changed("training.optimizer.lr", 1.0))
    never = find_changes(SETTINGS, changed("scale", 2))
    assert refusal([*free, *longer], allowed=False) == ""
    assert "allow_changes=true" in refusal(from_here, allowed=False)
    assert refusal(from_here, allowed=True) == ""
    both = refusal([*from_here, *never], allowed=True)
    assert "scale: 4 then, 2 now" in both and "allow_changes" not in both
