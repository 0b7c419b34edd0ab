"""Are answers supported, do they cite the right papers, and is what cannot be answered left unanswered?

    python -m benchmarks.answers --work FOLDER [--data DATA] [--limit N] [--sets PubMedQA,BioASQ]

150 questions of PubMedQA and 150 of BioASQ (see ``answer_sets``) go through the whole engine with the ``embedded``
profile, greedily, with one llama.cpp server: once with all papers, and once as if the papers that hold the answer were
not in the index. Only the second can be wrong in one way: for BioASQ other papers may hold the answer too, so that an
answer there is not always a false one.

Indexes are built once and kept in FOLDER (minutes), and so is every draft of the model, with the seconds that it took,
as soon as it is written: stop it at any time and run the same command. A draft is kept by what the model was asked, so
that after a change of the code everything but the model's part is done again. A refusal before the model is asked takes
a tenth of a second.
``--limit`` asks N questions of each set and writes no results file.
"""

import argparse
import json
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llama_index.llms.openai_like import OpenAILike

from benchmarks.answer_sets import NAMES, AnswerSet, WithoutPapers, load_answer_set, open_answer_index
from benchmarks.data_folder import add_data_option, require_data
from benchmarks.kept_drafts import KeptDrafts
from benchmarks.provenance import RESULTS, provenance, write_results
from llama_index_medqa import MedQAQueryEngine, PubMedIndex, PubMedRetriever
from llama_index_medqa.assembly import open_drafter, open_embedder
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.measures.citation import CitationPrecision, CitationRecall, VerdictShare
from llama_index_medqa.evaluation.statistics import bootstrap_mean
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.response import MedQAResponse
from llama_index_medqa.verification.verifier import ClaimVerifier

# Chunks to retrieve before the papers that hold the answer are taken out: enough for any of these questions.
_DEEP = 60
_STAGES = ("retrieve", "select", "generate", "verify")
_SUPPORT = tuple(map(VerdictShare, ("supported", "unsupported", "contradicted")))


class Answering:
    """Asks the questions of one set.

    Args:
        chosen: the set.
        index: of its papers.
        drafter: writes the answers.
    """

    def __init__(self, chosen: AnswerSet, index: PubMedIndex, drafter: KeptDrafts) -> None:
        self._chosen = chosen
        self._index = index
        self._drafter = drafter
        self._retriever = PubMedRetriever(index, similarity_top_k=_DEEP)
        self._verifier = ClaimVerifier()

    def row(self, case: EvaluationCase, *, gold_removed: bool) -> dict[str, Any]:
        """Asks a question; gives all that the measures need."""
        removed = case.gold_documents if gold_removed else ()
        engine = MedQAQueryEngine(
            WithoutPapers(self._retriever, removed, EMBEDDED.similarity_top_k),
            self._drafter,
            embed_model=self._index._embed_model,
            verifier=self._verifier,
            evidence_tokens=EMBEDDED.evidence_tokens,
        )
        response = engine.query(case.question)
        assert isinstance(response, MedQAResponse)
        told = response.metadata
        if "generate" in told["seconds"]:
            told["seconds"]["generate"] = self._drafter.seconds
        return {
            "set": self._chosen.name,
            "case": case.case_id,
            "gold_removed": gold_removed,
            "gold": list(case.gold_documents),
            "retrieved": list(dict.fromkeys(str(item.node.ref_doc_id) for item in response.source_nodes)),
            "cited": list(dict.fromkeys(citation.document_id for citation in response.citations)),
            "response": told,
        }


def plan(sets: Sequence[AnswerSet], limit: int) -> Iterator[tuple[AnswerSet, EvaluationCase, bool]]:
    """What is to be asked, so ordered that what is there after an interruption is balanced."""
    for number in range(limit):
        for chosen in sets:
            if number < len(chosen.final):
                for gold_removed in (False, True):
                    yield chosen, chosen.final[number], gold_removed


def ask_all(sets: Sequence[AnswerSet], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Asks all questions; gives a row for each."""
    embedder = open_embedder(EMBEDDED)
    indexes = {chosen.name: open_answer_index(chosen, embedder, options.work / "indexes") for chosen in sets}
    rows, todo = [], list(plan(sets, options.limit))
    with open_drafter(EMBEDDED) as model, (options.work / "answers.jsonl").open("w", encoding="utf-8") as stream:
        assert isinstance(model, OpenAILike)
        drafter = KeptDrafts(model, options.work / "drafts.jsonl")
        answering = {chosen.name: Answering(chosen, indexes[chosen.name], drafter) for chosen in sets}
        for number, (chosen, case, gold_removed) in enumerate(todo, start=1):
            rows.append(answering[chosen.name].row(case, gold_removed=gold_removed))
            stream.write(json.dumps(rows[-1], ensure_ascii=False) + "\n")
            stream.flush()
            print(f"{number} of {len(todo)}: {_told(rows[-1])}", file=sys.stderr, flush=True)
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The measures of some answers, with 95 % intervals over questions."""
    answerable = [row for row in rows if not row["gold_removed"]]
    unanswerable = [row for row in rows if row["gold_removed"]]
    answered = [row for row in answerable if not row["response"]["abstained"]]
    asked = [row for row in rows if "generate" in row["response"]["seconds"]]
    return {
        "questions": len(answerable),
        "gold_among_retrieved": _mean([bool(set(row["gold"]) & set(row["retrieved"])) for row in answerable]),
        "drafted_sentences": {
            str(share): {
                "of an answer": _mean([share.score(_verdicts(row)) for row in answerable]),
                "sentences": sum(verdict == share.verdict for row in answerable for verdict in _verdicts(row)),
            }
            for share in _SUPPORT
        },
        str(CitationPrecision): _mean([CitationPrecision.score(row["cited"], row["gold"]) for row in answered]),
        str(CitationRecall): _mean([CitationRecall.score(row["cited"], row["gold"]) for row in answered]),
        "citation recall of what was retrieved": _mean([_recall_of_retrieved(row) for row in answered]),
        "abstained": {
            name: {"share": _mean([bool(row["response"]["abstained"]) for row in some]), "reasons": _reasons(some)}
            for name, some in (("answerable", answerable), ("unanswerable", unanswerable))
        },
        "right papers cited where answered with gold removed": _citing_nothing(unanswerable),
        "seconds": {stage: _seconds(asked, stage) for stage in (*_STAGES, "all")},
        "tokens": {
            part: round(statistics.mean(row["response"]["usage"][part] for row in asked), 1) if asked else None
            for part in ("prompt", "completion")
        },
    }


def _citing_nothing(rows: Sequence[dict[str, Any]]) -> int:
    """Answers that cite a paper that was not retrievable: must be none."""
    return sum(bool(set(row["cited"]) & set(row["gold"])) for row in rows)


def _verdicts(row: dict[str, Any]) -> list[str]:
    """Of all sentences that the model finished; a cut one was not judged."""
    response = row["response"]
    dropped = response["dropped"][: -1 if response["cut_off"] else None]
    return [sentence["verdict"] for sentence in [*response["sentences"], *dropped]]


def _recall_of_retrieved(row: dict[str, Any]) -> float | None:
    reachable = set(row["gold"]) & set(row["retrieved"])
    return CitationRecall.score(row["cited"], reachable) if reachable else None


def _reasons(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    return dict(Counter(row["response"]["abstained"] for row in rows if row["response"]["abstained"]))


def _seconds(rows: Sequence[dict[str, Any]], stage: str) -> dict[str, float] | None:
    spent = [row["response"]["seconds"] for row in rows]
    values = [sum(each.values()) if stage == "all" else each.get(stage, 0.0) for each in spent]
    if not values:
        return None
    return {"median": round(statistics.median(values), 2), "mean": round(statistics.mean(values), 2)}


def _mean(values: Sequence[float | None]) -> dict[str, float] | None:
    """Mean with interval; how many have no value is told, and they are left out."""
    known = [float(value) for value in values if value is not None]
    if not known:
        return None
    estimate = bootstrap_mean(known)
    return {
        "mean": round(estimate.mean, 4),
        "low": round(estimate.low, 4),
        "high": round(estimate.high, 4),
        "cases": estimate.cases,
        "without_value": len(values) - len(known),
    }


def _told(row: dict[str, Any]) -> str:
    response = row["response"]
    removed = "without" if row["gold_removed"] else "with"
    outcome = response["abstained"] or f"{len(response['sentences'])} sentences"
    return f"{row['set']} {row['case']} {removed} its papers: {outcome}, {sum(response['seconds'].values()):.1f} s"


def as_markdown(results: dict[str, Any]) -> str:
    """The tables of a results file."""
    sets = results["sets"]
    lines = ["# Answers", "", "Means over questions with 95 % bootstrap intervals.", ""]
    lines += [f"| | {' | '.join(sets)} |", "|---" * (len(sets) + 1) + "|"]
    rows: dict[str, list[str]] = {"questions": [str(found["questions"]) for found in sets.values()]}

    def add(label: str, *path: str) -> None:
        rows[label] = [_cell(_at(found, path)) for found in sets.values()]

    add("a right paper was retrieved", "gold_among_retrieved")
    for share in _SUPPORT:
        add(f"{share} of a draft", "drafted_sentences", str(share), "of an answer")
    add("citation precision", str(CitationPrecision))
    add("citation recall", str(CitationRecall))
    add("citation recall among what was retrieved", "citation recall of what was retrieved")
    add("abstained, answerable", "abstained", "answerable", "share")
    add("abstained, right papers removed", "abstained", "unanswerable", "share")
    lines += [f"| {label} | {' | '.join(cells)} |" for label, cells in rows.items()]
    lines += ["", "Why there was no answer:", ""]
    for name, found in sets.items():
        for kind in ("answerable", "unanswerable"):
            lines.append(f"- {name}, {kind}: {found['abstained'][kind]['reasons'] or 'none'}")
    lines += ["", "Seconds of an answer for which the model was asked, by stage (median, mean):", ""]
    lines += [f"| | {' | '.join((*_STAGES, 'all'))} |", "|---" * (len(_STAGES) + 2) + "|"]
    for name, found in sets.items():
        cells = [f"{of['median']}, {of['mean']}" if of else "-" for of in found["seconds"].values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    origin = results["provenance"]
    lines += ["", f"{origin['date']}, commit {origin['commit'][:10]}, {origin['processor']}: `{origin['command']}`"]
    return "\n".join(lines) + "\n"


def _at(found: Any, path: Sequence[str]) -> Any:
    for key in path:
        found = found[key]
    return found


def _cell(value: dict[str, float] | None) -> str:
    return f"{value['mean']:.3f} ({value['low']:.3f} to {value['high']:.3f})" if value else "-"


def main() -> None:
    """Asks, measures and writes ``results/answers.json`` and ``.md``."""
    options = _options()
    sets = [load_answer_set(name, options.data) for name in options.sets.split(",")]
    options.work.mkdir(parents=True, exist_ok=True)
    rows = ask_all(sets, options)
    results: dict[str, Any] = {
        "provenance": provenance(
            [file for chosen in sets for file in chosen.files], ["chromadb", "xllamacpp", "torch"]
        ),
        "sets": {
            **{chosen.name: summary([row for row in rows if row["set"] == chosen.name]) for chosen in sets},
            "both": summary(rows),
        },
    }
    text = as_markdown(results)
    print(text)
    if options.limit >= max(len(chosen.final) for chosen in sets):
        write_results("answers", results)
        (RESULTS / "answers.md").write_text(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    add_data_option(parser)
    parser.add_argument("--limit", type=int, default=1_000, help="questions of each set")
    parser.add_argument("--sets", default=",".join(NAMES))
    options = parser.parse_args()
    require_data(options.data)
    return options


if __name__ == "__main__":
    main()
