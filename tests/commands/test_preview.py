"""What `esrgan preview` shows is what training sees."""

import re

import cv2
import numpy as np
import pytest
import torch

from esrgan.commands import preview
from esrgan.commands.configs import configs_folder
from esrgan.hydra_errors import composed
from esrgan.runs import Settings


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Four smooth colour pictures with a little texture."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for index in range(4):
        smooth = cv2.resize(rng.random((6, 6, 3)), (150, 130), interpolation=cv2.INTER_CUBIC)
        texture = rng.normal(0, 0.05, smooth.shape)
        cv2.imwrite(str(folder / f"{index}.png"), ((smooth + texture).clip(0, 1) * 255).round())
    return folder


@pytest.fixture
def settings(images):
    return (
        "experiment=rrdb_light_blind",
        "data=blind_folder",
        f"train_set={images}",
        f"validation_set={images}",
        "data.train.crop=96",
        "patch_size=48",
    )


def test_samples_are_those_of_training(call, tmp_path, settings):
    from hydra.utils import instantiate

    output = tmp_path / "seen"
    code, out, err = call(
        "preview.py", preview.main, *settings, "--samples", "0-2,77", "--pairs",
        "--strength", "5", "--output", output,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert re.search(r"this +\d+\.\d dB, a tenth below", out)
    cfg = composed("train", settings, configs=configs_folder(), own=None, schema=Settings)
    data = instantiate(cfg.data, start_iteration=0)._train
    prepare = instantiate(cfg.prepare, _convert_="all")
    numbers = [0, 1, 2, 77]
    batch = prepare(data.collate([data[n] for n in numbers]), torch.float32)
    names = sorted((output / "lq").iterdir(), key=lambda path: int(path.stem.split()[0]))
    assert len(names) == 4
    for path, lq, gt in zip(names, batch.lq, batch.gt, strict=True):
        for image, folder in ((lq, "lq"), (gt, "gt")):
            written = cv2.imread(str(output / folder / path.name))[..., ::-1]
            assert np.array_equal(written, (image * 255).round().permute(1, 2, 0).numpy())
    page = (output / "page.html").read_text()
    drawn = prepare.degrader.draw(77).steps
    assert all(str(step) in page.replace("&#34;", '"') for _, step in drawn)
    sheet = cv2.imread(str(output / "sheet.png"))
    assert sheet.shape[1] > 4 * 384


def test_the_validation_set_is_the_one_of_training(call, tmp_path, settings):
    from hydra.utils import instantiate

    output = tmp_path / "seen"
    call("preview.py", preview.main, *settings, "--validation", "--pairs", "--output", output)
    cfg = composed("train", settings, configs=configs_folder(), own=None, schema=Settings)
    pairs = instantiate(cfg.validation.pairs, _convert_="all")
    for index in range(len(pairs)):
        written = cv2.imread(str(output / "lq" / f"{pairs.key(index)}.png"))[..., ::-1]
        assert np.array_equal(written, pairs.read(index).lq)


def test_steps_end_at_the_low_quality_image(call, tmp_path, settings, images):
    from hydra.utils import instantiate

    output = tmp_path / "steps"
    picture = images / "1.png"
    code, _, err = call(
        "preview.py", preview.main, *settings, "--steps", picture, "--samples", "3,5",
        "--output", output,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert sorted(path.name for path in output.iterdir()) == ["steps_3.png", "steps_5.png"]
    cfg = composed("train", settings, configs=configs_folder(), own=None, schema=Settings)
    degrader = instantiate(cfg.prepare.degrader, _convert_="all")
    gt = cv2.imread(str(picture))[:128, :148, ::-1].copy()
    stages = list(degrader.stages(gt, 3))
    assert np.array_equal(stages[-1][1], degrader(gt, 3))
    assert [text.split(":")[0] for text, _ in stages[2:]] == [n for n, _ in degrader.draw(3).steps]


def test_given_pairs_can_be_seen_too(call, tmp_path, images):
    for name in ("gt", "lq"):
        (tmp_path / "pairs" / name).mkdir(parents=True)
    for path in images.iterdir():
        image = cv2.imread(str(path))[:128, :148]
        cv2.imwrite(str(tmp_path / "pairs/gt" / path.name), image)
        cv2.imwrite(str(tmp_path / "pairs/lq" / path.name), image[::4, ::4])
    code, out, err = call(
        "preview.py", preview.main, "experiment=rrdb_light", "data=folders", "patch_size=48",
        f"train_set={tmp_path / 'pairs'}", "--output", tmp_path / "seen",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "dB" not in out
    assert "as given" in (tmp_path / "seen/page.html").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["degradations.steps.blur_1.sizes=[8]"], r"degradations.steps.blur_1.sizes has 8: .* odd"),
        (["patch_size=50"], r"patch_size \(50\) must be a multiple of scale \(4\)"),
        (["data.train.crop=60"], r"crop \(60\) is too small for the kernels"),
        (["degradations=strong"], r"degradations/strong does not exist"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_line(call, tmp_path, settings, changes, message):
    output = tmp_path / "seen"
    code, _, err = call("preview.py", preview.main, *settings, *changes, "--output", output)
    assert code == 2
    assert re.search(message, err)
    assert err.count("\n") == 1
    assert not (tmp_path / "seen").exists()


def test_numbers_of_samples_are_read(capsys):
    assert preview.parse_arguments(["a=b", "--samples", "0-2, 77"]).samples == [0, 1, 2, 77]
    with pytest.raises(SystemExit):
        preview.parse_arguments(["a=b", "--samples", "3-"])
    assert "3- must be numbers and ranges" in capsys.readouterr().err


def test_nothing_is_overwritten(call, tmp_path, settings):
    code, _, err = call("preview.py", preview.main, *settings, "--output", tmp_path)
    assert code == 2
    assert "give another folder" in err
