"""Spectral normalisation of a layer's weights, as released discriminators have it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def add_spectral_norm(layer: nn.Conv2d | nn.Linear) -> None:
    """From now on `layer` computes with its weight divided by the weight's spectral norm.

    It is the spectral normalisation of Miyato et al. 2018 (arXiv:1802.05957). Arithmetic and keys
    (weight_orig, weight_u, weight_v) are those of `torch.nn.utils.spectral_norm`, because released
    discriminators are made with it. Two things differ: autocast does not reach the power iteration,
    which on CUDA it would run in low precision; and the layer can be copied after a forward pass,
    because none leaves a tensor behind that belongs to a graph.
    """
    weight = layer.weight
    rows, columns = weight.flatten(1).shape
    del layer.weight
    layer.register_parameter("weight_orig", nn.Parameter(weight))
    layer.register_buffer("weight_u", F.normalize(weight.new_empty(rows).normal_(), dim=0))
    layer.register_buffer("weight_v", F.normalize(weight.new_empty(columns).normal_(), dim=0))
    layer.register_forward_pre_hook(_set_weight)
    layer.register_forward_hook(_remove_weight)


def _set_weight(layer: nn.Module, _: object) -> None:
    """Divide by u W v, with u and v nearer to the first singular vectors after each iteration."""
    weight = layer.get_parameter("weight_orig")
    u, v = layer.get_buffer("weight_u"), layer.get_buffer("weight_v")
    matrix = weight.flatten(1)
    with torch.autocast(weight.device.type, enabled=False):
        if layer.training:
            _iterate(matrix, u, v)
        # Copies: another forward pass may change u and v before the backward pass of this one.
        sigma = u.clone() @ (matrix @ v.clone())
        layer.weight = weight / sigma


def _remove_weight(layer: nn.Module, _: object, __: object) -> None:
    del layer.weight


@torch.no_grad()
def _iterate(matrix: Tensor, u: Tensor, v: Tensor) -> None:
    v.copy_(F.normalize(matrix.t() @ u, dim=0))
    u.copy_(F.normalize(matrix @ v, dim=0))


def has_spectral_norm(network: nn.Module) -> bool:
    """Whether a layer of it has, of ours or of `torch.nn.utils.spectral_norm`."""
    return any(hasattr(layer, "weight_u") for layer in network.modules())


def iterate_spectral_norms(network: nn.Module) -> None:
    """Bring the vectors u and v of all spectral norms as far on as another pass would.

    Those of `torch.nn.utils.spectral_norm`, too: its buffers have the same names.
    """
    for layer in network.modules():
        if hasattr(layer, "weight_u"):
            matrix = layer.get_parameter("weight_orig").flatten(1)
            with torch.autocast(matrix.device.type, enabled=False):
                _iterate(matrix, layer.get_buffer("weight_u"), layer.get_buffer("weight_v"))
