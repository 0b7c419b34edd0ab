"""An answer for people, as plain text or Markdown, and for machines, as data; HTML is made by ``rendering_html``."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from llama_index_medqa.freshness import freshness
from llama_index_medqa.references import Reference, references
from llama_index_medqa.response import MedQAResponse
from llama_index_medqa.retriever import RetrievedChunk
from llama_index_medqa.verification.passages import document_id_of

_MARKDOWN_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]<>#|"})


@dataclass(frozen=True)
class Source:
    """A retrieved record.

    Attributes:
        document_id: ``PMID:123``, or ``SHA:…`` for a record without a PMID.
        title: its title.
        year: publication year; None where unknown.
        journal: its journal; empty where unknown.
        score: similarity of its best chunk to the question: the cosine where the retriever tells it (None where only
            the search by words found the chunk), else the retriever's own score.
    """

    document_id: str
    title: str
    year: int | None
    journal: str
    score: float | None


def sources(response: MedQAResponse) -> list[Source]:
    """The retrieved records, each once, the best first."""
    found: dict[str, Source] = {}
    for item in response.source_nodes:
        metadata = item.node.metadata
        document_id = document_id_of(item.node)
        source = Source(
            document_id,
            str(metadata.get("title", "")),
            metadata.get("year"),
            str(metadata.get("journal", "")),
            item.cosine if isinstance(item, RetrievedChunk) else item.score,
        )
        found.setdefault(document_id, source)
    return list(found.values())


def as_data(question: str, response: MedQAResponse) -> dict[str, Any]:
    """Question and answer as plain data, fit for JSON."""
    links = {reference.document_id: reference.link for reference in references(response)}
    return {
        "question": question,
        "answer": response.response,
        **(response.metadata or {}),
        "sources": [asdict(source) for source in sources(response)],
        "links": links,
    }


def notes(response: MedQAResponse) -> list[str]:
    """What a reader must know beside the answer, a line each."""
    return list(_notes(response))


def _notes(response: MedQAResponse) -> Iterator[str]:
    if response.abstained:
        yield response.explanation
        if response.searched:
            yield f"Searched for: {'; '.join(response.searched)}"
    for part in response.unanswered:
        yield f"Not answered, because no retrieved record speaks of it: {part}"
    for name, status in response.retracted.items():
        yield f"Careful: {name} is {'retracted' if status == 'retracted' else 'under an expression of concern'}."
    for item in response.disagreements:
        supporting, opposing = (
            ", ".join(dict.fromkeys(citation.document_id for citation in citations))
            for citations in (item.supporting, item.opposing)
        )
        yield f"Papers disagree: {supporting} against {opposing} on: {item.sentence}"
    if response.dropped:
        yield f"Left out, because nothing retrieved supports them: {_count(response.dropped, 'sentence')}."
    if response.cut_off:
        yield "The model reached the most tokens that it may write: its last sentence is left out."
    if response.withheld:
        yield f"Not used, because their text gives orders to the model: {', '.join(response.withheld)}."


def as_text(question: str, response: MedQAResponse, today: date) -> str:
    """Question, answer, sources and notes as plain text."""
    lines = [f"Question: {question}", "", f"Answer: {response.response}", ""]
    lines += [f"  {_described(reference)}" for reference in references(response)]
    if response.abstained:
        lines += [f"  Near, but no answer: {_near(source)}" for source in sources(response)]
    lines += ["", *notes(response), _answered_by(response), freshness(response.as_of, today)]
    return "\n".join([*lines, *([response.notice] if response.notice else [])]) + "\n"


def as_markdown(question: str, response: MedQAResponse, today: date) -> str:
    """Question, answer, sources with links, quotes and notes as Markdown."""
    answer = _escaped(response.response or "")
    for reference in references(response):
        if reference.pmid and reference.link:
            answer = answer.replace(f"\\[PMID:{reference.pmid}\\]", f"[[PMID:{reference.pmid}]({reference.link})]")
    lines = [f"## {_escaped(question)}", "", answer, ""]
    for reference in references(response):
        link = f"[{reference.document_id}]({reference.link})" if reference.link else reference.document_id
        lines.append(f"- {link}: {_escaped(_described(reference).partition(': ')[2])}")
        quotes = [citation for citation in response.citations if citation.document_id == reference.document_id]
        lines += [f"  > {_escaped(' '.join(citation.quote.split()))}" for citation in quotes]
    if response.abstained:
        lines += [f"- Near, but no answer: {_escaped(_near(source))}" for source in sources(response)]
    lines += ["", *(f"*{_escaped(note)}*  " for note in notes(response))]
    lines += ["", _escaped(_answered_by(response)) + "  ", _escaped(freshness(response.as_of, today))]
    return "\n".join([*lines, *(["", _escaped(response.notice)] if response.notice else [])]) + "\n"


def _described(reference: Reference) -> str:
    known = ", ".join(part for part in (reference.journal, str(reference.year or "")) if part)
    status = f" ({reference.status})" if reference.status != "current" else ""
    return f"{reference.document_id}: {reference.title}{f' {known}.' if known else ''}{status}"


def _near(source: Source) -> str:
    return f"{source.document_id}: {source.title}" + (f" ({source.year})" if source.year else "")


def _answered_by(response: MedQAResponse) -> str:
    seconds = ", ".join(f"{stage} {value:.1f} s" for stage, value in response.seconds.items())
    return f"Answered by {response.answered_by} ({seconds})."


def _count(items: list[Any], name: str) -> str:
    return f"{len(items)} {name}{'' if len(items) == 1 else 's'}"


def _escaped(text: str) -> str:
    return " ".join(text.split()).translate(_MARKDOWN_SPECIAL)
