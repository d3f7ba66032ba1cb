"""Compare the versions of requirements.lock with what is known of vulnerabilities.

    python .ci/audit.py pip-audit

The exit code is 1 where a version has a known vulnerability. Where what is known cannot be reached,
it is 0, and a line says so.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements.lock"
SECONDS = 120  # for all packages together


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        code, said = run(report)
        packages = json.loads(report.read_text("utf-8"))["dependencies"] if report.exists() else []
    audited = [package for package in packages if "skip_reason" not in package]
    bad = [package for package in audited if package["vulns"]]
    for package in bad:
        known = ", ".join(found["id"] for found in package["vulns"])
        fixed = sorted({version for found in package["vulns"] for version in found["fix_versions"]})
        print(
            f"{package['name']} {package['version']}: {known}; fixed in {', '.join(fixed) or '-'}"
        )
    if bad:
        return 1
    if not audited:
        why = packages[0]["skip_reason"] if packages else last_line(said) or code
        print(f"nothing was audited: what is known cannot be reached ({why})")
        return 0
    print(f"{len(audited)} of {len(packages)} locked packages audited: no vulnerability is known")
    return 0


def run(report: Path) -> tuple[int, str]:
    """The auditor's exit code and its words; it writes a report if it finds anything out."""
    options = ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "--timeout", "10"]
    files = ["--requirement", str(LOCK), "--format", "json", "--output", str(report)]
    command = [*sys.argv[1:], *options, *files]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return 1, f"no answer in {SECONDS} s"
    return done.returncode, done.stderr


def last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


if __name__ == "__main__":
    raise SystemExit(main())
