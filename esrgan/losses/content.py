"""How far two images are from each other."""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from esrgan.backbones import layer_names, random_features, trained_features

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_OPTION = "training.losses.perceptual.loss.weights=FILE"


class WeightedLoss(nn.Module):
    """A loss, from images sr and gt (N, C, H, W) to a scalar, and its weight, more than zero.

    A term that is not wanted is set to null in the config, not weighted with zero. With
    `sharpened_gt` it is handed the ground truth after unsharp masking, as Real-ESRGAN's are
    (arXiv:2107.10833, section 3.4).

    Attributes:
        needs_average: whether it compares with what the EMA of the generator makes of the lq, too,
            which then is its third argument. The loss says so itself, by the same name.
    """

    def __init__(self, *, loss: nn.Module, weight: float, sharpened_gt: bool = False) -> None:
        super().__init__()
        if not weight > 0:
            raise ValueError(
                f"weight ({weight}) must be more than 0: to leave the term out, "
                "set it to null (training.losses.NAME=null)"
            )
        self.loss = loss
        self.weight = weight
        self.sharpened_gt = sharpened_gt
        self.needs_average = bool(getattr(loss, "needs_average", False))

    def forward(self, sr: Tensor, gt: Tensor, *averaged: Tensor) -> Tensor:
        value: Tensor = self.loss(sr, gt, *averaged)
        return self.weight * value


class PerceptualLoss(nn.Module):
    """How far two images are from each other in a network's features (section 3.3 of the paper).

    sum over layers of weight · criterion(feature_scale · f(sr), feature_scale · f(gt)), with images
    in [0, 1], which are not clamped. ESRGAN compares conv5_4 of VGG19, before the activation, in
    L1. SRGAN compares relu5_4, after it, in MSE, with the features scaled by 1/12.75
    (arXiv:1609.04802). Real-ESRGAN compares five layers, weighted: conv1_2 and conv2_2 by 0.1,
    conv3_4, conv4_4 and conv5_4 by 1.

    Frozen for ever, in evaluation mode. Under autocast the features are computed in its precision,
    the criterion in that of the images, or float32 if this is more.

    Args:
        network: vgg19, or vgg16, whose last three stages have three convolutions and not four:
            conv5_3 stands in it where VGG19 has conv5_4. alexnet, too, is known.
        layers: name to weight; conv1_1 to conv5_4 are the outputs of convolutions, relu1_1 to
            relu5_4 those of the activations after them, pool1 to pool5 those of the poolings.
            None leaves a layer out.
        criterion: compares features, e.g. `torch.nn.L1Loss()`.
        weights: "imagenet" or a file, as for `trained_features`; or "random", of `seed`, for
            trials.
        feature_scale: what all features are multiplied by.

    Raises:
        ValueError: an argument is out of range, or the weights cannot be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        network: str = "vgg19",
        layers: Mapping[str, float | None],
        criterion: nn.Module,
        weights: str,
        seed: int,
        feature_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.layers = {layer: w for layer, w in layers.items() if w is not None}
        _check_positive(feature_scale, self.layers)
        self.criterion = criterion
        self.feature_scale = feature_scale
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.names = layer_names(network)
        if weights == "random":
            vgg = random_features(network, self.layers, seed=seed)
        else:
            vgg = trained_features(network, self.layers, weights=weights, option=_OPTION)
        self.vgg = vgg.to(memory_format=torch.channels_last)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever the module around it does."""
        return super().train(False)

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        with torch.no_grad():  # first: its memory is free again when the graph of sr needs some
            expected = self._features(gt)
        found = self._features(sr)
        terms = [w * self.criterion(found[k], expected[k]) for k, w in self.layers.items()]
        return torch.stack(terms).sum()

    def _features(self, images: Tensor) -> dict[str, Tensor]:
        dtype = torch.promote_types(images.dtype, torch.float32)
        features = {}
        x = (images - self.mean) / self.std
        for name, layer in zip(self.names, self.vgg, strict=False):
            x = layer(x)
            if name in self.layers:  # a copy: the activation after a convolution writes over x
                features[name] = x.to(dtype) * self.feature_scale
        return features


def _check_positive(feature_scale: float, layers: Mapping[str, float]) -> None:
    if not feature_scale > 0:
        raise ValueError(f"feature_scale ({feature_scale}) must be more than 0")
    if not layers:
        raise ValueError("layers has no layer: at least one must not be null, e.g. conv5_4: 1.0")
    for layer, weight in layers.items():
        if not weight > 0:
            raise ValueError(
                f"the weight of {layer} ({weight}) must be more than 0: to leave a layer out, "
                f"set it to null ({layer}=null)"
            )
