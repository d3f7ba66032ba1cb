"""Who may import whom: parts do not know each other; configs and commands know who meets whom."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Any part may import these; "" has the version
SHARED = {
    "",
    "backbones",
    "errors",
    "feature_distances",
    "files",
    "hardware",
    "precision",
    "signals",
    "spectral_norm",
    "types",
}
PACKAGES: dict[str, set[str] | None] = {
    "commands": None,  # any
    "data": set(),
    "degradations": set(),
    "downloads": set(),
    "evaluation": set(),
    "inference": {"networks", "weights"},
    "losses": set(),
    "networks": set(),
    "reports": {"evaluation", "runs"},
    "runs": set(),
    "sweeps": {"hydra_errors", "runs"},
    "training": {"runs"},
    "upscaling": {"data", "inference"},
    "weights": {"networks", "runs"},
}
HYDRA_AT = {
    "esrgan/hydra_errors.py",
    "esrgan/sweeps/launch.py",
    "esrgan/commands/preview.py",
    "esrgan/commands/replay.py",
    "esrgan/commands/train.py",
    "esrgan/commands/composition.py",
    "esrgan/commands/first_weights.py",
    "esrgan/commands/download.py",  # OmegaConf, to read its table
}
LIGHTNING_AT = {
    "esrgan/training",
    "esrgan/commands/first_weights.py",
    "esrgan/commands/run_frame.py",
    "esrgan/commands/train.py",
}
LONGEST_FILE, LONGEST_FUNCTION = 300, 50


def modules() -> list[Path]:
    return sorted((ROOT / "esrgan").rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_every_package_is_in_the_table() -> None:
    found = {p.name for p in (ROOT / "esrgan").iterdir() if (p / "__init__.py").exists()}
    assert found == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_they_may(package: str) -> None:
    others = PACKAGES[package]
    if others is None:
        return
    allowed = others | {package} | SHARED
    for path in (ROOT / "esrgan" / package).rglob("*.py"):
        ours = {n.partition(".")[2].partition(".")[0] for n in imported(path) if is_ours(n)}
        assert ours <= allowed, f"{path} imports {ours - allowed}"


def is_ours(name: str) -> bool:
    return name.split(".")[0] == "esrgan"


def test_what_all_may_import_knows_no_part() -> None:
    for name in SHARED - {""}:
        ours = {n.split(".")[1] for n in imported(ROOT / f"esrgan/{name}.py") if is_ours(n)}
        assert ours <= SHARED, f"{name} imports {ours - SHARED}"


def test_hydra_and_omegaconf_stay_where_commands_are() -> None:
    for path in modules():
        if str(path.relative_to(ROOT)) in HYDRA_AT:
            continue
        assert not {n.split(".")[0] for n in imported(path)} & {"hydra", "omegaconf"}, path


def test_lightning_stays_where_training_is() -> None:
    for path in modules():
        if any(str(path.relative_to(ROOT)).startswith(place) for place in LIGHTNING_AT):
            continue
        assert "pytorch_lightning" not in {n.split(".")[0] for n in imported(path)}, path


def test_scripts_are_doors() -> None:
    """What a command does is in the package, where `pip install` reaches it."""
    doors = [path for path in (ROOT / "scripts").glob("*.py") if path.name not in OF_A_CHECKOUT]
    for path in [*doors, ROOT / "train.py"]:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 12, path
        assert any(name.startswith("esrgan.commands.") for name in imported(path)), path


OF_A_CHECKOUT = {"demo.py", "benchmark.py", "speedrun.py"}


@pytest.mark.parametrize(
    ("definition", "home"),
    [
        (r"^Image = ", "types.py"),
        (r"^Pixels = ", "types.py"),
        (r"^Resize = ", "types.py"),
        (r"^class Pair\(", "types.py"),
        (r"^class Batch\(", "types.py"),
        (r"\.replace\(path\)", "files.py"),
        (r"FileLock\(", "files.py"),
        (r"is not overwritten", "files.py"),
        (r'"settings\.json"', "folder.py"),
    ],
)
def test_shared_words_and_ways_with_files_stand_once(definition: str, home: str) -> None:
    pattern = re.compile(definition, re.MULTILINE)
    found = {path.name for path in modules() if pattern.search(path.read_text(encoding="utf-8"))}
    assert found == {home}


def test_nothing_is_longer_than_a_reader_can_hold() -> None:
    for path in [*modules(), *(ROOT / "scripts").rglob("*.py"), ROOT / "train.py"]:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= LONGEST_FILE, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                length -= len((ast.get_docstring(node) or "").splitlines())
                assert length <= LONGEST_FUNCTION, f"{path}: {node.name} has {length} lines"


def test_no_two_modules_have_one_name() -> None:
    """But where the name says in which part it is: `commands/report.py` reads `reports/`."""
    names = [p.stem for p in modules() if p.stem not in ("__init__", "__main__")]
    assert sorted(names) == sorted(set(names))


ON_LINUX_ONLY = re.compile(
    r"\b(import (fcntl|resource|pwd|grp|termios)|os\.(getuid|killpg|fork)\b"
    r"|signal\.(SIGKILL|SIGHUP|SIGUSR\d|pthread_\w+)|process_group=)"
)
RENAME = re.compile(r"\.rename\(")  # fails on Windows, and only there, where the name is taken


def test_what_windows_lacks_stands_once() -> None:
    places = [*modules(), *(ROOT / "scripts").rglob("*.py"), ROOT / "train.py"]
    texts = {path.name: path.read_text(encoding="utf-8") for path in places}
    assert {name for name, text in texts.items() if ON_LINUX_ONLY.search(text)} == {"signals.py"}
    assert not {name for name, text in texts.items() if RENAME.search(text)}
