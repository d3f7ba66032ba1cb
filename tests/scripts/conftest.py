import sys
from pathlib import Path

# What `scripts/benchmark.py` finds beside itself
sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
