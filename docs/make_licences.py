"""Writes licences.md: the licences of all packages that an installation brings, as their own metadata tell.

It takes folders of packages, such as ``.venv/lib/python3.11/site-packages`` and the same of ``.venv-train``; a package
is looked for in their order.
"""

import importlib.metadata
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).with_name("licences.md")
INTRODUCTION = """# Licences of dependencies

Written by `python docs/make_licences.py` from the metadata of the packages; change that, not this page. What a package
brings in turn is listed too. A licence is what the package says of itself; the wheels of torch, OpenVINO, Ray and
others carry libraries with licences of their own inside. torch's CUDA build also brings NVIDIA's libraries, under
NVIDIA's terms.

`base` is brought by every installation, the others by the extra of that name.
"""
# Extras of the project itself are not for users.
_INNER = {"dev"}

Installed = Mapping[str, importlib.metadata.Distribution]


def installed(folders: Iterable[str]) -> Installed:
    """The packages of folders, by name; of two the one of the first folder."""
    found: dict[str, importlib.metadata.Distribution] = {}
    for folder in folders:
        for item in importlib.metadata.distributions(path=[folder]):
            found.setdefault(canonicalize_name(item.metadata["Name"]), item)
    return found


def brought_by(requirements: Iterable[str], packages: Installed) -> set[str]:
    """Names of all packages that requirements bring, directly or not."""
    names: set[tuple[str, str]] = set()
    waiting = [Requirement(item) for item in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name == "llama-index-medqa":
            continue
        for extra in ("", *requirement.extras):
            if (name, extra) in names:
                continue
            names.add((name, extra))
            inner = packages[name].requires if name in packages else None
            waiting += [
                item
                for item in map(Requirement, inner or ())
                if item.marker is None or item.marker.evaluate({**default_environment(), "extra": extra})
            ]
    return {name for name, _ in names}


def licence(item: importlib.metadata.Distribution) -> str:
    """What a package says of its licence, in one line."""
    told = item.metadata.get("License-Expression")
    if told:
        return told
    kinds = [
        line.rpartition(" :: ")[2]
        for line in item.metadata.get_all("Classifier") or ()
        if line.startswith("License ::") and line != "License :: OSI Approved"
    ]
    text = (item.metadata.get("License") or "").strip()
    return ", ".join(kinds) or (text.splitlines()[0] if text else "not told")


def page(packages: Installed) -> str:
    """The whole page."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    parts = {"base": project["dependencies"], **project["optional-dependencies"]}
    needed_by: dict[str, list[str]] = {}
    for part, requirements in parts.items():
        for name in brought_by(requirements, packages) if part not in _INNER else ():
            needed_by.setdefault(name, []).append(part)
    rows = [
        f"| {name} | {licence(packages[name]) if name in packages else 'not installed here'} | "
        f"{'base' if 'base' in needed else ', '.join(needed)} |"
        for name, needed in sorted(needed_by.items())
    ]
    return "\n".join([INTRODUCTION, "| package | licence | for |", "|---|---|---|", *rows, ""])


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit("Give the folders of installed packages, such as .venv/lib/python3.11/site-packages.")
    PAGE.write_text(page(installed(sys.argv[1:])))
