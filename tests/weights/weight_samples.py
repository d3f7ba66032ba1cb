"""Networks to try with, and the names of layers in files of 2018 and 2019 as the sources say."""

import torch
from torch import nn

# The last three layers and the steps by scale, as the authors' nn.Sequential numbered them.
NUMBERS_2018 = {
    1: {"conv_hr": 2, "conv_last": 4},
    2: {"conv_up1": 3, "conv_hr": 5, "conv_last": 7},
    4: {"conv_up1": 3, "conv_up2": 6, "conv_hr": 8, "conv_last": 10},
    8: {"conv_up1": 3, "conv_up2": 6, "conv_up3": 9, "conv_hr": 11, "conv_last": 13},
}
NAMES_2019 = {
    "body": "RRDB_trunk",
    "conv_body": "trunk_conv",
    "conv_up1": "upconv1",
    "conv_up2": "upconv2",
    "conv_up3": "upconv3",
    "conv_hr": "HRconv",
}


def as_today(key: str, **_: int) -> str:
    return key


def as_in_2018(key: str, *, scale: int, num_blocks: int) -> str:
    """`scale` is that of the enlargement: 4 also in a network of scale 2 with pixel-unshuffle."""
    parts = key.split(".")
    if parts[0] == "body":
        _, block, dense, conv, part = parts
        return f"model.1.sub.{block}.{dense.upper()}.{conv}.0.{part}"
    if parts[0] == "conv_body":
        return f"model.1.sub.{num_blocks}.{parts[1]}"
    return f"model.{({'conv_first': 0} | NUMBERS_2018[scale])[parts[0]]}.{parts[1]}"


def as_in_2019(key: str, **_: int) -> str:
    first, *rest = key.split(".")
    return ".".join([NAMES_2019.get(first, first), *rest]).replace("rdb", "RDB")


def lively(network: nn.Module) -> nn.Module:
    """With weights, biases and averages that all matter: a training's first weights hide mistakes,
    because what they give is nearly zero.
    """
    torch.manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.reset_parameters()
        elif isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
    return network.eval()
