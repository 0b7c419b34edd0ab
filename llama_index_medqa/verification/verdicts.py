"""Verdicts on the sentences of an answer, with their citations."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["supported", "unsupported", "contradicted"]
Strictness = Literal["strict", "balanced", "open"]
FindingKind = Literal[
    "no_claim",
    "no_evidence",
    "not_entailed",
    "quantity",
    "entity",
    "quote",
    "wrong_mark",
    "unknown_mark",
    "antecedent",
    "directive",
    "yes_no",
    "cut_off",
    "withdrawn",
]


@dataclass(frozen=True)
class Citation:
    """The span of a record that supports a sentence.

    Attributes:
        document_id: ``PMID:123``, or ``SHA:…`` for a record without a PMID.
        pmid: PubMed identifier; None for a record without one, which is cited by its title.
        title: title of the record.
        start: first character of the supporting text in the record's text.
        end: the character after its last.
        quote: that text, ``record.text[start:end]``.
    """

    document_id: str
    pmid: str | None
    title: str
    start: int
    end: int
    quote: str

    @property
    def mark(self) -> str:
        """Return the citation as an answer shows it: ``[PMID:123]``, or the title."""
        return f"[PMID:{self.pmid}]" if self.pmid else f"[{self.title}]"


@dataclass(frozen=True)
class Finding:
    """A reason why a sentence is unsupported, or an error in its marks or quotations.

    Attributes:
        kind: ``no_claim``: it states nothing, or asks; ``no_evidence``: no retrieved text speaks of it;
            ``not_entailed``: none says it; ``quantity``, ``entity``: a number with its unit, or a name, is not there;
            ``quote``: nor are the words in quotation marks; ``wrong_mark``, ``unknown_mark``: a record that the model
            cites does not say it, or was not retrieved. Of sentences that the query engine leaves out, whatever their
            support: ``antecedent``: it leans on a sentence that was left out; ``directive``: it tells the reader what
            to do; ``yes_no``: the evidence does not say yes, or no, to the question; ``cut_off``: the drafter was
            stopped in it; ``withdrawn``: the drafter said afterwards that there is no answer, or that this was none.
        detail: what it saw, for people, such as ``"3.5" is not in the text``.
    """

    kind: FindingKind
    detail: str


@dataclass(frozen=True)
class AnswerSentence:
    """A sentence of an answer and what supports it.

    Attributes:
        text: the sentence without citation marks.
        verdict: ``supported``; ``contradicted`` where a text speaks of the same and says the contrary;
            ``unsupported`` otherwise.
        support: how well the best text supports it, 0 to 1; little, though seldom 0, where a check failed.
        citations: the supporting texts, the best first; empty unless it is supported.
        opposing: texts that say the contrary, the nearest first.
        findings: why it is not supported, and what was wrong with the model's own marks and quotations.
        is_quote: whether it is a record's own sentence, in quotation marks, in place of a drafted one.
    """

    text: str
    verdict: Verdict = "unsupported"
    support: float = 0.0
    citations: tuple[Citation, ...] = ()
    opposing: tuple[Citation, ...] = ()
    findings: tuple[Finding, ...] = ()
    is_quote: bool = False

    @property
    def supported(self) -> bool:
        """Return whether a text supports the sentence."""
        return self.verdict == "supported"

    def __str__(self) -> str:
        marks = "".join(dict.fromkeys(citation.mark for citation in self.citations))
        if not marks:
            return self.text
        body = self.text.rstrip(".")
        return f"{body} {marks}{self.text[len(body) :]}"
