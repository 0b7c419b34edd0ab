"""Is a "yes" in the question's own words right where attribution finds a text for it?

Models like to answer "Does A prevent B?" by "Yes, A prevents B." Such a sentence is near to whatever was retrieved by
the question's words. Of the yes-or-no questions of PubMedQA and BioASQ that answers are not measured on, each question
is turned into that sentence ("Yes, does A prevent B." has the same words) and held against the papers that hold the
answer: PubMedQA's abstracts less their conclusions, BioASQ's snippets (of four papers at most). Measured twice: judged
as any other sentence, and as the engine judges it, who tells the question. For some least supports: how many sentences
pass, and how many of these are right ("maybe" is not), beside the share of "yes" overall.

    python -m benchmarks.yes_answers [--data DATA]

DATA is the shared data, by default $MEDQA_SHARED_DATA. Two minutes on two cores.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llama_index.core.schema import Document, NodeWithScore, TextNode

from benchmarks.answer_sets import NAMES, AnswerSet, load_answer_set
from benchmarks.attribution_labels import interval
from benchmarks.data_folder import add_data_option
from benchmarks.provenance import provenance, write_results
from llama_index_medqa.assembly import open_embedder
from llama_index_medqa.attribution import Attributor
from llama_index_medqa.evaluation.statistics import bootstrap_mean
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.verification.passages import passages_of

_LEAST = (0.55, 0.65, 0.75, 0.85)
_MOST_PAPERS = 4


def verdicts(name: str, data: Path) -> dict[str, str]:
    """What is known to be right, by question: yes, no or maybe."""
    file = data / ("qa/pubmedqa_dev.jsonl" if name == "PubMedQA" else "qa/bioasq/questions.jsonl")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    if name == "PubMedQA":
        return {str(row["pmid"]): row["final_decision"] for row in rows}
    return {row["id"]: str(row["exact_answer"]).strip("[]'").lower() for row in rows if row["type"] == "yesno"}


class Judged(NamedTuple):
    """A question: whether "yes" is right, and the support of the sentence that says so, 0 where it does not pass."""

    right: bool
    as_any_other: float
    with_the_question: float


def judged(chosen: AnswerSet, known: dict[str, str], attributor: Attributor) -> Iterator[Judged]:
    """Judges the sentences of a set."""
    texts = {document.id_: document for document in chosen.documents}
    for case in chosen.others:
        if case.case_id in known:
            papers = [texts[name] for name in case.gold_documents if name in texts][:_MOST_PAPERS]
            passages = passages_of([NodeWithScore(node=_node(paper)) for paper in papers])
            sentence = f"Yes, {case.question.rstrip('?')}."
            found = (attributor.attribute(sentence, passages, question) for question in ("", case.question))
            yield Judged(known[case.case_id] == "yes", *(one.support if one.supported else 0.0 for one in found))


def _node(paper: Document) -> TextNode:
    return TextNode(text=paper.text, start_char_idx=0, id_=paper.id_, metadata=paper.metadata)


def measure(rows: Sequence[Judged]) -> dict[str, Any]:
    """How much support tells, and what passes."""
    right = [row.right for row in rows]
    return {
        "questions": len(rows),
        "yes": _share(right),
        "as any other sentence": _passing(right, [row.as_any_other for row in rows]),
        "with the question": _passing(right, [row.with_the_question for row in rows]),
    }


def _passing(right: Sequence[bool], support: Sequence[float]) -> dict[str, Any]:
    passing = {least: [yes for yes, one in zip(right, support, strict=True) if one >= least] for least in _LEAST}
    return {
        "auroc": interval(support, right, list(map(str, range(len(right))))),
        "right among those that pass": {str(least): _share(some) for least, some in passing.items()},
    }


def _share(right: Sequence[bool]) -> dict[str, float] | None:
    return bootstrap_mean(list(map(float, right)))._asdict() if right else None


def main() -> None:
    """Measures both sets and writes ``results/yes_answers.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    data = parser.parse_args().data
    attributor = Attributor(open_embedder(EMBEDDED))
    sets = [load_answer_set(name, data) for name in NAMES]
    results = {
        "provenance": provenance([file for chosen in sets for file in chosen.files], ["torch"]),
        "sets": {
            chosen.name: measure(list(judged(chosen, verdicts(chosen.name, data), attributor))) for chosen in sets
        },
    }
    print(json.dumps(results["sets"], indent=1))
    write_results("yes_answers", results)


if __name__ == "__main__":
    main()
