"""A sentence of an answer: what it says, what supports or opposes it, and what was wrong with it."""

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
    """Where a record supports a sentence.

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
        """The citation as it stands in an answer: ``[PMID:123]``, or the title in brackets."""
        return f"[PMID:{self.pmid}]" if self.pmid else f"[{self.title}]"


@dataclass(frozen=True)
class Finding:
    """Why a sentence is not supported or not shown, or what was wrong with a mark or quotation in it.

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
        support: how well the best text supports it, 0 to 1, the checks counted in.
        citations: the supporting texts, the best first; empty unless it is supported.
        opposing: texts that say the contrary, the nearest first.
        findings: why it is not supported, and what was wrong with the model's own marks and quotations.
    """

    text: str
    verdict: Verdict = "unsupported"
    support: float = 0.0
    citations: tuple[Citation, ...] = ()
    opposing: tuple[Citation, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def supported(self) -> bool:
        """Whether a text supports it."""
        return self.verdict == "supported"

    def __str__(self) -> str:
        marks = "".join(dict.fromkeys(citation.mark for citation in self.citations))
        if not marks:
            return self.text
        body = self.text.rstrip(".")
        return f"{body} {marks}{self.text[len(body) :]}"
