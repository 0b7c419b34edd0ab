"""Writes versions.md: with which versions of what the package depends on the tests passed.

``make test-versions`` makes an environment of the lowest and one of the newest versions, runs the tests in each, and
then this with their two folders of packages.
"""

import importlib.metadata
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).with_name("versions.md")
EXTRAS = ("embeddings", "local", "openvino", "adapter", "speed", "data", "ray")
INTRODUCTION = """# Tested versions

Written by `make test-versions`; change that, not this page. It installs the lowest and the newest versions that
`pyproject.toml` allows of what the package depends on itself, and runs the unit, contract and golden tests with each,
on Python 3.11 and Linux. Between the two columns nothing was run. torch is held at the version of
`constraints-cpu.txt`. `eval` and `train` allow one version of ragas and of LLaMA-Factory.

OpenVINO traces models of transformers 5.24, not of 4.57 or 5.6: with those, `backend="auto"` says so and takes torch.
The lowest versions bring 5.12, with which it was not tried: the tests of OpenVINO are left out there.

| package | allowed | lowest tested | newest tested | for |
|---|---|---|---|---|
"""


def requirements() -> dict[str, tuple[Requirement, str]]:
    """What the package depends on itself, by name, and for which part of it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    parts = {"base": project["dependencies"], **{name: project["optional-dependencies"][name] for name in EXTRAS}}
    found: dict[str, tuple[Requirement, str]] = {}
    for part, lines in parts.items():
        for requirement in map(Requirement, lines):
            if requirement.name != project["name"]:
                found.setdefault(requirement.name, (requirement, part))
    return found


def version(name: str, folder: str) -> str:
    """Of a package in a folder of packages."""
    return next(item.version for item in importlib.metadata.distributions(name=name, path=[folder]))


def row(requirement: Requirement, part: str, lowest: str, newest: str) -> str:
    """One line of the table."""
    return f"| {requirement.name} | {allowed(requirement)} | {lowest} | {newest} | {part} |"


def allowed(requirement: Requirement) -> str:
    """As pyproject.toml says it, the lower bound first."""
    return ", ".join(sorted(map(str, requirement.specifier), key=lambda item: item[0] == "<"))


if __name__ == "__main__":
    rows = [
        row(requirement, part, *(version(name, folder) for folder in sys.argv[1:3]))
        for name, (requirement, part) in requirements().items()
    ]
    PAGE.write_text("\n".join([INTRODUCTION.rstrip(), *rows, ""]))
