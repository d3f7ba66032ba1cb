import cv2
import numpy as np
import pytest
import torch

from esrgan.networks import RRDBNet, SRResNet
from esrgan.weights import WeightsError, load_generator, load_into


def copy_of(state):
    return {key: tensor.clone() for key, tensor in state.items()}


def test_released_weights_give_the_published_picture(reference_data):
    network = load_generator(reference_data / "weights/RealESRGAN_x4plus_anime_6B.pth")
    bgr = cv2.imread(str(reference_data / "set5/LRbicx4/butterfly.png"))
    lq = torch.from_numpy(bgr[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        sr = network(lq).clamp(0, 1)[0].permute(1, 2, 0).numpy()
    expected = np.load(reference_data / "weights/anime_6B_butterfly_x4.npy")
    np.testing.assert_allclose(sr, expected, rtol=0, atol=1e-5)


def test_a_loaded_generator_is_ready_to_use(rrdb, save):
    state = torch.get_rng_state()
    loaded = load_generator(save(rrdb.state_dict()))
    assert not loaded.training
    assert {parameter.device.type for parameter in loaded.parameters()} == {"cpu"}
    assert torch.equal(torch.get_rng_state(), state)


def test_a_whole_file_is_loaded_into_a_network(rrdb, save, assert_same_output):
    network = RRDBNet(num_features=4, num_blocks=2, growth_channels=2)
    report = load_into(network, save({"params": rrdb.state_dict()}), allow_partial=False)
    assert report.complete
    assert str(report) == "72 of the network's 72 tensors fit"
    assert_same_output(network, rrdb)


def test_a_part_is_refused_and_leaves_the_network_alone(rrdb, save):
    network = RRDBNet(num_features=4, num_blocks=3, growth_channels=2)
    before = copy_of(network.state_dict())
    with pytest.raises(WeightsError) as error:
        load_into(network, save(rrdb.state_dict()), allow_partial=False)
    for words in ("init_partial=true", "72 of the network's 102", "30 missing", "body.2.rdb1"):
        assert words in str(error.value)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_a_part_is_loaded_where_allowed(rrdb, save):
    network = RRDBNet(scale=2, num_features=4, num_blocks=3, growth_channels=2)
    before = copy_of(network.state_dict())
    report = load_into(network, save(rrdb.state_dict()), allow_partial=True)
    after = network.state_dict()
    assert len(report.matched) == 71
    assert all(torch.equal(after[key], rrdb.state_dict()[key]) for key in report.matched)
    assert report.mismatched == {"conv_first.weight": ((4, 3, 3, 3), (4, 12, 3, 3))}
    for key in (*report.missing, *report.mismatched):
        assert torch.equal(after[key], before[key])


@pytest.mark.parametrize("allow_partial", [True, False])
def test_a_file_of_which_nothing_fits_is_always_refused(rrdb, save, allow_partial):
    network = SRResNet(num_features=7, num_blocks=1)
    state = {key: tensor for key, tensor in rrdb.state_dict().items() if key != "conv_last.bias"}
    with pytest.raises(WeightsError, match=r"nothing in .* fits the network"):
        load_into(network, save(state), allow_partial=allow_partial)
