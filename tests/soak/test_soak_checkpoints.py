from damage import check_flips_of_a_checkpoint

from esrgan.runs.checkpoints import list_checkpoints

NUM_FLIPS = 1000


def test_every_flipped_bit_of_a_checkpoint_is_noticed(finished_gan, tmp_path, share_of):
    newest, *_ = list_checkpoints(finished_gan / "experiments/run/checkpoints")
    copy = tmp_path / newest.name
    copy.write_bytes(newest.read_bytes())
    check_flips_of_a_checkpoint(copy, share_of(NUM_FLIPS))
