"""What networks of one scale begin with from weights of another."""

import pytest
import torch
from spandrel import ModelLoader

from esrgan.networks import MSRResNet, RRDBNet, SRVGGNetCompact
from esrgan.weights import load_into, note_for_others, save_release

TINY = {"num_features": 4, "num_blocks": 2, "growth_channels": 2}
NUM_TRUNK = 2 * 3 * 5 * 2  # weights and biases of the dense blocks' convolutions


def start(tmp_path, x4, network):
    """The report, and whether each tensor is that of x4; all others must be as they were."""
    save_release(tmp_path / "x4.pth", x4, metadata={})
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    report = load_into(network, tmp_path / "x4.pth", allow_partial=True)
    after, source = network.state_dict(), x4.state_dict()
    assert all(torch.equal(after[key], source[key]) for key in report.matched)
    assert all(torch.equal(after[k], before[k]) for k in after.keys() - set(report.matched))
    return report


@pytest.mark.parametrize(("scale", "channels"), [(2, 12), (1, 48)])
def test_a_network_that_folds_pixels_takes_all_but_the_weight_of_its_first_convolution(
    tmp_path, scale, channels
):
    """As Real-ESRGAN's x2 began: its loader leaves out what is of another shape."""
    report = start(tmp_path, RRDBNet(**TINY), RRDBNet(**TINY, scale=scale))
    assert len(report.matched) == NUM_TRUNK + 11
    assert report.mismatched == {"conv_first.weight": ((4, 3, 3, 3), (4, channels, 3, 3))}
    assert report.missing == report.unexpected == ()
    assert str(report).startswith(
        f"{NUM_TRUNK + 11} of the network's {NUM_TRUNK + 12} tensors fit: conv_first 1, body 60, "
        "conv_body 2, conv_up1 2, conv_up2 2, conv_hr 2, conv_last 2\n1 of another shape: conv_f"
    )


@pytest.mark.parametrize(
    ("form", "left_out"),
    [
        ({"scale": 3}, ("conv_up2",)),
        ({"scale": 2, "unshuffle": 1}, ("conv_up2",)),
        ({"scale": 1, "unshuffle": 1}, ("conv_up1", "conv_up2")),
    ],
)
def test_a_network_of_fewer_enlargements_takes_the_first_of_them_and_all_else(
    tmp_path, form, left_out
):
    network = RRDBNet(**TINY, **form)
    report = start(tmp_path, RRDBNet(**TINY), network)
    assert set(report.matched) == set(network.state_dict())
    assert report.unexpected == tuple(
        f"{name}.{kind}" for name in left_out for kind in ("weight", "bias")
    )
    assert f"{len(report.unexpected)} not in the network: {left_out[0]}.weight" in str(report)


@pytest.mark.parametrize(
    ("x4", "other", "of_another_shape"),
    [
        (
            SRVGGNetCompact(num_features=4, num_convs=2),
            SRVGGNetCompact(num_features=4, num_convs=2, scale=1),
            {"body.6.weight": ((48, 4, 3, 3), (3, 4, 3, 3)), "body.6.bias": ((48,), (3,))},
        ),
        (
            MSRResNet(num_features=4, num_blocks=1),
            MSRResNet(num_features=4, num_blocks=1, scale=3),
            {"upconv1.weight": ((16, 4, 3, 3), (36, 4, 3, 3)), "upconv1.bias": ((16,), (36,))},
        ),
    ],
)
def test_an_enlargement_of_another_shape_is_not_taken(tmp_path, x4, other, of_another_shape):
    assert start(tmp_path, x4, other).mismatched == of_another_shape


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(("scale", "others_read"), [(1, 1), (2, 2), (3, 2)])
def test_programs_of_others_read_x1_and_x2_but_x3_as_x2_which_is_said(
    tmp_path, scale, others_read, suffix
):
    network = RRDBNet(num_features=8, num_blocks=1, scale=scale).eval()
    path = tmp_path / f"a{suffix}"
    save_release(path, network, metadata={})
    read = ModelLoader(torch.device("cpu")).load_from_file(path)
    assert read.scale == others_read
    assert (note_for_others(network, name=path.name) is None) == (scale == others_read)
    if scale == others_read:
        lq = torch.rand(1, 3, 20, 24)
        with torch.no_grad():
            torch.testing.assert_close(read.model(lq), network(lq), rtol=0, atol=2e-5)
