"""Verified sentences on a terminal, with deciding words and reasons."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from rich.padding import Padding
from rich.text import Text

from llama_index_medqa.cli.display.console import SafeConsole
from llama_index_medqa.pubmed.data_date import attribution, freshness
from llama_index_medqa.redaction import redacted
from llama_index_medqa.verification.passages import TEXT_ID
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation

_MARKS = {
    "supported": ("✓", "green", "supported"),
    "contradicted": ("✗", "bold red", "contradicted"),
    "unsupported": ("•", "yellow", "not supported"),
}
_NOTHING = ("–", "dim", "states nothing")
_INDENT = 4


@dataclass(frozen=True)
class VerifiedSentence:
    """A sentence with its verdict.

    Attributes:
        written: with its citation marks.
        cited: ids of the documents that it names, such as ``PMID:123``.
        judged: the verdict.
    """

    written: str
    cited: tuple[str, ...]
    judged: AnswerSentence

    @property
    def states_something(self) -> bool:
        """Return whether it is a claim; a question or a bare "Yes." is none."""
        return all(finding.kind != "no_claim" for finding in self.judged.findings)

    def as_data(self) -> dict[str, Any]:
        """Return the fields as plain data, fit for JSON."""
        return {
            "written": self.written,
            "cited": list(self.cited),
            "text": self.judged.text,
            "verdict": self.judged.verdict,
            "support": self.judged.support,
            "citations": [asdict(citation) for citation in self.judged.citations],
            "opposing": [asdict(citation) for citation in self.judged.opposing],
            "findings": [asdict(finding) for finding in self.judged.findings],
        }


@dataclass(frozen=True)
class VerifiedAgainst:
    """A record that is quoted as evidence.

    Attributes:
        document_id: ``PMID:123``, or ``SHA:…`` for a record without a PMID.
        title: its title.
        journal: empty where unknown.
        year: None where unknown.
        status: such as ``retracted``; ``current`` where nothing is known against it.
        link: address of the paper; None where it has none.
    """

    document_id: str
    title: str
    journal: str = ""
    year: int | None = None
    status: str = "current"
    link: str | None = None


@dataclass(frozen=True)
class Verification:
    """The verdicts on a sentence or a draft.

    Attributes:
        evidence: what sentences were held against: a ``text``, given ``records``, or an ``index`` (the records that a
            sentence cites, or else those that a search finds for it).
        verifier: identity of what decided.
        sentences: in order.
        headings: of a draft; they state nothing and are not verified.
        records: what is known of the quoted records, by document id.
        index: where the records come from; None for a text.
        as_of: the day whose state of PubMed the index has; None where unknown.
    """

    evidence: Literal["text", "records", "index"]
    verifier: Mapping[str, Any]
    sentences: tuple[VerifiedSentence, ...]
    headings: tuple[str, ...] = ()
    records: Mapping[str, VerifiedAgainst] = field(default_factory=dict)
    index: str | None = None
    as_of: date | None = None

    @property
    def all_supported(self) -> bool:
        """Return whether every sentence with a claim is supported.

        False where none has a claim.
        """
        claims = [sentence for sentence in self.sentences if sentence.states_something]
        return bool(claims) and all(sentence.judged.supported for sentence in claims)

    def as_data(self) -> dict[str, Any]:
        """Return the fields as plain data, fit for JSON."""
        return {
            "all_supported": self.all_supported,
            "evidence": self.evidence,
            "index": redacted(self.index) if self.index else self.index,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "sentences": [one.as_data() for one in self.sentences],
            "headings": list(self.headings),
            "records": [asdict(record) for record in self.records.values()],
            "verifier": dict(self.verifier),
        }


def print_verification(found: Verification, out: SafeConsole) -> None:
    """Print each verdict with the deciding words, then the counts."""
    for sentence in found.sentences:
        _print_sentence(sentence, out)
    if found.headings:
        _print_paragraph(out, f"Not verified, because they are headings: {'; '.join(found.headings)}", "dim")
    for record in found.records.values():
        if record.status in ("retracted", "concern"):
            state = "retracted" if record.status == "retracted" else "under an expression of concern"
            out.write_line(f"Careful: {record.document_id} is {state}.", "red")
    out.write_line(_summary(found), "bold")
    if found.evidence != "text":
        source = attribution(list(found.records), found.as_of)
        _print_paragraph(out, freshness(found.as_of, datetime.now(UTC).date(), source), "dim")


def _print_sentence(sentence: VerifiedSentence, out: SafeConsole) -> None:
    judged = sentence.judged
    mark, style, verdict = _MARKS[judged.verdict] if sentence.states_something else _NOTHING
    chance = f" (chance of support {judged.support:.2f})" if sentence.states_something else ""
    _print_paragraph(out, f"{mark} {verdict}{chance}: {' '.join(judged.text.split())}", style)
    for citation in judged.citations:
        _print_paragraph(out, f"{_origin(citation)}: {_quote(citation)}", indent=_INDENT)
    for citation in judged.opposing:
        _print_paragraph(out, f"{_origin(citation)} says the contrary: {_quote(citation)}", "red", indent=_INDENT)
    if judged.findings and sentence.states_something:
        lead = "note" if judged.supported else "why"
        details = "; ".join(finding.detail for finding in judged.findings)
        _print_paragraph(out, f"{lead}: {details}", "dim", indent=_INDENT)


def _print_paragraph(out: SafeConsole, text: str, style: str = "", *, indent: int = 0) -> None:
    """Print a line of text, wrapped between words on a terminal."""
    if out.is_terminal:
        out.print(Padding(Text(text, style), (0, 0, 0, indent)))
    else:
        out.write_line(" " * indent + text, style)


def _origin(citation: Citation) -> str:
    name = "the text" if citation.document_id == TEXT_ID else citation.document_id
    return f"{name}, characters {citation.start}-{citation.end}"


def _quote(citation: Citation) -> str:
    return f"“{' '.join(citation.quote.split())}”"


def _summary(found: Verification) -> str:
    claims = [sentence.judged for sentence in found.sentences if sentence.states_something]
    count, contradicted = len(claims), sum(judged.verdict == "contradicted" for judged in claims)
    if not count:
        return "Nothing was verified: no sentence states anything."
    supported = sum(judged.supported for judged in claims)
    counts = f"{supported} of {count} sentence{'' if count == 1 else 's'} supported"
    return f"{counts}, {contradicted} contradicted." if contradicted else f"{counts}."
