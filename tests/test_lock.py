"""requirements.lock has what pyproject.toml asks for, and what guards an installation from it."""

import json
import re
import subprocess
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

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
                open_extras += sorted(requirement.extras)
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


def tool(name: str) -> Path:
    path = ROOT / ".venv/tools/bin" / name
    if not path.exists():
        pytest.skip(f"{name} is not installed: make .venv/tools/done")
    return path


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
        ("unknown", 0, "nothing was audited: what is known cannot be reached (not found)"),
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


class Advisories(BaseHTTPRequestHandler):
    """Answers as a service of advisories does: one package has a vulnerability."""

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        asked = json.loads(self.rfile.read(length))["package"]["name"]
        events = [{"introduced": "0"}, {"fixed": "99.0"}]
        ranges = [{"type": "ECOSYSTEM", "events": events}]
        affected = [{"package": {"name": asked, "ecosystem": "PyPI"}, "ranges": ranges}]
        advisory = {"id": "GHSA-1", "summary": "a test", "affected": affected}
        answer = json.dumps({"vulns": [advisory]} if asked == "pillow" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *words):
        pass


@pytest.mark.slow
def test_the_auditor_itself_reads_the_lock_and_reports_what_it_is_told():
    command = [sys.executable, ROOT / ".ci/audit.py", tool("pip-audit")]
    with ThreadingHTTPServer(("127.0.0.1", 0), Advisories) as server:
        Thread(target=server.serve_forever).start()
        where = f"http://127.0.0.1:{server.server_port}"
        service = ["--vulnerability-service", "osv", "--osv-url", where]
        done = subprocess.run([*command, *service], capture_output=True, text=True, check=False)
        server.shutdown()
    pillow = locked()["pillow"][0]
    assert done.stdout == f"pillow {pillow}: GHSA-1; fixed in 99.0\n"
    assert done.returncode == 1


@pytest.mark.slow
def test_the_bill_of_materials_names_every_package_and_its_version(tmp_path):
    bill = tmp_path / "bill.json"
    options = ["--pyproject", ROOT / "pyproject.toml", "--no-validate", "--output-file", bill]
    command = [tool("cyclonedx-py"), "requirements", ROOT / "requirements.lock", *options]
    subprocess.run(command, check=True, capture_output=True)
    components = json.loads(bill.read_text(encoding="utf-8"))["components"]
    named = {(canonicalize_name(each["name"]), each["version"]) for each in components}
    assert named == {(name, each) for name, versions in locked().items() for each in versions}
    for each in components:
        assert (
            each["purl"].partition("?")[0] == f"pkg:pypi/{each['name'].lower()}@{each['version']}"
        )
