"""requirements.lock has what pyproject.toml asks for, and what guards an installation from it."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKED_EXTRAS = ("dev",)
TEXT = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def locked() -> dict[str, list[str]]:
    """The versions of each package: more than one where they depend on the system."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", TEXT, re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


def asked_for() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    found, open_extras = list(map(Requirement, project["dependencies"])), list(LOCKED_EXTRAS)
    while open_extras:
        for requirement in map(Requirement, extras[open_extras.pop()]):
            if requirement.name == "esrgan":
                open_extras += requirement.extras
            else:
                found.append(requirement)
    return found


@pytest.mark.parametrize("requirement", asked_for(), ids=str)
def test_what_is_asked_for_is_locked_to_a_version_within_its_range(requirement):
    versions = locked()[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(version) for version in versions)


def test_every_file_of_a_package_is_known_by_its_hash_and_none_by_its_place():
    entries = re.split(r"^(?=\S)", TEXT, flags=re.MULTILINE)[1:]
    assert len(entries) > 100
    for entry in entries:
        assert re.match(r"[\w.-]+==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry
    assert "://" not in TEXT and "index-url" not in TEXT and "find-links" not in TEXT


FAKE = """
import json, sys
what = {what!r}
if what == "down":
    sys.exit("ERROR: connection refused")
found = {{
    "sound": [{{"name": "a", "version": "1", "vulns": []}}, {{"name": "b", "skip_reason": "none"}}],
    "bad": [{{"name": "a", "version": "1", "vulns": [{{"id": "CVE-1", "fix_versions": ["2"]}}]}}],
    "unknown": [{{"name": "a", "skip_reason": "not found"}}],
}}[what]
path = sys.argv[sys.argv.index("--output") + 1]
open(path, "w", encoding="utf-8").write(json.dumps({{"dependencies": found}}))
sys.exit(what == "bad")
"""


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("sound", 0, "1 of 2 locked packages audited: no vulnerability is known"),
        ("bad", 1, "a 1: CVE-1; fixed in 2"),
        ("unknown", 0, "nothing was audited: what is known cannot be reached"),
        ("down", 0, "cannot be reached (ERROR: connection refused)"),
    ],
)
def test_an_audit_fails_by_what_is_known_and_says_where_nothing_could_be(
    tmp_path, what, code, words
):
    auditor = tmp_path / "auditor.py"
    auditor.write_text(FAKE.format(what=what), encoding="utf-8")
    audit = [sys.executable, ROOT / ".ci/audit.py", sys.executable, auditor]
    done = subprocess.run(audit, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    assert words in done.stdout


@pytest.mark.slow
def test_the_bill_of_materials_names_every_package(tmp_path):
    program = ROOT / ".venv/tools/bin/cyclonedx-py"
    if not program.exists():
        pytest.skip("the tools of a release are not installed: make sbom")
    bill = tmp_path / "bill.json"
    options = ["--pyproject", ROOT / "pyproject.toml", "--output-file", bill]
    command = [program, "requirements", ROOT / "requirements.lock", *options]
    subprocess.run(command, check=True, capture_output=True)
    components = json.loads(bill.read_text(encoding="utf-8"))["components"]
    names = {canonicalize_name(each["name"]) for each in components}
    assert names == set(locked())
    assert all(f"@{each['version']}" in each["purl"] for each in components)
