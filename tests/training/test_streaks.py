from functools import partial

import pytest
import torch
from small_stage import Enlarge, NaNAt, batches, fit
from torch.optim.lr_scheduler import MultiStepLR

from esrgan.training import FiniteGuard, PSNRTraining, Streaks
from esrgan.training.streaks import MOST, skip_warnings


def stage_after(count, *, nan_at):
    """A stage that has done so many iterations, of which some had a loss that is not a number."""
    stage = PSNRTraining(
        generator=Enlarge(),
        losses={"pixel": NaNAt(*nan_at)},
        optimizer=partial(torch.optim.Adam, lr=0.1),
        schedule=partial(MultiStepLR, milestones=[100]),
        ema_decay=None,
        guard=FiniteGuard(clip_norm=None, max_in_a_row=20),
        num_micro_batches=1,
        seed=0,
    )
    return fit(stage, batches(count))


@pytest.fixture
def streaks(tmp_path):
    return Streaks(
        tmp_path / "skipped",
        batch_of=lambda iteration: ({7: "a.png"}, {"gt": torch.tensor(iteration)}),
        settings={"name": "run"},
    )


def kept(streaks):
    return sorted(int(path.stem.split("_")[1]) for path in streaks.folder.glob("*.pt"))


def test_the_first_batch_of_a_streak_is_kept_with_all_that_a_replay_needs(streaks):
    stage = stage_after(5, nan_at=(3, 4))
    words = streaks.look(stage)
    assert words.startswith("iteration 3 was skipped") and "iteration_00000003.pt" in words
    content = torch.load(streaks.folder / "iteration_00000003.pt", weights_only=True)
    assert content["iteration"] == 3 and content["weights_of"] == 5
    assert content["samples"] == {7: "a.png"} and content["batch"]["gt"] == 3
    assert content["settings"] == {"name": "run"}
    assert all(
        torch.equal(v, content["generator"][k]) for k, v in stage.generator.state_dict().items()
    )
    assert streaks.look(stage) == ""


def test_where_all_was_finite_nothing_is_kept(streaks):
    assert streaks.look(stage_after(2, nan_at=())) == ""
    assert not streaks.folder.exists()


def test_no_more_than_a_few_are_kept(streaks):
    for number in range(1, MOST + 3):
        streaks.look(stage_after(number, nan_at=(number,)))
    assert kept(streaks) == list(range(1, MOST + 1))


def test_a_full_disk_is_no_reason_to_end(streaks, monkeypatch):
    def refuse(iteration):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(streaks, "_batch_of", refuse)
    assert "cannot be kept: [Errno 28] No space" in streaks.look(stage_after(1, nan_at=(1,)))


def test_skipped_updates_are_said_by_network_and_number():
    warnings = skip_warnings({"train/skipped": 0.0, "train/discriminator_skipped": 3.0})
    assert list(warnings) == ["skipped discriminator"]
    assert "3 updates of the discriminator did not happen" in warnings["skipped discriminator"]
    assert "training.optimizer.lr" in warnings["skipped discriminator"]
    assert (
        "an update of the generator" in skip_warnings({"train/skipped": 1.0})["skipped generator"]
    )
