"""Which number format a device multiplies fastest."""

import torch

from esrgan.hardware import cpu_multiplies_bf16


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where hardware multiplies it, float16 on older GPUs of CUDA, else float32."""
    if device.type == "cuda":
        newer = torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if newer else torch.float16
    if device.type == "cpu" and cpu_multiplies_bf16():
        return torch.bfloat16
    return torch.float32
