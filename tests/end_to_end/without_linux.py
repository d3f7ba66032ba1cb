"""Runs commands where the names that only Linux has are missing, and processes are spawned.

Each argument is the words of one command. What others need of these names is theirs: their packages
are imported first. In a process that is spawned this file is run again, so that they are missing
there, too. What the standard library, torch and Lightning use themselves stays: SIGKILL, SIGSTOP,
SIGCHLD, SIGUSR1, pthread_sigmask.
"""

import importlib
import multiprocessing
import os
import pkgutil
import shlex
import signal
import sys

import av  # noqa: F401
import cv2  # noqa: F401
import filelock  # noqa: F401
import hydra._internal.hydra  # noqa: F401
import lmdb  # noqa: F401
import psutil  # noqa: F401
import pytorch_lightning.loggers  # noqa: F401
import requests  # noqa: F401
import tifffile  # noqa: F401
import torch.utils.tensorboard  # noqa: F401
import torchmetrics  # noqa: F401
import torchvision  # noqa: F401

MISSING = {
    os: "fork forkpty getuid geteuid getgid getpgid getpgrp killpg setsid setpgid nice "
    "sched_getaffinity O_DIRECTORY posix_fadvise sync fdatasync chown mkfifo",
    signal: "SIGHUP SIGUSR2 SIGALRM SIGCONT SIGQUIT alarm setitimer pause sigwait pthread_kill",
}
for module, names in MISSING.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "syslog"):
    sys.modules[name] = None


def main() -> int:
    import esrgan
    from esrgan.__main__ import main as run

    multiprocessing.set_start_method("spawn", force=True)
    for found in pkgutil.walk_packages(esrgan.__path__, "esrgan."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    for words in sys.argv[1:]:
        if code := run(shlex.split(words)):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
