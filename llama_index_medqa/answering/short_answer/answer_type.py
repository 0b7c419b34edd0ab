"""The type of a question's short answer: a drug, a gene, a disease, a number or a date."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from llama_index_medqa.answering.questions.focus import form_of
from llama_index_medqa.answering.questions.quotation_marks import unquoted
from llama_index_medqa.text.noun_phrases import noun_phrases, words_with_spans
from llama_index_medqa.text.quantities.numerals import WORDS
from llama_index_medqa.text.words import stem

Kind = Literal[
    "drug",
    "gene",
    "disease",
    "organism",
    "anatomy",
    "software",
    "organisation",
    "count",
    "percentage",
    "dose",
    "date",
    "duration",
    "long_form",
    "any",
]
Wanted = Literal["yes_no", "one", "list", "description"]

NUMBER_KINDS: frozenset[Kind] = frozenset(("count", "percentage", "dose", "date", "duration"))

# The words by which a question names the kind of thing that it asks for.
_NOUNS: Mapping[Kind, str] = MappingProxyType(
    {
        "drug": "drug medication medicine treatment therapy antibiotic vaccine compound agent inhibitor "
        "antagonist agonist antibody chemotherapy therapeutic supplement molecule substance steroid "
        "statin antidote name",
        "gene": "gene protein receptor enzyme kinase target ligand factor molecule interleukin cytokine hormone "
        "antigen mutation transporter channel biomarker marker lncrna microrna mirna variant locus "
        "pathway complex subunit isoform oncogene allele chromosome symbol chemokine interactor substrate "
        "component",
        "disease": "disease disorder syndrome condition cancer tumor tumour symptom sign indication infection "
        "complication phenotype manifestation feature effect carcinoma deficiency abnormality illness "
        "trait malignancy event reaction",
        "organism": "organism bacterium bacteria virus species pathogen fungus parasite animal plant vector host "
        "agent strain",
        "anatomy": "tissue organ cell gland nerve muscle bone part region location site compartment organelle where "
        "body",
        "software": "tool database package software algorithm method framework resource server platform pipeline "
        "program library repository utility model dataset workflow",
        "organisation": "company manufacturer organisation organization agency institute authority scientist person",
    }
)
_BY_NOUN: Mapping[str, tuple[Kind, ...]] = MappingProxyType(
    {
        root: tuple(kind for kind, nouns in _NOUNS.items() if root in {stem(noun) for noun in nouns.split()})
        for root in {stem(noun) for nouns in _NOUNS.values() for noun in nouns.split()}
    }
)
_NUMBER_CUES: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("percentage", re.compile(r"\b(?:percent(?:age)?|proportion|prevalence|share|rate|fraction|%)", re.IGNORECASE)),
    (
        "dose",
        re.compile(r"\b(?:what|which|how much)\b.{0,30}\b(?:dos(?:e|es|age|ages)|concentration)\b", re.IGNORECASE),
    ),
    (
        "duration",
        re.compile(r"\bhow long\b|\bhalf[- ]life\b|\bduration\b|\blife expectancy\b|\bhow old\b", re.IGNORECASE),
    ),
    (
        "date",
        re.compile(
            r"^\W*when (?:was|were|did|is)\b|\b(?:what|which) (?:year|date)s?\b|\bthe years? of\b", re.IGNORECASE
        ),
    ),
    ("count", re.compile(r"\bhow many\b|\b(?:what|which) (?:is the )?(?:total )?number of\b", re.IGNORECASE)),
)
_LONG_FORM = re.compile(
    r"\bstands? for\b|\b(?:full|long) (?:name|form) of\b|\b(?:abbreviation|acronym) of\b|"
    r"\bmean(?:ing)? of the acronym\b",
    re.IGNORECASE,
)
_PERCENT_NOUN = re.compile(r"\b(?:what|which)\b.{0,40}\b(?:percent(?:age)?|proportion|fraction|share)\b", re.IGNORECASE)
_HOW = re.compile(r"\bhow (?:common|frequent|prevalent|often)\b|\bprevalence\b|\bincidence\b", re.IGNORECASE)
_OPENING = re.compile(
    r"\b(?:which|what|list|enumerate|name|give|who|where)\b"
    r"(?:\s+(?:is|are|was|were|of|the|all|other|main|major|common|known|different|currently|\d+|two|three|four|five|"
    r"some|examples|types?|kinds?|class(?:es)?|one)\b)*",
    re.IGNORECASE,
)
_NUMBER_OF_ITEMS = re.compile(
    r"\b(?:which|what|list|name|give|are|the)\s+(?:the\s+)?(?P<number>[2-9]|1\d|two|three|four|five|six|seven)\s+(?!mg|%)\w",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"\b(?!new\b|novel\b|other\b|potential\b|available\b|current\b|key\b|particular\b)[a-z]{3,}", re.IGNORECASE
)
_PLURAL = re.compile(r"\w*(?:[a-hj-rtv-z]s|loci|bacteria|fungi|phenomena|criteria)")
_WHICH = re.compile(r"\b(?:which|what)\s+(?!is\b|was\b|does\b|did\b)", re.IGNORECASE)
# What something is, does or means takes a sentence.
_DESCRIPTION = re.compile(
    r"^\W*(?:how (?!many|much|long|old|often|common|frequent|prevalent)|why|describe|explain|define|discuss|"
    r"(?:what|who) (?:is|are|was) (?:an? |the )?(?:(?!of\b|for\b|by\b|in\b|with\b|\w+ing\b)[\w()'’/+-]+ ?){1,5}\?*$|"
    r"what happens)"
    r"|\bwhat (?:is|are) (?:the )?(?:\w+ ){0,2}(?:function|role|effect|mechanism|action|purpose|activity|aim|"
    r"relationship|difference|evidence|definition|importance|rationale|principle)s?\b",
    re.IGNORECASE,
)
_WHO = re.compile(r"\bwho\b", re.IGNORECASE)
_WHERE = re.compile(r"\bwhere\b", re.IGNORECASE)
_TREATS = re.compile(
    r"\b(?:used (?:for|to treat)|approved for|treat|indicated for|indication|(?:is|are) the uses? of|effective for|"
    r"caused by|cause)\b(?!.*\bwith (?:what|which)\b)",
    re.IGNORECASE,
)
_TARGETS = re.compile(r"\b(?:inhibit|target|bind|block|encod|activat)\w*\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AnswerType:
    """The short answer that a question asks for.

    Attributes:
        wanted: a yes or no, one thing, a list of things, or a description, to which there is no short answer.
        kinds: the kinds of thing that may answer; ``any`` where the question does not tell.
        noun: stem of the word by which it asks ("kinase"); empty where there is none.
        number: how many it asks for ("which two drugs"); None where it does not say.
    """

    wanted: Wanted
    kinds: tuple[Kind, ...]
    noun: str = ""
    number: int | None = None

    @property
    def asks_for_number(self) -> bool:
        """Return whether only a number with its unit, or a date, answers."""
        return any(kind in NUMBER_KINDS for kind in self.kinds)


@lru_cache(maxsize=1_000)
def answer_type(question: str) -> AnswerType:
    """Return the type of short answer by the question's words."""
    question = unquoted(question)
    form = form_of(question)
    if _LONG_FORM.search(question):
        return AnswerType("one", ("long_form",))
    asked = _asked_noun(question)
    noun, is_plural = stem(asked), bool(_PLURAL.fullmatch(asked))
    number = _number_of_items(question)
    kind = _number_kind(question)
    if kind:
        return AnswerType("list" if re.search(r"\b(?:doses|years|dates)\b", question) else "one", (kind,), noun, number)
    kinds = _BY_NOUN.get(noun) or _kinds_by_verb(question)
    if form == "yes_no":
        return AnswerType("yes_no", ())
    if form == "list" or number or (is_plural and _WHICH.search(question)):
        return AnswerType("list", kinds, noun, number)
    is_short = _OPENING.search(question) and not _DESCRIPTION.search(question)
    return AnswerType("one" if is_short else "description", kinds, noun)


def _asked_noun(question: str) -> str:
    """Return the noun behind "which", "what" or "list".

    The last word of the noun phrase; no verb may stand between.
    """
    opening = _OPENING.search(question)
    if opening is None:
        return ""
    words = words_with_spans(question)
    for first, last in noun_phrases(question):
        if words[last - 1].start >= opening.end():
            between = question[opening.end() : words[first].start]
            return "" if _CLAUSE.search(between) else words[last - 1].text.lower()
    return ""


def _kinds_by_verb(question: str) -> tuple[Kind, ...]:
    if _WHO.search(question):
        return ("organisation",)
    if _WHERE.search(question):
        return ("anatomy",)
    if _TREATS.search(question):
        return ("disease",)
    return ("gene",) if _TARGETS.search(question) else ("any",)


def _number_kind(question: str) -> Kind | None:
    for kind, cue in _NUMBER_CUES:
        if kind == "percentage" and not (_PERCENT_NOUN.search(question) or _HOW.search(question)):
            continue
        if cue.search(question):
            return kind
    return None


def _number_of_items(question: str) -> int | None:
    found = _NUMBER_OF_ITEMS.search(question)
    if found is None:
        return None
    written = found["number"].lower()
    return int(WORDS.get(written) or written)
