import logging
import re
import warnings


def quieten_lightning() -> None:
    """Leave out its hints, and warnings of what is meant to be: the EMA is in evaluation mode."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        "in eval mode",
        "LeafSpec",
        "smaller than the logging",
        "lr_scheduler.step",
        "is zero",
    ):
        warnings.filterwarnings("ignore", f".*{re.escape(message)}")
