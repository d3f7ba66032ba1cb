import json

import pytest

from esrgan.runs.changes import find_changes
from esrgan.runs.history import in_words, read_history, with_changes, write_history
from esrgan.runs.settings import training_recipe

HISTORY = [
    {"iteration": 100, "settings": {"training.optimizer.lr": [2e-4, 1e-4], "ema": [None, 0.9]}}
]


def test_a_history_grows_by_what_has_changed():
    changes = find_changes({"seed": 1, "old": 1}, {"seed": 2})
    after = with_changes(HISTORY, 150, changes)
    assert after == [*HISTORY, {"iteration": 150, "settings": {"seed": [1, 2], "old": [1, None]}}]
    assert with_changes(HISTORY, 150, []) == HISTORY


def test_it_is_read_as_it_was_written_and_none_is_made_of_nothing(tmp_path):
    path = tmp_path / "history.json"
    write_history(path, [])
    assert not path.exists() and read_history(path) == []
    write_history(path, HISTORY)
    assert read_history(path) == HISTORY
    write_history(path, [])  # the run went on from before the change
    assert read_history(path) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"changes": [1]}', '{"changes": [{}]}', "\0"])
def test_a_broken_one_is_named(tmp_path, text):
    path = tmp_path / "history.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"history\.json is broken"):
        read_history(path)


def test_it_is_told_in_words():
    assert in_words(HISTORY) == [
        "from iteration 100 on, training.optimizer.lr: 0.0001 (before: 0.0002)",
        "from iteration 100 on, ema: 0.9 (before: null)",
    ]


def test_the_recipe_tells_of_it_without_a_word_on_the_users_folders():
    history = [
        *HISTORY,
        {"iteration": 200, "settings": {"train_set": ["mine (1234)", "mine (5678)"]}},
    ]
    recipe = training_recipe({"train_set": "mine"}, history)
    assert recipe["changes"] == [
        {"iteration": 100, "training.optimizer.lr": [2e-4, 1e-4], "ema": [None, 0.9]},
        {"iteration": 200, "train_set": "another"},
    ]
    assert "mine" not in json.dumps(recipe)
