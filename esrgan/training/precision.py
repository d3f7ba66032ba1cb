import torch

from esrgan.hardware import cpu_multiplies_bf16


def choose_precision(*, precision: str, accelerator: str) -> str:
    """Lightning's name of the number format to compute in.

    Args:
        precision: "auto": bfloat16 where the device multiplies it in hardware, else float32; or
            "bf16-mixed" or "32-true" (or "64-true", which tests use) to have it decided.
        accelerator: Lightning's word: "auto", "cpu", "gpu" or "cuda", "mps".

    Raises:
        ValueError: another word. "16-mixed" is one: float16 needs a loss scale, and bfloat16,
            which does not, is there on every GPU with fast float16 since 2020.
    """
    allowed = ("auto", "bf16-mixed", "32-true", "64-true")
    if precision not in allowed:
        raise ValueError(f"precision ({precision}) must be one of {', '.join(allowed)}")
    if precision != "auto":
        return precision
    if accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available()):
        in_hardware = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        in_hardware = accelerator in ("auto", "cpu") and cpu_multiplies_bf16()
    return "bf16-mixed" if in_hardware else "32-true"
