"""Who may import whom: parts do not know each other, only the configs know who meets whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "data": {"durable"},
    "degradations": set(),
    "downloads": {"durable"},
    "evaluation": set(),
    "inference": {"hardware", "networks", "weights"},
    "losses": set(),
    "networks": set(),
    "sweeps": {"command_line", "hydra_errors"},
    "training": {"durable", "hardware"},
    "upscaling": {"command_line", "data", "hardware", "inference", "weights"},
    "weights": {"durable", "networks"},
}
HYDRA_AT = {"esrgan/hydra_errors.py", "esrgan/sweeps/launch.py"}
LIGHTNING_AT = {"esrgan/training", "esrgan/data/datamodule.py", "train.py"}


def modules() -> list[Path]:
    return sorted((ROOT / "esrgan").rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
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
    allowed = PACKAGES[package] | {package}
    for path in (ROOT / "esrgan" / package).rglob("*.py"):
        ours = {name.split(".")[1] for name in imported(path) if name.startswith("esrgan.")}
        assert ours <= allowed, f"{path} imports {ours - allowed}"


def test_hydra_and_omegaconf_stay_outside_the_packages() -> None:
    for path in modules():
        if str(path.relative_to(ROOT)) in HYDRA_AT:
            continue
        assert not {n.split(".")[0] for n in imported(path)} & {"hydra", "omegaconf"}, path


def test_lightning_stays_where_training_is() -> None:
    for path in modules():
        if any(str(path.relative_to(ROOT)).startswith(place) for place in LIGHTNING_AT):
            continue
        assert "pytorch_lightning" not in {n.split(".")[0] for n in imported(path)}, path


def test_nothing_is_longer_than_a_reader_can_hold() -> None:
    for path in [*modules(), *(ROOT / "scripts").rglob("*.py"), ROOT / "train.py"]:
        text = path.read_text()
        assert len(text.splitlines()) <= 200, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                length -= len((ast.get_docstring(node) or "").splitlines())
                assert length <= 40, f"{path}: {node.name} has {length} lines"
