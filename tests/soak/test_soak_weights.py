import shutil
from pathlib import Path

from damage import check_mutated_weights

NUM_FILES = 2000


def test_every_damaged_weight_file_is_read_or_refused_by_name(finished, tmp_path, share_of):
    release = Path(shutil.copy(finished / "experiments/run/run.pth", tmp_path))
    count = share_of(NUM_FILES)
    assert check_mutated_weights(release, tmp_path, count).total() == 3 * count
