"""An evaluation that is killed at random moments and started again."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from llama_index_medqa.evaluation.journal import read_answers
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.integration

CASES = 400
KILLS = 20
CONCURRENCY = 4
# Tells in a file of every call that it is asked for, before it answers.
ENGINE = """
import asyncio, os
from llama_index.core.base.response.schema import Response
from llama_index.core.query_engine import CustomQueryEngine

class Slow(CustomQueryEngine):
    def custom_query(self, query_str):
        raise NotImplementedError
    async def acustom_query(self, query_str):
        with open(os.environ["CALLS"], "a") as file:
            file.write(query_str + "\\n")
        await asyncio.sleep(0.02)
        return Response(f"Answer to {query_str}")

def engine():
    return Slow()
"""


def test_killed_and_resumed_gives_the_same_file_and_pays_no_answer_twice(tmp_path):
    (tmp_path / "slow_engine.py").write_text(ENGINE)
    rows = [
        {"id": str(n), "question": f"Question {n}?", "gold_pmids": [n + 1], "gold_label": "yes"} for n in range(CASES)
    ]
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    undisturbed = run(tmp_path, "undisturbed").wait(timeout=120)
    assert undisturbed == 0
    paid_for_all = calls(tmp_path, "undisturbed")
    assert len(paid_for_all) == CASES

    source, kept, kills = random.Random(4), set(), 0
    while kills < KILLS:
        before = len(calls(tmp_path, "killed"))
        process = run(tmp_path, "killed")
        while len(calls(tmp_path, "killed")) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(source.uniform(0, 0.06))
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        # None of the answers that were kept before this run was asked for in it.
        assert not kept & set(calls(tmp_path, "killed")[before:])
        kept = answered(tmp_path)
    assert kills == KILLS
    before = len(calls(tmp_path, "killed"))
    assert run(tmp_path, "killed").wait(timeout=120) == 0
    assert not kept & set(calls(tmp_path, "killed")[before:])
    # What is asked twice was under way when a kill came.
    assert len(calls(tmp_path, "killed")) <= CASES + KILLS * CONCURRENCY

    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("undisturbed", "killed"))
    assert first.pop("run") != second.pop("run")
    assert first == second
    assert list(first) == list(second)


def run(folder, name):
    code = "import sys; sys.argv[0] = 'medqa'; from llama_index_medqa.cli import main; main()"
    command = [sys.executable, "-c", code, "evaluate", "cases.jsonl", "--engine", "slow_engine:engine"]
    command += ["--output", f"{name}.json", "--measure", "Accuracy", "--measure", "Recall@5", "--measure", "Seconds"]
    environment = {**os.environ, "CALLS": str(folder / f"{name}.calls"), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        [*command, "--concurrency", str(CONCURRENCY)],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def calls(folder, name):
    path = folder / f"{name}.calls"
    return path.read_text().splitlines() if path.exists() else []


def answered(folder):
    lines = (folder / "killed.json.answers.jsonl").read_bytes()
    whole = folder / "whole.jsonl"
    whole.write_bytes(lines[: lines.rfind(b"\n") + 1])
    return {f"Question {row.case_id}?" for row in read_answers(whole)}
