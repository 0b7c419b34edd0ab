"""The provenance of measurements, which every results file holds."""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def provenance(files: Iterable[Path], packages: Iterable[str]) -> dict[str, Any]:
    """Return the commit, versions, hashes and command of a measurement.

    Args:
        files: inputs.
        packages: distributions whose versions matter; null where one is not installed.
    """
    changed = _git("status", "--porcelain", "--", "llama_index_medqa", "benchmarks/*.py")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": " ".join(["python -m", _module(Path(sys.argv[0])), *(Path(word).name for word in sys.argv[1:])]),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(changed),
        "python": platform.python_version(),
        "processor": _processor(),
        "versions": {name: _version(name) for name in packages},
        "sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }


def _module(script: Path) -> str:
    """Return the name by which a script of this package is run."""
    inside = [part.stem for part in (script, *script.parents)]
    return ".".join(reversed(inside[: inside.index("benchmarks") + 1])) if "benchmarks" in inside else script.stem


def write_results(name: str, results: dict[str, Any]) -> Path:
    """Write ``results/NAME.json``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    return path


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
