"""Where a benchmark's figures come from."""

import contextlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = [
    f":(exclude)benchmarks/{name}" for name in ("results", "*.json", "RESULTS.md")
]


def git(*words):
    """What git says of this project, "" if it has nothing to say."""
    command = ["git", "-C", str(ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def circumstances(packages):
    """Machine, versions of `packages` and commit, as a dictionary for JSON."""
    versions = {"python": platform.python_version()}
    for name in packages:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    commit = ""
    with contextlib.suppress(OSError):
        commit = git("describe", "--always")
        # Results that were written a moment ago do not change what is measured.
        commit += "-dirty" * bool(git("diff", "HEAD", "--stat", "--", ".", *RESULTS))
    machine = {"cores": os.cpu_count(), "ram_gb": round(ram / 1e9, 1)}
    # Above the number of cores the machine was not quiet.
    machine["load"] = round(os.getloadavg()[0], 1)
    return {"machine": machine, "versions": versions, "commit": commit or "unknown"}
