"""`train.py -m`: a run for every combination of values, in a process and a folder of its own."""

from esrgan.sweeps.launch import sweep as sweep
