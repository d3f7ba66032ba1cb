"""Small networks of spandrel, with seeded weights."""

import torch
from torch import nn

from esrgan.networks import SpandrelNetwork, new_spandrel_network

SWIN = {"num_heads": [2], "upsampler": "pixelshuffledirect"}
SMALL = {
    "Compact": {"num_feat": 8, "num_conv": 2},
    "SPAN": {"feature_channels": 8},
    "SwinIR": {**SWIN, "embed_dim": 12, "depths": [2], "window_size": 8, "mlp_ratio": 2},
    "DAT": {**SWIN, "embed_dim": 16, "depth": [2], "split_size": [2, 4], "expansion_factor": 1},
    "PLKSR": {"dim": 8, "n_blocks": 1, "kernel_size": 5},
    "RealPLKSR": {"dim": 16, "n_blocks": 1, "kernel_size": 5},
}


def small(name: str, *, scale: int = 4, **others: object) -> SpandrelNetwork:
    """In evaluation mode; its linear layers are as large as PyTorch's are, so that all matters."""
    torch.manual_seed(0)
    parameters = SMALL.get(name, {}) | others
    network = new_spandrel_network(architecture=name, scale=scale, parameters=parameters)
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
    return network.eval()
