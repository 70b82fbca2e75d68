"""The machine, versions and commit behind a benchmark's figures."""

import contextlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # of the clone
RESULTS = [
    f":(exclude)benchmarks/{name}" for name in ("results", "*.json", "RESULTS.md")
]


def git(*words):
    """Output of a git command in this clone, "" if there is none."""
    command = ["git", "-C", str(ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def processor():
    """The processor's name, and whether it has AMX, as far as the system says so."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        pairs = (line.partition(":") for line in lines)
        found = {name.strip(): value.strip() for name, _, value in pairs}
        amx = "amx_tile" in found.get("flags", "").split()
        return {"processor": found.get("model name", platform.machine()), "amx": amx}
    return {"processor": platform.processor() or platform.machine(), "amx": None}


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
        # Freshly written results do not change what is measured.
        commit += "-dirty" * bool(git("diff", "HEAD", "--stat", "--", ".", *RESULTS))
    machine = {**processor(), "cores": os.cpu_count(), "ram_gb": round(ram / 1e9, 1)}
    # A load above the number of cores means that the machine was not quiet.
    machine["load"] = round(os.getloadavg()[0], 1)
    return {"machine": machine, "versions": versions, "commit": commit or "unknown"}
