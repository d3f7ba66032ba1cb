import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts/upscale.py"


def test_the_script_is_the_command_of_the_package(tmp_path):
    command = [sys.executable, SCRIPT, "nowhere.pth", "nowhere.png", "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: nowhere.png must be a file")


def test_help_and_mistakes_do_not_wait_for_torch():
    program = """
import sys
from esrgan.upscaling.command import main
try:
    main(["--help"])
except SystemExit as exit_:
    main(["nowhere.pth", "nowhere.png", "--output", "x"])
    sys.exit(exit_.code or ("torch" in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0
    assert "Enlarge pictures by a trained network" in done.stdout
    assert done.stderr.count("\n") == 1
