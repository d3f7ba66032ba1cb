"""LPIPS and DISTS as losses."""

from torch import Tensor, nn

from esrgan.feature_distances import DISTS, LPIPS, SMALLEST_SIDE
from esrgan.losses.sizes import require_patch_size


class LPIPSLoss(nn.Module):
    """LPIPS 0.1 (arXiv:1801.03924) of images (N, 3, H, W) in [0, 1], the batch's mean.

    Whoever minimises it cannot judge by it: a network learns to please these features. Computed in
    float32, also under autocast.

    Args:
        network: vgg16, whose features are what the paper recommends to be minimised, or alexnet.
        weights: "imagenet" or a file, as for `trained_features`; or "random", of `seed`, for
            trials.
        patch_size: the side of the images.

    Raises:
        ValueError: the network is not known, its weights cannot be had, or images are too small.
    """

    def __init__(self, *, network: str, weights: str, seed: int, patch_size: int) -> None:
        super().__init__()
        self.distance = LPIPS(
            network, weights=weights, option="training.losses.lpips.loss.weights=FILE", seed=seed
        )
        require_patch_size("lpips", patch_size, SMALLEST_SIDE[network], f"on {network}")

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        value: Tensor = self.distance(sr, gt)
        return value


class DISTSLoss(nn.Module):
    """DISTS (arXiv:2004.07728), on features of VGG16; all else as for `LPIPSLoss`.

    The paper compares images whose smaller side is 256 pixels; patches are compared as they are.
    """

    def __init__(self, *, weights: str, seed: int, patch_size: int) -> None:
        super().__init__()
        self.distance = DISTS(
            weights=weights, option="training.losses.dists.loss.weights=FILE", seed=seed
        )
        require_patch_size("dists", patch_size, SMALLEST_SIDE["vgg16"], "on vgg16")

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        value: Tensor = self.distance(sr, gt)
        return value
