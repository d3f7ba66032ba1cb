"""The names that RRDB's layers are to have in a file, for programs that know only theirs."""

import re
from collections.abc import Callable, Mapping

from torch import Tensor

from esrgan.weights.keys import rename

State = Mapping[str, Tensor]
Dialect = Callable[[State], dict[str, Tensor]]
"""From the names of today's releases to others."""

NAMES_2019 = (
    (r"body\.(\d+)\.rdb(\d)\.", r"RRDB_trunk.\1.RDB\2."),
    (r"conv_body\.", r"trunk_conv."),
    (r"conv_up(\d)\.", r"upconv\1."),
    (r"conv_hr\.", r"HRconv."),
)


def released(state: State) -> dict[str, Tensor]:
    """Today's names stay: BasicSR, Real-ESRGAN, spandrel. The only ones that all networks have."""
    return dict(state)


def esrgan_2019(state: State) -> dict[str, Tensor]:
    """RRDB_trunk, trunk_conv, …: the ESRGAN repository, BSRGAN, RealSR.

    Raises:
        ValueError: the weights are not RRDBNet's, or have BatchNorm.
    """
    _require_plain_rrdb(state)
    return rename(state, NAMES_2019)


def numbered_2018(state: State) -> dict[str, Tensor]:
    """model.0, model.1.sub.0.RDB1.conv1.0, …: the first release, and programs older than 2019.

    Raises:
        ValueError: as for `esrgan_2019`.
    """
    _require_plain_rrdb(state)
    num_blocks = sum(
        re.fullmatch(r"body\.\d+\.rdb1\.conv1\.weight", key) is not None for key in state
    )
    num_steps = sum(re.fullmatch(r"conv_up\d\.weight", key) is not None for key in state)
    steps = [(rf"conv_up{step}\.", f"model.{3 * step}.") for step in range(1, num_steps + 1)]
    names = (
        (r"body\.(\d+)\.rdb(\d)\.conv(\d)\.", r"model.1.sub.\1.RDB\2.conv\3.0."),
        (r"conv_first\.", "model.0."),
        (r"conv_body\.", f"model.1.sub.{num_blocks}."),
        *steps,
        (r"conv_hr\.", f"model.{3 * num_steps + 2}."),
        (r"conv_last\.", f"model.{3 * num_steps + 4}."),
    )
    return rename(state, names)


DIALECTS: Mapping[str, Dialect] = {
    "basicsr": released,
    "esrgan": esrgan_2019,
    "2018": numbered_2018,
}


def _require_plain_rrdb(state: State) -> None:
    if "body.0.rdb1.conv1.weight" not in state:
        raise ValueError("only RRDBNet has had other names: this network has one set of them")
    if "norm_body.weight" in state:
        raise ValueError("the older names of RRDBNet's layers have none for BatchNorm")
