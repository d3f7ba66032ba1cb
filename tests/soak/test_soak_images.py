import pytest
from damage import check_mutated_images

NUM_IMAGES = 10_000


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow comments on damaged TIFFs
def test_every_damaged_image_is_read_or_refused_by_name(tmp_path, share_of):
    count = share_of(NUM_IMAGES)
    outcomes = check_mutated_images(tmp_path, count)
    assert outcomes.total() == count
