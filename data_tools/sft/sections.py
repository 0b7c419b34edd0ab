"""The parts of an abstract: objective, findings, conclusions.

Labelled by the journal, or recognised by rules.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from llama_index_medqa.pubmed.record import AbstractSection, PubMedRecord
from llama_index_medqa.text.sentences import split_sentences


class Part(StrEnum):
    """The part that a stretch of an abstract belongs to."""

    BACKGROUND = "background"
    OBJECTIVE = "objective"
    METHODS = "methods"
    RESULTS = "results"
    CONCLUSIONS = "conclusions"
    OTHER = "other"
    UNLABELLED = "unlabelled"


# The first that fits counts: "RESULTS AND DISCUSSION" are results, "METHODS AND FINDINGS" too.
_PARTS = (
    (Part.OTHER, re.compile(r"regist|funding|supplementary|ethic|keyword|level of evidence", re.IGNORECASE)),
    (Part.RESULTS, re.compile(r"\bresults?\b|\bfindings?\b", re.IGNORECASE)),
    (Part.CONCLUSIONS, re.compile(r"conclusion|interpretation|discussion|significance|implications", re.IGNORECASE)),
    (Part.OBJECTIVE, re.compile(r"objective|\baims?\b|purpose|\bgoals?\b|hypothes[ei]s|question", re.IGNORECASE)),
    (Part.BACKGROUND, re.compile(r"background|introduction|context|rationale|importance", re.IGNORECASE)),
    (Part.METHODS, re.compile(
        r"method|design|setting|participants|patients|subjects|intervention|measure|population|analysis|procedure",
        re.IGNORECASE,
    )),
)  # fmt: skip
# A label starts the text, or a sentence; it is in capitals, or one of the words that journals print in both ways.
_LABEL = re.compile(
    r"(?:\A|(?<=[.?!)\]\"”’]\s)|(?<=\n))"
    r"(?P<label>AIMS?|[A-Z][A-Z/&'’(), -]{3,60}[A-Z)]|"
    r"Backgrounds?|Introduction|Context|Rationale|Objectives?|Aims?|Purpose|(?:Materials? and )?[Mm]ethods?|Design|"
    r"Setting|Participants|Patients|Interventions?|Main outcome measures?|Results?|Findings|Discussion|Conclusions?|"
    r"Interpretation|Trial [Rr]egistration|Funding)\s*:\s+"
)
_CONCLUSION = re.compile(
    r"(?:in (?:conclusion|summary)|to conclude|(?:we|the authors) (?:conclude|suggest|recommend)|taken together|"
    r"overall,|"
    r"(?:thus|therefore|hence),|"
    r"(?:these|our|the(?: present| current)?|this)\s+(?:\w+\s+){0,3}?"
    r"(?:results?|findings?|data|observations?|study|trial|analysis|report)\s+"
    r"(?:(?:strongly|clearly|also|further|thus|therefore)\s+)?"
    r"(?:suggests?|indicates?|shows?|showed|demonstrates?|demonstrated|supports?|confirms?|confirmed|provides?|"
    r"provided|reveals?|revealed|establish(?:es)?|implicates?|highlights?))\b",
    re.IGNORECASE,
)
# An abstract without labels ends with at most so many sentences of conclusion.
_MOST_CONCLUDING = 3


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of one section of a record.

    Attributes:
        part: what it is about.
        text: the stretch without its label.
        section: number of the section that it lies in, from 0.
        start: its first character in the section's text, that of its label where it has one there.
        text_start: the first character after that label.
        end: the character after its last.
    """

    part: Part
    text: str
    section: int
    start: int
    text_start: int
    end: int


def part_of_label(label: str) -> Part:
    """Return the part of a section by its label or NLM's category."""
    return next((part for part, pattern in _PARTS if pattern.search(label)), Part.OTHER)


def stretches_of(record: PubMedRecord) -> list[Stretch]:
    """Split an abstract into stretches that together hold all of it.

    A section that the record labels is one; in a section without a label those are looked for that stand in the text
    (``METHODS: We …``). Where there is none, its conclusions are what follows the first of its last three sentences
    that sounds like one ("These findings suggest …"), and the rest is not told apart.
    """
    found = []
    for number, section in enumerate(record.sections):
        label = section.label or section.category
        if label:
            found.append(Stretch(part_of_label(label), section.text, number, 0, 0, len(section.text)))
        elif section.text:
            found.extend(_stretches_of_text(section.text, number))
    return found


def without(record: PubMedRecord, left_out: list[Stretch]) -> PubMedRecord:
    """Return a record without some stretches; empty sections go."""
    sections = []
    for number, section in enumerate(record.sections):
        text = section.text
        for stretch in sorted(left_out, key=lambda stretch: -stretch.start):
            if stretch.section == number:
                text = f"{text[: stretch.start].rstrip()} {text[stretch.end :].lstrip()}".strip()
        if text:
            sections.append(AbstractSection(text, section.label, section.category))
    return replace(record, sections=tuple(sections))


def _stretches_of_text(text: str, number: int) -> list[Stretch]:
    labels = list(_LABEL.finditer(text))
    if not labels:
        return _unlabelled(text, number)
    starts = [match.start() for match in labels]
    found = [Stretch(Part.UNLABELLED, text[: starts[0]].strip(), number, 0, 0, starts[0])] if starts[0] else []
    for match, end in zip(labels, [*starts[1:], len(text)], strict=True):
        part = part_of_label(match["label"])
        found.append(Stretch(part, text[match.end() : end].strip(), number, match.start(), match.end(), end))
    return found


def _unlabelled(text: str, number: int) -> list[Stretch]:
    spans = split_sentences(text)
    last = spans[max(1, len(spans) - _MOST_CONCLUDING) :]
    cut = next((start for start, end in last if _CONCLUSION.match(text, start, end)), len(text))
    found = [Stretch(Part.UNLABELLED, text[:cut].strip(), number, 0, 0, cut)]
    if cut < len(text):
        found.append(Stretch(Part.CONCLUSIONS, text[cut:].strip(), number, cut, cut, len(text)))
    return found
