"""Pre-commit and the workflows run what the Makefile says, and the workflows may do no more than they need."""

import re

import pytest
import yaml

from tests.conftest import REPOSITORY

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
CI = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text(encoding="utf-8"))


def commands(job):
    return [step["run"] for step in job["steps"] if "run" in step]


def test_pre_commit_runs_what_make_lint_runs():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]
    linted = [line.strip().replace("$(VENV)", ".venv") for line in recipe.splitlines()]
    [repository] = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == linted
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}


def test_ci_runs_targets_that_exist_on_all_versions_and_systems():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    made = {command.split()[1] for job in CI["jobs"].values() for command in commands(job) if command[:5] == "make "}
    assert made == {"lint", "test", "coverage", "docs"}
    assert made <= targets
    assert CI["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert CI["jobs"]["test-elsewhere"]["strategy"]["matrix"]["os"] == ["macos-latest", "windows-latest"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_and_its_actions_are_pinned(path):
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        allowed = {"id-token": "write"} if name == "publish" else {"contents": "read"}
        assert job["permissions"] == allowed
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [use for use in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)] == []
