"""The commands, a module each; `esrgan NAME` finds them."""

DEVICE_HELP = "cpu, cuda, cuda:1, ...; default: cuda where there is one, else cpu"
