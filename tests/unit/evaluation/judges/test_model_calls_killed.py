"""Judging that is killed at random moments and started again: the same file, and no judge call paid twice."""

import json
import os
import sys

import llama_index_medqa.cli.display.terminal  # noqa: F401  # what the command needs is loaded once, and the processes are forked
from llama_index_medqa.cli.command import main
from llama_index_medqa.evaluation.judges.ragas import load_ragas
from tests.doubles.judge_double import serving
from tests.doubles.killed_runs import calls, finish, killed_and_resumed, started

CASES = 60
# Of a case two for Faithfulness and one for ContextRecall.
CALLS = 3 * CASES
KILLS = 12
CONCURRENCY = 4
SECONDS = 240


def test_killed_and_resumed_gives_the_same_file_and_pays_no_call_twice(tmp_path):
    load_ragas()
    for name, rows in (("cases", cases()), ("answers", answers())):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with serving(tmp_path / "undisturbed.calls") as address:
        finish(started(evaluate, tmp_path, "undisturbed", address), SECONDS)
    assert len(calls(tmp_path, "undisturbed")) == CALLS

    with serving(tmp_path / "killed.calls", seconds=0.01) as address:
        kept = killed_and_resumed(
            tmp_path,
            lambda: started(evaluate, tmp_path, "killed", address),
            answered,
            kills=KILLS,
            most_calls=10,
            longest_wait=0.02,
            seed=7,
            seconds=SECONDS,
        )
    assert len(kept) > CALLS / 6
    # What is paid twice was under way when a kill came.
    assert CALLS < len(calls(tmp_path, "killed")) <= CALLS + KILLS * CONCURRENCY
    assert set(calls(tmp_path, "killed")) == set(calls(tmp_path, "undisturbed"))

    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("undisturbed", "killed"))
    told, other = first.pop("run")["judge"], second.pop("run")["judge"]
    assert json.dumps(first) == json.dumps(second)
    assert (told["calls"], told["answers_of_earlier_runs"], told["a_case"]["calls"]) == (CALLS, 0, 3.0)
    assert other["calls"] + other["answers_of_earlier_runs"] == CALLS
    assert other["answers_of_earlier_runs"] == len(kept)
    assert first["summary"]["ContextRecall(ragas)"]["estimate"]["mean"] == 0.5


def cases():
    for number in range(CASES):
        answer = f"Finding {number} holds. Other {number} fails."
        yield {"id": str(number), "question": f"Question {number}?", "gold_pmids": [number + 1], "gold_answer": answer}


def answers():
    for number in range(CASES):
        evidence = [{"document_id": f"PMID:{number + 1}", "text": f"Finding {number} holds."}]
        yield {"id": str(number), "answer": {"text": f"Finding {number} holds.", "evidence": evidence}}


def evaluate(folder, name, address):
    os.chdir(folder)
    sys.stdout = sys.stderr = (folder / "output.txt").open("a")
    sys.argv = ["medqa", "evaluate", "cases.jsonl", "--answers", "answers.jsonl", "--output", f"{name}.json"]
    sys.argv += ["--measure", "Faithfulness(ragas)", "--measure", "ContextRecall(ragas)", "--measure", "WordF1"]
    sys.argv += ["--judge-api-base", address, "--judge-concurrency", str(CONCURRENCY)]
    main()


def answered(folder):
    """The requests whose answers are whole in the journal, told apart by what each answer repeats of its request."""
    path = folder / "killed.json.judge.jsonl"
    lines = path.read_bytes() if path.exists() else b""
    keys = {json.loads(line)["key"] for line in lines[: lines.rfind(b"\n") + 1].splitlines()}
    return {line for line in calls(folder, "killed") if key_of(line) in keys}


def key_of(line):
    from llama_index_medqa.evaluation.judges.model_calls import call_key

    body = json.loads(line)
    return call_key({"model": body.pop("model")}, "chat/completions", body)
