import hashlib
import itertools
import json
import logging
import pickle
import re

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import move_data_to_device
from torch.utils.data import DataLoader
from torch.utils.data._utils.pin_memory import pin_memory

from esrgan.data.blind import BlindPatches
from esrgan.data.datamodule import PatchDataModule
from esrgan.data.draws import Draw
from esrgan.data.patches import GlobalBatches, PatchDataset, set_up_worker
from esrgan.training import Feed, Ranks, StopSignal
from esrgan.types import Pair


class CodedImages:
    """Every pixel of an image says where it is: (image, row, column)."""

    def __init__(self, *sizes):
        self.sizes = sizes

    def __len__(self):
        return len(self.sizes)

    def key(self, index):
        return f"photo.{index}"

    def size(self, index):
        return self.sizes[index]

    def read_crop(self, index, top, left, height, width):
        assert 0 <= top <= self.sizes[index][0] - height
        assert 0 <= left <= self.sizes[index][1] - width
        return _coded(index, top, left, height, width)

    def verify(self):
        raise ValueError("photo.3: one bit is wrong")


class FlatPairs:
    """Pairs of one value, 200."""

    scale = 4

    def __len__(self):
        return 3

    def key(self, index):
        return f"pair.{index}"

    def lq_size(self, index):
        return 5, 6

    def read_crop(self, index, top, left, size):
        lq, gt = (np.full((n, n, 3), 200, np.uint8) for n in (size, 4 * size))
        return Pair(lq, gt)

    def verify(self):
        raise ValueError("pair.1: one bit is wrong")


def _coded(index, top, left, height, width):
    rows, columns = np.mgrid[top : top + height, left : left + width]
    return np.stack([np.full_like(rows, index), rows, columns], axis=2).astype(np.uint8)


IMAGES = CodedImages((20, 30), (16, 16), (25, 17), (40, 16))


def patches(images=IMAGES, **changed):
    arguments = {"scale": 4, "crop": 16, "patch_size": 8, "seed": 7, "augment": True}
    return BlindPatches(images, **arguments | changed)


def given_pairs(patch_size=16):
    return PatchDataset(FlatPairs(), patch_size=patch_size, seed=7)


def test_a_sample_is_the_crop_and_the_orientation_that_were_drawn():
    dataset = patches()
    for number in range(200):
        sample, draw = dataset[number], dataset.draw(number)
        expected = _coded(draw.image, draw.top, draw.left, 16, 16)
        expected = expected[:, ::-1] if draw.flip_horizontal else expected
        expected = expected[::-1] if draw.flip_vertical else expected
        expected = expected.transpose(1, 0, 2) if draw.transpose else expected
        np.testing.assert_array_equal(sample["gt"], expected)
        assert (sample["lq"], sample["number"]) == (None, number)


def test_each_image_is_shown_once_per_epoch_and_all_its_places_in_time():
    dataset = patches(CodedImages((17, 18), (16, 16)))
    draws = [dataset.draw(number) for number in range(400)]
    assert all({a.image, b.image} == {0, 1} for a, b in zip(draws[::2], draws[1::2], strict=True))
    places = {(draw.top, draw.left) for draw in draws if draw.image == 0}
    assert places == set(itertools.product(range(2), range(3)))


@pytest.mark.parametrize(
    ("augment", "num_orientations"), [(True, {8}), ("flip", {2}), (False, {1})]
)
def test_augmentation_shows_as_many_orientations_as_it_says(augment, num_orientations):
    dataset = patches(CodedImages((16, 16)), augment=augment)
    assert {len({dataset[number]["gt"].tobytes() for number in range(100)})} == num_orientations


def test_a_flip_is_horizontal_and_happens_every_second_time():
    dataset = patches(CodedImages((16, 16)), augment="flip")
    tops = [dataset[number]["gt"][0, 0, 1:].tolist() for number in range(400)]
    assert 150 < tops.count([0, 15]) < 250  # five standard deviations
    assert tops.count([0, 0]) == 400 - tops.count([0, 15])


def test_the_crop_is_the_largest_multiple_of_scale():
    # 400 is no multiple of 3, which the published code cannot be trained at
    dataset = patches(CodedImages((399, 420)), scale=3, crop=400, patch_size=399)
    assert dataset.crop_size == 399
    assert dataset[0]["gt"].shape == (399, 399, 3)


def test_a_flipped_crop_is_the_one_of_real_esrgan(reference_data, monkeypatch):
    data = pytest.importorskip("skimage.data", reason="it has the photograph")
    published = np.load(reference_data / "real_esrgan" / "dataset.npz")
    photograph = data.astronaut()[20:450, 30:490]
    height, width, _ = photograph.shape
    images = CodedImages((height, width))
    images.read_crop = lambda _, top, left, *size: photograph[top:, left:][: size[0], : size[1]]
    dataset = patches(images, crop=400)
    draws = json.loads(str(published["draws"]))
    assert {draw["flip_horizontal"] for draw in draws} == {True, False}
    for one, digest in zip(draws, published["gt_sha256"], strict=True):
        flip, left = one["flip_horizontal"], one["left"]
        left = width - 400 - left if flip else left  # there, what is flipped is cropped
        draw = Draw(0, one["top"], left, flip, flip_vertical=False, transpose=False)
        monkeypatch.setattr(dataset, "draw", lambda _, draw=draw: draw)
        gt = dataset[0]["gt"].transpose(2, 0, 1)
        assert hashlib.sha256(np.ascontiguousarray(gt)).hexdigest() == digest


def test_an_image_that_is_too_small_is_mirrored_as_real_esrgan_does(reference_data):
    published = np.load(reference_data / "real_esrgan" / "dataset.npz")
    rows, columns = published["pad_rows"], published["pad_cols"]
    dataset = patches(CodedImages((37, 53)), crop=400, small="pad", augment="flip")
    flipped = next(n for n in itertools.count() if dataset.draw(n).flip_horizontal)
    assert bool(published["pad_flipped"])
    expected = np.stack(np.broadcast_arrays(0, rows[:, None], columns), axis=-1)
    np.testing.assert_array_equal(dataset[flipped]["gt"], expected)


def test_an_image_is_mirrored_in_the_direction_alone_in_which_it_is_too_small():
    dataset = patches(CodedImages((10, 30)), small="pad", augment=False)
    gt = dataset[3]["gt"]
    assert gt[:, 0, 1].tolist() == [*range(10), 8, 7, 6, 5, 4, 3]
    left = dataset.draw(3).left
    assert gt[0, :, 2].tolist() == list(range(left, left + 16))
    assert len({dataset.draw(number).left for number in range(300)}) == 30 - 16 + 1


def test_images_that_are_too_small_are_refused_by_name():
    images = CodedImages((16, 15), (20, 20), (8, 30))
    message = (
        "2 of 3 images are smaller than data.train.crop (16): leave them out"
        " (data.train.small=skip), mirror their edges (=pad), or use data.train.crop=8 or less:"
        "\n  photo.0 (16x15)\n  photo.2 (8x30)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        patches(images)


def test_images_that_are_too_small_are_left_out_and_counted(caplog):
    caplog.set_level(logging.WARNING)
    images = CodedImages((16, 15), (20, 20), (8, 30), (16, 16))
    dataset = patches(images, small="skip")
    assert {dataset.draw(number).image for number in range(40)} == {1, 3}
    assert caplog.messages == [
        "2 of 4 images are smaller than data.train.crop (16) and are left out"
    ]


def mean_of_squares(gt, number):
    assert gt.shape == (16, 16, 3)
    if number % 3 == 0:
        return None
    return gt.reshape(4, 4, 4, 4, 3).mean(axis=(1, 3)).astype(np.uint8)


def test_a_low_quality_image_can_be_made_in_the_loading_process():
    dataset = patches(in_worker=mean_of_squares)
    assert dataset[3]["lq"] is None
    sample = dataset[4]
    np.testing.assert_array_equal(sample["lq"], mean_of_squares(sample["gt"], 4))


def test_a_low_quality_image_of_another_size_is_refused():
    dataset = patches(in_worker=lambda gt, number: gt)
    message = r"sample 0 \(image 'photo\.\d'\).*in_worker made \(16, 16, 3\), not \(4, 4, 3\)"
    with pytest.raises(ValueError, match=message):
        dataset[0]


def test_given_pairs_are_mixed_in_at_their_share():
    dataset, given = patches(given=given_pairs(), given_share=0.25), given_pairs()
    made, samples = patches(), [dataset[number] for number in range(1000)]
    for number, sample in enumerate(samples):
        expected = made[number]["gt"] if sample["lq"] is None else given[number]["gt"]
        np.testing.assert_array_equal(sample["gt"], expected)
    share = sum(sample["lq"] is not None for sample in samples) / 1000
    assert 0.18 < share < 0.32  # five standard deviations
    given_lq = np.stack([sample["lq"] for sample in samples if sample["lq"] is not None])
    assert given_lq.shape[1:] == (4, 4, 3)
    assert (given_lq == 200).all()


def test_what_is_given_does_not_depend_on_what_was_asked_before():
    ask = [*range(40, 0, -1), 7, 7]
    dataset = patches(given=given_pairs(), given_share=0.5)
    first = [dataset[number]["lq"] is None for number in ask]
    copy = pickle.loads(pickle.dumps(patches(given=given_pairs(), given_share=0.5)))
    assert [copy[number]["lq"] is None for number in ask] == first


def test_all_samples_can_be_given():
    dataset = patches(given=given_pairs(), given_share=1)
    assert all(dataset[number]["lq"] is not None for number in range(100))


def load(num_workers, **changed):
    dataset = patches(given=given_pairs(), given_share=0.3, in_worker=mean_of_squares, **changed)
    return DataLoader(
        dataset,
        batch_sampler=GlobalBatches(iterations=8, batch_size=6),
        num_workers=num_workers,
        collate_fn=dataset.collate,
        worker_init_fn=set_up_worker,
    )


def in_plain_values(batch):
    lq = [None if image is None else image.tolist() for image in batch["lq"]]
    return batch["gt"].tolist(), lq, batch["number"]


@pytest.mark.parametrize("num_workers", [1, 4])
def test_batches_are_the_same_from_any_number_of_workers(num_workers):
    batches = list(load(num_workers))
    assert [in_plain_values(b) for b in batches] == [in_plain_values(b) for b in load(0)]
    numbers = [batch["number"] for batch in batches]
    assert numbers == [list(range(start, start + 6)) for start in range(0, 48, 6)]
    kinds = [image is None for batch in batches for image in batch["lq"]]
    assert 0 < sum(kinds) < 48
    assert batches[0]["gt"].dtype == torch.uint8
    assert batches[0]["gt"].shape == (6, 16, 16, 3)


def test_each_low_quality_image_of_a_batch_stands_beside_its_ground_truth():
    dataset = patches(given=given_pairs(), given_share=0.3, in_worker=mean_of_squares)
    for batch in load(0):
        for gt, lq, number in zip(batch["gt"], batch["lq"], batch["number"], strict=True):
            sample = dataset[number]
            np.testing.assert_array_equal(gt, sample["gt"])
            assert (lq is None) == (sample["lq"] is None)
            assert lq is None or np.array_equal(lq, sample["lq"])


def test_a_batch_without_low_quality_images_is_collated():
    dataset = patches()
    batch = dataset.collate([dataset[0], dataset[1]])
    assert batch["lq"] == [None, None]


def test_pinning_and_the_way_to_a_device_keep_what_is_in_a_batch(monkeypatch):
    pinned = []

    def pin(tensor, *_):
        pinned.append(tensor)
        return tensor.clone()

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)  # which needs a GPU
    batch = next(itertools.islice(load(0), 1, None))
    copy = pin_memory(batch)
    assert in_plain_values(copy) == in_plain_values(batch)
    num_given = sum(image is not None for image in batch["lq"])
    assert len(pinned) == 1 + num_given
    assert 0 < num_given < 6
    moved = move_data_to_device(copy, torch.device("meta"))
    assert moved["number"] == batch["number"]
    assert moved["gt"].is_meta
    assert [m is None for m in moved["lq"]] == [image is None for image in batch["lq"]]
    assert all(image is None or image.is_meta for image in moved["lq"])


class Recorder(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = []

    def training_step(self, batch):
        self.seen.append(in_plain_values(batch))
        return self.weight.sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_lightning_trains_on_blind_batches():
    recorder = Recorder()
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    train = patches(given=given_pairs(), given_share=0.3, in_worker=mean_of_squares)
    module = PatchDataModule(train=train, batch_size=6, iterations=8, num_workers=1)
    trainer.fit(recorder, Feed(module, stop=StopSignal(), ranks=Ranks(), longest_wait=60))
    assert recorder.seen == [in_plain_values(batch) for batch in load(0)]


def test_verify_reads_the_images_and_the_given_pairs(monkeypatch):
    dataset = patches(given=given_pairs(), given_share=0.5)
    module = PatchDataModule(train=dataset, batch_size=1, iterations=1, num_workers=0)
    with pytest.raises(ValueError, match=r"photo\.3: one bit is wrong"):
        module.verify()
    monkeypatch.setattr(CodedImages, "verify", lambda self: None)
    with pytest.raises(ValueError, match=r"pair\.1: one bit is wrong"):
        module.verify()


def test_a_failed_read_names_the_sample_and_the_image(monkeypatch):
    def fail(*_):
        raise OSError("the disk is gone")

    dataset = patches()
    monkeypatch.setattr(CodedImages, "read_crop", fail)
    message = f"sample 3 (image 'photo.{dataset.draw(3).image}') cannot be made: the disk is gone"
    with pytest.raises(ValueError, match=re.escape(message)):
        dataset[3]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"patch_size": 6}, "patch_size (6) must be a multiple of scale (4): use 4 or 8"),
        ({"patch_size": 0}, "patch_size (0) must be a multiple of scale (4): use 4"),
        (
            {"patch_size": 20, "crop": 19},
            "patch_size (20) must be at most 16, the largest multiple of scale (4) in"
            " data.train.crop (19): use patch_size=16 or less, or data.train.crop=20 or more",
        ),
        ({"crop": 3}, "data.train.crop (3) must be at least scale (4)"),
        ({"small": "crop"}, "data.train.small (crop) must be refuse, skip or pad"),
        ({"augment": "rotate"}, "augment (rotate) must be true, flip or false"),
        ({"seed": -1}, "seed (-1) must lie in [0, 2**64)"),
        ({"images": CodedImages()}, "there are no images to train on"),
        (
            {"images": CodedImages((8, 8)), "small": "skip"},
            "1 of 1 images are smaller than data.train.crop (16), none is left to train on",
        ),
        ({"given_share": -0.1}, "data.train.given_share (-0.1) must lie in [0, 1]"),
        ({"given_share": 1.5}, "data.train.given_share (1.5) must lie in [0, 1]"),
        ({"given_share": 0.5}, "data.train.given_share (0.5) must be 0 without pairs"),
        ({"given": given_pairs()}, "data.train.given has no effect with data.train.given_share=0"),
        (
            {"given": given_pairs(patch_size=8), "given_share": 0.5},
            "data.train.given.patch_size (8) must be equal to the crop of the others: use 16",
        ),
        (
            {"given": given_pairs(), "given_share": 0.5, "scale": 2},
            "the pairs of data.train.given are x4, this run is x2",
        ),
    ],
)
def test_what_cannot_work_is_refused(changed, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        patches(**changed)
