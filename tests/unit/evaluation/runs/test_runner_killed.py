"""An evaluation that is killed at random moments and started again, each time in a process of its own."""

import json
import os
import sys

import llama_index_medqa.cli.display.terminal  # noqa: F401  # what the command needs is loaded once, and the processes are forked
from llama_index_medqa.cli.command import main
from llama_index_medqa.evaluation.runs.journal import read_answers
from tests.doubles.killed_runs import calls, finish, killed_and_resumed, started

CASES = 600
KILLS = 20
CONCURRENCY = 4
SECONDS = 120
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
        await asyncio.sleep(0.01)
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
    finish(started(evaluate, tmp_path, "undisturbed"), SECONDS)
    assert len(calls(tmp_path, "undisturbed")) == CASES

    kept = killed_and_resumed(
        tmp_path,
        lambda: started(evaluate, tmp_path, "killed"),
        answered,
        kills=KILLS,
        most_calls=30,
        longest_wait=0.01,
        seed=4,
        seconds=SECONDS,
    )
    assert len(kept) > 100
    # What is asked twice was under way when a kill came.
    assert CASES < len(calls(tmp_path, "killed")) <= CASES + KILLS * CONCURRENCY

    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("undisturbed", "killed"))
    assert first.pop("run") != second.pop("run")
    assert json.dumps(first) == json.dumps(second)


def evaluate(folder, name):
    os.chdir(folder)
    os.environ["CALLS"] = str(folder / f"{name}.calls")
    sys.stdout = sys.stderr = (folder / "output.txt").open("a")
    sys.argv = ["medqa", "evaluate", "cases.jsonl", "--engine", "slow_engine:engine", "--output", f"{name}.json"]
    sys.argv += ["--measure", "Accuracy", "--measure", "Recall@5", "--measure", "Seconds"]
    sys.argv += ["--concurrency", str(CONCURRENCY)]
    main()


def answered(folder):
    """The questions whose answers are whole in the journal."""
    path = folder / "killed.json.answers.jsonl"
    lines = path.read_bytes() if path.exists() else b""
    whole = folder / "whole.jsonl"
    whole.write_bytes(lines[: lines.rfind(b"\n") + 1])
    return {f"Question {row.case_id}?" for row in read_answers(whole)}
