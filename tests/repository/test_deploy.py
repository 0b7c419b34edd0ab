"""What stands in ``deploy/``: the facts that docs/server.md promises of the image and the service, as they are written.

``make lint-docker`` holds the file's syntax; whether it builds is seen where docker runs.
"""

import json
import re
import shlex
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """The instructions of the Dockerfile with what they say, stage by stage."""
    text = (REPOSITORY / "deploy/Dockerfile").read_text()
    lines = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    found: list[list[tuple[str, str]]] = []
    for line in filter(None, lines):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, rest))
    return found


def said(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    return [rest for name, rest in stage if name == instruction]


def test_the_base_is_a_version_that_the_package_runs_on(stages):
    bases = {stage[0][1].split()[0] for stage in stages}
    [base] = bases
    version = re.fullmatch(r"python:(\d+\.\d+)-slim", base)
    assert version
    pyproject = (REPOSITORY / "pyproject.toml").read_text()
    assert f"Python :: {version[1]}" in pyproject


def test_the_server_does_not_run_as_root_and_owns_its_data_alone(stages):
    last = stages[-1]
    [user] = said(last, "USER")
    [creation] = said(last, "RUN")
    assert creation.startswith("useradd --system")
    assert creation.split()[-1] == user
    assert user not in ("root", "0")
    assert [name for name, _ in last].index("USER") < [name for name, _ in last].index("ENTRYPOINT")
    [home] = said(last, "VOLUME")
    assert f"--home-dir {home}" in creation
    settings = dict(item.split("=", 1) for item in shlex.split(said(last, "ENV")[0]))
    assert all(settings[name].startswith(f"{home}/") for name in ("MEDQA_CACHE_DIR", "MEDQA_INDEX"))


def test_only_what_was_installed_is_in_the_last_stage(stages):
    [copied] = said(stages[-1], "COPY")
    assert copied == "--from=build /opt/medqa /opt/medqa"


def test_the_health_check_asks_the_port_that_is_served(stages):
    last = stages[-1]
    [check] = said(last, "HEALTHCHECK")
    [port] = said(last, "EXPOSE")
    command = json.loads(check.partition(" CMD ")[2])
    assert command[0] == "python"
    assert f"http://127.0.0.1:{port}/healthz" in command[2]
    compile(command[2], "health check", "exec")


def test_it_is_started_and_stopped_as_the_command_expects(stages):
    from llama_index_medqa.cli.app_commands import DEFAULT_PORT

    last = stages[-1]
    assert json.loads(said(last, "ENTRYPOINT")[0]) == ["medqa"]
    assert json.loads(said(last, "CMD")[0])[:3] == ["app", "--host", "0.0.0.0"]
    assert said(last, "STOPSIGNAL") == ["SIGTERM"]
    assert said(last, "EXPOSE") == [str(DEFAULT_PORT)]


def test_the_service_has_no_rights_beyond_its_folders():
    unit = (REPOSITORY / "deploy/medqa.service").read_text()
    for line in (
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "LoadCredential=token:/etc/medqa/token",
    ):
        assert f"\n{line}\n" in unit
    assert "--token-file %d/token" in unit
