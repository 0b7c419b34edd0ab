"""``python -m data_tools crawl``. Expected values: what the double holds, and exit codes as documented."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from data_tools.__main__ import app
from llama_index_medqa.testing import EutilsDouble, synthetic_records

KEY = "0123456789abcdef0123456789abcdef0123"
GONE = "10000003"


@pytest.fixture
def double() -> EutilsDouble:
    return EutilsDouble(synthetic_records(12, days=12), api_key=KEY, undeliverable=[GONE])


@pytest.fixture
def base_url(double: EutilsDouble, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NCBI_API_KEY", KEY)
    with double.serve() as url:
        yield url


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["crawl", *arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.stdout, result.stderr


def test_all_fetched(double: EutilsDouble, base_url: str, tmp_path: Path) -> None:
    arguments = ["--query", "synthetic", "--from", "2020-01-05", "--to", "2020-01-09", "--out"]
    code, output, _ = run(*arguments, str(tmp_path), "--base-url", base_url, "--email", "me@example.org")
    assert code == 0
    assert "5 (0 by earlier runs)" in output
    assert "--since 20" in output
    assert double.requests[0].form["term"] == "(synthetic) AND 2020/01/05:2020/01/09[pdat]"
    assert double.requests[0].form["email"] == "me@example.org"
    assert double.requests[0].form["api_key"] == KEY
    assert KEY not in output


def test_some_failed(base_url: str, tmp_path: Path) -> None:
    arguments = ["--query", "synthetic", "--out", str(tmp_path), "--base-url", base_url]
    code, output, _ = run(*arguments)
    assert code == 3
    assert f"Without record: PMID {GONE}" in output
    code, output, _ = run(*arguments, "--json")
    assert code == 3
    summary = json.loads(output)
    assert (summary["found"], summary["fetched"], list(summary["failed"])) == (12, 11, [GONE])


def test_pmids_from_a_file(base_url: str, tmp_path: Path) -> None:
    listed = tmp_path / "pmids.txt"
    listed.write_text("10000001\n10000002\n")
    code, output, _ = run("--pmids", str(listed), "--out", str(tmp_path / "o"), "--base-url", base_url, "--json")
    assert code == 0
    assert json.loads(output)["fetched"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "2020-01-01", "--query", "x"], "--to needs --from"),
        (["--pmids", "missing.txt"], "missing.txt cannot be read"),
        (["--query", "x", "--base-url", "nowhere"], "not an http address"),
        ([], "either a query or PMIDs"),
    ],
)
def test_errors_are_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    code, output, errors = run(*arguments, "--out", str(tmp_path))
    assert (code, output) == (1, "")
    assert message in errors
    assert len(errors.strip().splitlines()) == 1


def test_it_runs_as_a_module(base_url: str, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = ["crawl", "--query", "synthetic", "--max", "2", "--out", str(tmp_path), "--base-url", base_url]
    result = subprocess.run(
        [sys.executable, "-m", "data_tools", *command],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, KEY in result.stderr) == (0, False), result.stderr
    assert len(list(tmp_path.glob("records-*.xml.gz"))) == 1
