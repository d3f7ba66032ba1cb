"""The commands, a module each; `esrgan NAME` finds them."""
