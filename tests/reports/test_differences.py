import pytest

from esrgan.reports.differences import find_differences


def differing(*settings):
    return {d.label: d.texts() for d in find_differences(settings)}


def test_only_what_differs_is_named_by_the_shortest_ending_that_no_other_setting_has():
    one = {
        "scale": 4,
        "optimizer": {"lr": 1e-4},
        "net": {"scale": 1, "depth": 2, "first": {"a": 0}},
    }
    two = {
        "scale": 4,
        "optimizer": {"lr": 2e-5},
        "net": {"scale": 2, "depth": 3, "first": {"a": 0}},
    }
    assert differing(one, two) == {
        "lr": ["0.0001", "2e-05"],
        "net.scale": ["1", "2"],
        "depth": ["2", "3"],
    }
    assert [d.key for d in find_differences([one, two])] == [
        "optimizer.lr",
        "net.scale",
        "net.depth",
    ]
    assert differing(one, one) == differing(one) == {}


def test_two_settings_with_one_ending_are_told_apart():
    one = {"generator": {"lr": 1}, "discriminator": {"lr": 1}}
    assert list(differing(one, {"generator": {"lr": 2}, "discriminator": {"lr": 3}})) == [
        "generator.lr",
        "discriminator.lr",
    ]


def test_what_a_part_builds_is_shown_by_its_class():
    def net(target):
        return {"net": {"_target_": target, "_partial_": True}}

    assert differing(net("lib.RRDBNet"), net("lib.SRResNet")) == {"net": ["RRDBNet", "SRResNet"]}
    # two classes of one name are not shown as if they were one
    assert differing(net("lib.Net"), net("my.Net")) == {"net": ["lib.Net", "my.Net"]}


def test_a_part_that_only_some_runs_have_is_one_difference():
    loss = {"_target_": "losses.Perceptual", "weight": 1.0, "layers": {"conv5_4": 1.0}}
    with_it, heavier = {"losses": {"vgg": loss}}, {"losses": {"vgg": loss | {"weight": 2.0}}}
    without = {"losses": {"vgg": None}}
    assert differing(with_it, without) == {"vgg": ["Perceptual", "none"]}
    assert differing(with_it, without, heavier) == {
        "vgg": ["Perceptual", "none", "Perceptual"],
        "weight": ["1.0", "-", "2.0"],
    }
    assert differing({"a": 1}, {"a": 1, "b": True}) == {"b": ["-", "true"]}


def test_what_belongs_to_a_copy_of_a_part_that_only_some_runs_have_is_left_out():
    def settings(**loss):
        return {"gan": loss, "training": {"loss": loss}}

    plain, relative = settings(_target_="my.GAN"), settings(_target_="my.RaGAN", detach=False)
    assert differing(plain, relative) == {"gan": ["GAN", "RaGAN"]}


def test_copies_made_by_interpolation_are_left_out_and_equal_values_by_chance_are_not():
    def settings(patch_size, train_set):
        return {
            "patch_size": patch_size,
            "train_set": train_set,
            "net": {"num_features": patch_size},
            "data": {"patch_size": patch_size, "folder": train_set, "gt": f"{train_set}/gt"},
        }

    shown = differing(settings(64, "data/A"), settings(128, "data/B"))
    assert shown == {
        "patch_size": ["64", "128"],
        "train_set": ["A", "B"],
        "num_features": ["64", "128"],
    }


def test_a_path_below_an_unchanged_one_is_a_difference():
    one, two = ({"root": "data", "part": {"gt": f"data/{name}"}} for name in "AB")
    assert differing(one, two) == {"gt": ["A", "B"]}


def test_bookkeeping_is_left_out():
    one = {"name": "a", "resume": False, "data": {"num_workers": 1}, "checkpoints": {"every": 5}}
    two = {"name": "b", "resume": True, "data": {"num_workers": 2}, "checkpoints": {"every": 6}}
    assert differing(one, two) == {}


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (([1, 2, 3, 4, 5], [1, 2, 9, 4, 5]), ["…, 3, …", "…, 9, …"]),
        (([1000, 2, 3, 4], [1000, 2, 3, 4, 5]), ["…, 4", "…, 4, 5"]),
        (([1, 1, 1, 1, 1], [1, 1, 1, 1]), ["…, 1, 1", "…, 1"]),
        (([0.9, 0.99], [0.9, 0.999]), ["0.9, 0.99", "0.9, 0.999"]),
        (("data/Set5/HR", "data/Set14/HR"), ["Set5/HR", "Set14/HR"]),
        (("runs/a/a.pth", "b.pth", "runs/a/a.pth"), ["a.pth", "b.pth", "a.pth"]),
        (("data/Set5/HR", None), ["data/Set5/HR", "none"]),
        ((1_000_000, 2_000), ["1,000,000", "2,000"]),
        ((True, False), ["true", "false"]),
    ],
)
def test_values_are_written_so_that_the_difference_is_seen(values, texts):
    assert differing(*({"key": value} for value in values)) == {"key": texts}
