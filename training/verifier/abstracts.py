"""Reads the open abstracts for training pairs, without those kept out."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llama_index_medqa.text.sentences import split_sentences
from training.verifier.rows import read_rows

_SECTION_NAME = (
    "BACKGROUND|INTRODUCTION|CONTEXT|RATIONALE|OBJECTIVES?|AIMS?|PURPOSE|HYPOTHESIS|DESIGN|STUDY DESIGN|SETTING|"
    "PARTICIPANTS|PATIENTS|SUBJECTS|INTERVENTIONS?|MATERIALS?|METHODS?|METHODOLOGY|MAIN OUTCOME MEASURES?|"
    "MEASUREMENTS?|RESULTS?|(?:PRINCIPAL |MAIN )?FINDINGS?|DISCUSSION|CONCLUSIONS?|INTERPRETATION|"
    "SIGNIFICANCE|TRIAL REGISTRATION"
)
_SECTION_LABEL = re.compile(
    rf"^(?:{_SECTION_NAME})(?:\s*(?:,|/|&|AND)\s*(?:{_SECTION_NAME}))*\s*:\s*|"
    # "Conclusion The addition of" and "ResultsThe change in": a label that lost its colon.
    r"^(?-i:Conclusions?|CONCLUSIONS?) (?=(?-i:[A-Z]))|^(?-i:Background|Methods|Results|Conclusions?)(?=(?-i:[A-Z]))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Abstract:
    """The title and the sentences of one abstract, without section labels."""

    pmid: str
    title: str
    sentences: tuple[str, ...]


def read_abstracts(path: Path, kept_out: frozenset[str]) -> Iterator[Abstract]:
    """Yield the abstracts of a JSONL file but for those kept out.

    Lines are {pmid, title, abstract}.
    """
    for row in read_rows(path):
        if row["pmid"] not in kept_out:
            text = row["abstract"]
            sentences = (text[start:end] for start, end in split_sentences(text))
            yield Abstract(row["pmid"], row["title"], tuple(filter(None, map(without_section_label, sentences))))


def kept_out_pmids(split: Path, bioasq_questions: Path, claims: Path) -> frozenset[str]:
    """Return the PMIDs that nothing may be trained on.

    Those of `final` and `calibration` questions and of the `dev` part of the claims.

    Args:
        split: JSON object {set: {part: [question ids]}}; the ids of PubMedQA are PMIDs.
        bioasq_questions: JSONL {id, gold_pmids} of the BioASQ questions.
        claims: JSONL (gzip) {pmid, part} of the written claims.
    """
    parts = json.loads(split.read_text(encoding="utf-8"))
    questions = {question for sets in parts.values() for part in ("final", "calibration") for question in sets[part]}
    pmids = set(questions)
    for row in read_rows(bioasq_questions):
        if row["id"] in questions:
            pmids.update(row["gold_pmids"])
    pmids.update(row["pmid"] for row in read_rows(claims) if row["part"] == "dev")
    return frozenset(pmids)


def without_section_label(sentence: str) -> str:
    """Remove a leading "RESULTS:" or the like."""
    return _SECTION_LABEL.sub("", sentence).strip()
