"""The gold answers of PubMedQA and BioASQ: labels, items in all spellings, sentences."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llama_index_medqa.evaluation.measures.bioasq.exact_answers import normalised

Kind = Literal["yesno", "factoid", "list", "summary"]


@dataclass(frozen=True)
class GoldAnswer:
    """The right answer to a question.

    Attributes:
        kind: of the question, by BioASQ's types; PubMedQA's are ``yesno``.
        label: the right word of a ``yesno`` question: ``yes``, ``no``, and in PubMedQA ``maybe``; else None.
        items: the right items of a ``factoid`` or ``list`` question, each in all its spellings.
        ideal: right answers in sentences, of which any is right.
    """

    kind: Kind
    label: str | None = None
    items: tuple[tuple[str, ...], ...] = ()
    ideal: tuple[str, ...] = ()

    @property
    def as_text(self) -> str:
        """Return the exact answer for people; empty where there is none."""
        return self.label or "; ".join(" / ".join(spellings) for spellings in self.items)


def load_gold_answers(name: str, data: Path) -> dict[str, GoldAnswer]:
    """Return the right answers of a set, by the id of the question.

    Args:
        name: ``PubMedQA`` or ``BioASQ``.
        data: the shared data.
    """
    if name == "PubMedQA":
        rows = _rows(data / "qa" / "pubmedqa_dev.jsonl")
        return {
            row["pmid"]: GoldAnswer("yesno", row["final_decision"], ideal=_texts([row["long_answer"]])) for row in rows
        }
    return {row["id"]: _bioasq(row) for row in _rows(data / "qa" / "bioasq" / "questions.jsonl")}


def _bioasq(row: dict[str, Any]) -> GoldAnswer:
    ideal = _texts(row["ideal_answers"])
    if row["type"] == "yesno":
        return GoldAnswer("yesno", str(row["exact_answer"]).lower(), ideal=ideal)
    if row["type"] == "summary":
        return GoldAnswer("summary", ideal=ideal)
    # Some gold items have an empty spelling.
    spelled = (tuple(spelling for spelling in item if normalised(spelling)) for item in row["exact_answer"])
    return GoldAnswer(row["type"], items=tuple(filter(None, spelled)), ideal=ideal)


def _texts(values: list[str]) -> tuple[str, ...]:
    return tuple(value for value in values if value)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line)
