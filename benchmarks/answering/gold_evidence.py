"""How much of the gold answers do the chosen evidence and the quotes hold?

    python -m benchmarks.answering.gold_evidence [--data DATA] [--before FILE]

BioASQ's ``calibration`` questions (see ``answer_sets``), in two halves: rules were looked at on the first, none on the
second (they were chosen on ``training`` questions). Papers are retrieved by BM25 and sentences chosen by words, so that
it takes a minute: no embedder, no language model. Told are, for several numbers of papers and tokens,

- ``items``: the share of the exact answers of factoid and list questions that the evidence has, in any spelling that
  BioASQ lists, word for word;
- ``ideal``: the share of the words of the best ideal answer, each by its rarity, those of the question left out;
- ``gold papers``: how many of the papers that answer the question are among the evidence;
- of the quotes of ``extractive``: the share of questions with any, with all papers and without those that answer; and
  of quotes from papers that answer.

``--before`` takes a results file of this measurement into the new one, to be told beside it.
"""

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.common.answer_sets import WholePapers, load_answer_set
from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import provenance, write_results
from llama_index_medqa.answering.drafting import ExtractiveDrafter
from llama_index_medqa.answering.sentence_selection import EvidenceSelector, as_context, token_count
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.statistics.intervals import bootstrap_mean
from llama_index_medqa.text.term_weights import idf, terms
from llama_index_medqa.verification.passages import Passage, passages_of

# Papers, and tokens of evidence chosen from them.
ROOMS = ((6, 300), (24, 300), (24, 600), (24, 1200))
_MOST_PAPERS, _MOST_TOKENS = max(ROOMS)
_DEEP = 60
_HALVES = ("choosing", "testing")
_WORD = re.compile(r"[^\W_]+")


class RetrievedQuestion(NamedTuple):
    """A question with its papers and its exact answers.

    The best paper comes first; each answer has all its spellings.
    """

    case: EvaluationCase
    passages: list[Passage]
    items: list[list[str]]

    def chosen(self, papers: int, tokens: int, *, without_gold: bool = False) -> list[Passage]:
        """Return the evidence."""
        gold = self.case.gold_documents if without_gold else ()
        passages = [passage for passage in self.passages if passage.document_id not in gold]
        return EvidenceSelector().select(self.case.question, passages[:papers], tokens)


def items_held(items: Sequence[Sequence[str]], text: str) -> float | None:
    """Return the share of exact answers that a text has; None where there are none."""
    if not items:
        return None
    there = _plain(text)
    return sum(any(_plain(item) in there for item in spellings) for spellings in items) / len(items)


def ideal_held(case: EvaluationCase, text: str) -> float | None:
    """Return the share of an ideal answer's words in a text, by rarity.

    Of the answer that the text has most of.
    """
    asked, there, shares = terms(case.question), terms(text), []
    for answer in case.gold_answers:
        wanted = terms(answer) - asked
        if total := sum(map(idf, wanted)):
            shares.append(sum(map(idf, wanted & there)) / total)
    return max(shares, default=None)


def evidence_figures(questions: Sequence[RetrievedQuestion], papers: int, tokens: int) -> dict[str, Any]:
    """Return the figures of the chosen evidence."""
    found: dict[str, list[float | None]] = defaultdict(list)
    for question in questions:
        shown = question.chosen(papers, tokens)
        context = as_context(shown)
        found["items"].append(items_held(question.items, context))
        found["ideal"].append(ideal_held(question.case, context))
        found["gold papers"].append(len({part.document_id for part in shown} & set(question.case.gold_documents)))
        found["tokens"].append(token_count(context))
    return {name: _mean(values) for name, values in found.items()}


def quote_figures(questions: Sequence[RetrievedQuestion]) -> dict[str, Any]:
    """Return the figures of the quotes."""
    found: dict[str, list[float | None]] = defaultdict(list)
    for question in questions:
        for name, without_gold in (("answered", False), ("answered without gold papers", True)):
            shown = question.chosen(_MOST_PAPERS, _MOST_TOKENS, without_gold=without_gold)
            pieces = ExtractiveDrafter().stream(question.case.question, shown)
            quotes = [piece.text.strip() for piece in pieces]
            found[name].append(float(bool(quotes)))
            if not without_gold:
                found["items"].append(items_held(question.items, " ".join(quotes)))
                found["ideal"].append(ideal_held(question.case, " ".join(quotes)))
                found["from gold papers"].append(_share_of_gold(question, shown, quotes))
    return {name: _mean(values) for name, values in found.items()}


def questions_of(data: Path, half: str) -> list[RetrievedQuestion]:
    """Return the questions of one half with what is retrieved for them."""
    chosen = load_answer_set("BioASQ", data)
    retriever = WholePapers(chosen, _DEEP)
    rows = (data / "qa/bioasq/questions.jsonl").read_text(encoding="utf-8").split("\n")
    exact = {row["id"]: row for row in map(json.loads, filter(None, rows))}
    questions = []
    for case in chosen.calibration[_HALVES.index(half) :: 2]:
        row = exact[case.case_id]
        items = row["exact_answer"] if row["type"] in ("factoid", "list") else []
        spelled = [[text for text in spellings if _plain(text).strip()] for spellings in items or []]
        questions.append(RetrievedQuestion(case, passages_of(retriever.retrieve(case.question)), spelled))
    return questions


def _share_of_gold(question: RetrievedQuestion, shown: Sequence[Passage], quotes: Sequence[str]) -> float | None:
    gold = [part.document_id in question.case.gold_documents for part in shown for _ in _quoted(part, quotes)]
    return sum(gold) / len(gold) if gold else None


def _quoted(part: Passage, quotes: Sequence[str]) -> list[str]:
    return [sentence.text for sentence in part.sentences if sentence.text in quotes]


def _plain(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.lower()))} "


def _mean(values: Sequence[float | None]) -> dict[str, float] | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {key: round(part, 4) for key, part in bootstrap_mean(known)._asdict().items()}


def main() -> None:
    """Measure and writes ``results/gold_evidence.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--before", type=Path, help="an earlier results file")
    options = parser.parse_args()
    require_data(options.data)
    halves = {half: questions_of(options.data, half) for half in _HALVES}
    results: dict[str, Any] = {
        "provenance": provenance(load_answer_set("BioASQ", options.data).files, ["tiktoken"]),
        **{
            half: {
                "questions": len(questions),
                "evidence": {
                    f"{room[0]} papers, {room[1]} tokens": evidence_figures(questions, *room) for room in ROOMS
                },
                "quotes": quote_figures(questions),
            }
            for half, questions in halves.items()
        },
    }
    if options.before:
        results["before"] = json.loads(options.before.read_text(encoding="utf-8"))
    print(json.dumps({half: results[half] for half in _HALVES}, indent=1))
    write_results("gold_evidence", results)


if __name__ == "__main__":
    main()
