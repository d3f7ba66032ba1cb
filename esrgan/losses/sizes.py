"""What losses ask of the size of patches."""


def require_patch_size(name: str, patch_size: int, least: int, why: str, fix: str = "") -> None:
    """A ValueError that names the loss, where patches are smaller than it can compare."""
    if patch_size < least:
        raise ValueError(
            f"training.losses.{name}: patch_size ({patch_size}) must be at least {least} {why}: "
            f"{fix}give patch_size={least} or more, or leave the loss out"
        )
