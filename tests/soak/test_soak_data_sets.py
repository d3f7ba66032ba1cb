from damage import check_damaged_data_sets

NUM_SETS = 500


def test_the_damage_of_every_data_set_is_found_or_harmless(sets, tmp_path, share_of):
    count = share_of(NUM_SETS)
    assert check_damaged_data_sets(sets["train_set"], tmp_path, count).total() == count
