"""An evaluation that is killed at random moments and started again, each time in a process of its own."""

import json
import multiprocessing
import os
import random
import sys
import time

import llama_index_medqa.evaluation.gate
import llama_index_medqa.terminal  # noqa: F401  # what the command needs is loaded once, and the processes are forked
from llama_index_medqa.cli import main
from llama_index_medqa.evaluation.journal import read_answers

CASES = 600
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
    finish(started(tmp_path, "undisturbed"))
    assert len(calls(tmp_path, "undisturbed")) == CASES

    source, kept = random.Random(4), set()
    for _ in range(KILLS):
        before = len(calls(tmp_path, "killed"))
        process = started(tmp_path, "killed")
        # By calls, not by time, so that a busy machine is killed at such moments too.
        enough = before + source.randint(1, 30)
        while len(calls(tmp_path, "killed")) < enough and process.is_alive():
            time.sleep(0.001)
        time.sleep(source.uniform(0, 0.01))
        assert process.is_alive(), "it was done before the last kill"
        process.kill()
        process.join()
        # None of the answers that were kept before this run was asked for in it.
        assert not kept & set(calls(tmp_path, "killed")[before:])
        kept = answered(tmp_path)
    before = len(calls(tmp_path, "killed"))
    finish(started(tmp_path, "killed"))
    assert len(kept) > 100
    assert not kept & set(calls(tmp_path, "killed")[before:])
    # What is asked twice was under way when a kill came.
    assert CASES < len(calls(tmp_path, "killed")) <= CASES + KILLS * CONCURRENCY

    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("undisturbed", "killed"))
    assert first.pop("run") != second.pop("run")
    assert json.dumps(first) == json.dumps(second)


def started(folder, name):
    process = multiprocessing.get_context("fork").Process(target=evaluate, args=(folder, name))
    process.start()
    return process


def finish(process):
    process.join(120)
    assert process.exitcode == 0


def evaluate(folder, name):
    os.chdir(folder)
    os.environ["CALLS"] = str(folder / f"{name}.calls")
    sys.stdout = sys.stderr = (folder / "output.txt").open("a")
    sys.argv = ["medqa", "evaluate", "cases.jsonl", "--engine", "slow_engine:engine", "--output", f"{name}.json"]
    sys.argv += ["--measure", "Accuracy", "--measure", "Recall@5", "--measure", "Seconds"]
    sys.argv += ["--concurrency", str(CONCURRENCY)]
    main()


def calls(folder, name):
    path = folder / f"{name}.calls"
    return path.read_text().splitlines() if path.exists() else []


def answered(folder):
    """The questions whose answers are whole in the journal."""
    path = folder / "killed.json.answers.jsonl"
    lines = path.read_bytes() if path.exists() else b""
    whole = folder / "whole.jsonl"
    whole.write_bytes(lines[: lines.rfind(b"\n") + 1])
    return {f"Question {row.case_id}?" for row in read_answers(whole)}
