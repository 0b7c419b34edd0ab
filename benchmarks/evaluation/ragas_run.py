"""ragas' Faithfulness and ContextRecall of real answers, judged by the embedded model.

    python -m benchmarks.evaluation.ragas_run --answers FOLDER --work FOLDER [--limit N] [--concurrency N] [--control]

The answers are those of ``benchmarks.answering.answer_quality --split final`` (its ``--work`` FOLDER): the first N
questions of PubMedQA that the embedded engine answered with all papers in the index, as a user sees them, with the
chunks that were retrieved. The judge is the embedded profile's Qwen2.5-Coder-1.5B on llama.cpp.

With ``--control`` the same answers are judged with the contexts of the next question in place of their own, too: a
judge that can tell gives nearly 0 there. Every answer of the judge is a line of ``FOLDER/judge.jsonl`` as it comes:
stop it at any time and run the same command. It takes about a minute a question on two free cores.
"""

import argparse
import asyncio
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.answering.asking import answers_file, kept_answers
from benchmarks.answering.question_scores import answer_text
from benchmarks.common.answer_sets import AnswerSet, load_answer_set
from benchmarks.common.data_folder import add_data_option
from benchmarks.common.provenance import RESULTS, provenance, write_results
from llama_index_medqa.cli.judging import cost
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.judges.model_calls import JudgeServer, ModelCalls
from llama_index_medqa.evaluation.judges.ragas import RagasJudge
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.measures.ragas import RAGAS_NAMES
from llama_index_medqa.evaluation.results import Results
from llama_index_medqa.evaluation.runs.runner import Reply
from llama_index_medqa.evaluation.runs.scoring import score_all
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer
from llama_index_medqa.weights import PACKAGED, locate

MEASURES = ("Faithfulness(ragas)", "ContextRecall(ragas)", "Faithfulness(verifier)")
_OWN, _OTHER = "own", "another question's"


def answered(file: Path, chosen: AnswerSet, limit: int) -> list[tuple[EvaluationCase, dict[str, Any]]]:
    """Return the first answered questions with their stored lines."""
    cases = {case.case_id: case for case in chosen.final}
    found = [
        (cases[row["case"]], row)
        for row in kept_answers(file)
        if row["set"] == chosen.name and not row["gold_removed"] and not row["response"]["abstained"]
    ]
    if len(found) < limit:
        sys.exit(f"{file} holds {len(found)} answers of {chosen.name}: go on with that command, or lower --limit.")
    return found[:limit]


def with_evidence(row: Mapping[str, Any]) -> Answer:
    """Return the answer of a line, with its contexts."""
    evidence = tuple(Evidence(chunk["document_id"], chunk["text"]) for chunk in row["chunks"])
    return Answer(answer_text(row["response"]), evidence, tuple(row["cited"]))


async def judged(
    cases: Sequence[EvaluationCase], answers: Sequence[Answer], options: argparse.Namespace
) -> tuple[dict[str, Results], dict[str, Any]]:
    """Return the scores, and what the first cost.

    With ``--control`` also those with the contexts of another question.
    """
    others = [replace(answer, evidence=other.evidence) for answer, other in zip(answers, rotated(answers), strict=True)]
    path, limits = locate(EMBEDDED.weights), {"concurrency": options.concurrency, "timeout": 3_600.0}
    served = {"parallel": options.concurrency, "model": EMBEDDED.weights}
    with LlamaCppServer(path, EMBEDDED.context_window, options.threads, **served) as running:
        more = {"weights": PACKAGED[EMBEDDED.weights].sha256[:16]}
        server = JudgeServer(running.api_base, running.model, more=more)
        async with ModelCalls.open(server, options.work / "judge.jsonl", **limits) as calls:
            judge = RagasJudge(calls)
            found = {_OWN: await scored(cases, answers, judge, _OWN)}
            costs = cost(calls.totals, len(cases))
            if options.control:
                found[_OTHER] = await scored(cases, others, judge, _OTHER)
            return found, costs


def rotated(answers: Sequence[Answer]) -> list[Answer]:
    """Return each answer's successor; the last has the first."""
    return [*answers[1:], answers[0]]


async def scored(cases: Sequence[EvaluationCase], answers: Sequence[Answer], judge: RagasJudge, name: str) -> Results:
    """Return the scores of answers, and report progress."""
    return await score_all(
        cases,
        [Reply(answer) for answer in answers],
        measures_of(MEASURES, ragas=judge),
        system={"answers": "benchmarks.answering.answer_quality"},
        progress=lambda done, count: print(f"{name}: {done} of {count}", file=sys.stderr, flush=True),
    )


def summary(results: Results) -> dict[str, Any]:
    """Return mean, interval and outcomes of each measure."""
    found = {}
    for name in MEASURES:
        one = results.summary(name)
        outcomes = {"scored": len(one.values), **one.unscored, **one.not_applicable}
        found[name] = {"estimate": one.estimate._asdict() if one.estimate else None, "outcomes": outcomes}
    return found


def per_case(results: Results) -> dict[str, Any]:
    """Return scores and reasons by case.

    Details hold texts of the data and are left out.
    """
    return {
        case.case_id: {
            name: score.reason if score.value is None else round(score.value, 4) for name, score in case.scores.items()
        }
        for case in results.cases
    }


def as_markdown(results: dict[str, Any]) -> str:
    """Return the tables of a results file."""
    costs, origin = results["cost"], results["provenance"]
    lines = [
        f"# ragas on {results['answers']['count']} answers, judged by {results['judge']['model']}",
        "",
        "Means with 95 % bootstrap intervals over the cases that have a score; every other case is counted with its",
        "reason.",
        "",
        "| contexts | measure | mean | cases and outcomes |",
        "|---|---|---|---|",
    ]
    for name, found in results["contexts"].items():
        for measure, one in found["summary"].items():
            estimate = one["estimate"]
            mean = f"{estimate['mean']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})" if estimate else "-"
            outcomes = ", ".join(f"{count} {reason}" for reason, count in one["outcomes"].items())
            lines.append(f"| {name} | {measure} | {mean} | {outcomes} |")
    each = costs["a_case"]
    used = costs["calls"] + costs["answers_of_earlier_runs"]
    lines += [
        "",
        f"Their own contexts took {used} calls, {costs['prompt_tokens']} tokens read and {costs['answer_tokens']} "
        f"written: {each['calls']} calls, {each['tokens']:.0f} tokens and {each['seconds']:.0f} s a case, summed over "
        f"calls of which {results['concurrency']} were under way at once.",
        "",
        f"{origin['date']}, commit {origin['commit'][:10]}, {origin['processor']}: `{origin['command']}`",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Judge and writes ``results/ragas_run.json`` and ``.md``."""
    options = _options()
    chosen = load_answer_set("PubMedQA", options.data)
    file = answers_file(options.answers, "final", "model")
    rows = answered(file, chosen, options.limit)
    answers = [with_evidence(row) for _, row in rows]
    cases = [case for case, _ in rows]
    found, costs = asyncio.run(judged(cases, answers, options))
    results = {
        "provenance": provenance(chosen.files, ["ragas", "langchain-community", "xllamacpp"]),
        "answers": {
            "count": len(answers),
            "by": "benchmarks.answering.answer_quality, profile embedded, policy strict, abstentions left out",
            "sha256_of_texts": hashlib.sha256("\n".join(answer.text for answer in answers).encode()).hexdigest(),
        },
        "judge": next(info.judge for info in found[_OWN].measures if info.name in RAGAS_NAMES),
        "concurrency": options.concurrency,
        "threads": options.threads,
        "cost": costs,
        "contexts": {name: {"summary": summary(one), "cases": per_case(one)} for name, one in found.items()},
    }
    print(json.dumps({key: results[key] for key in ("cost", "judge")}, indent=1))
    for name, one in found.items():
        print(name, json.dumps(summary(one), indent=1))
    if options.limit >= 20:
        write_results("ragas_run", results)
        (RESULTS / "ragas_run.md").write_text(as_markdown(results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=Path, required=True, help="--work of benchmarks.answering.answer_quality")
    parser.add_argument("--work", type=Path, required=True)
    add_data_option(parser)
    parser.add_argument("--limit", type=int, default=24)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--threads", type=int, help="of llama.cpp; on a busy machine 1 is faster than 2")
    parser.add_argument("--control", action="store_true", help="judge with the contexts of other questions, too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
