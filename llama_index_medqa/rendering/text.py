"""An answer as plain text, Markdown and data.

``rendering.html`` makes HTML.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from llama_index_medqa.answering.response import FINDINGS_LEAD, MedQAResponse, Outcome
from llama_index_medqa.answering.translation.translator import MACHINE_TRANSLATION
from llama_index_medqa.pubmed.data_date import freshness
from llama_index_medqa.rendering.references import Reference, references
from llama_index_medqa.retrieval.retriever import RetrievedChunk
from llama_index_medqa.text.printable import printable
from llama_index_medqa.verification.passages import document_id_of
from llama_index_medqa.verification.verdicts import AnswerSentence

HEADINGS: Mapping[Outcome, str] = MappingProxyType(
    {"answer": "Answer", "findings": "Findings", "nothing_found": "Nothing found"}
)
# What the verifier says of the question, whatever was drafted.
_LEADS = ("Yes.", "No.")
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
    """Return the retrieved records, each once, the best first."""
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
    """Return question and answer as plain data, fit for JSON."""
    links = {reference.document_id: reference.link for reference in references(response)}
    return {
        "question": question,
        "answer": response.response,
        **(response.metadata or {}),
        "short_answer": short_answer(response),
        "sources": [asdict(source) for source in sources(response)],
        "links": links,
    }


def notes(response: MedQAResponse) -> list[str]:
    """Return the notes beside the answer, a line each."""
    return [*_translated_question(response), *_notes(response)]


def short_answer(response: MedQAResponse) -> str:
    """Return the short answer as a line; empty where there is none.

    Yes or no, a name or number, or a list that is likely enough.
    """
    exact = response.exact_answer
    if exact is None or not exact.shown:
        return ""
    caveat = short_answer_caveat(response)
    return f"Short answer{f' ({caveat})' if caveat else ''}: {exact.shown}"


def exact_answer_text(response: MedQAResponse) -> str:
    """Return the short answer with its caveat in brackets."""
    exact = response.exact_answer
    if exact is None or not exact.shown:
        return ""
    caveat = short_answer_caveat(response)
    return f"{exact.shown} ({caveat})" if caveat else exact.shown


def short_answer_caveat(response: MedQAResponse) -> str:
    """Return the caveat of an unverified short answer; else empty."""
    exact = response.exact_answer
    if exact is None:
        return ""
    if exact.is_from_findings:
        return "from the quotes; not verified"
    return f"as {response.answered_by} reads the quotes; not verified" if exact.is_model_reading else ""


def reasons(response: MedQAResponse) -> list[str]:
    """Return the drafter and why each sentence was left out, line by line."""
    if not response.draft:
        return [f"Nothing was drafted: {response.explanation or 'nobody was asked.'}"]
    shown = sum(not (sentence.is_quote or sentence.text in _LEADS) for sentence in response.sentences)
    count = shown + len(response.dropped)
    lines = [f"Drafted by {response.answered_by}: {_count(count, 'sentence')}, {shown} shown."]
    if response.taken_off:
        lines.append(f"Not part of an answer, and not judged: {', '.join(response.taken_off)}.")
    return [*lines, *(f"Left out: “{item.text}” {reason(item)}." for item in response.dropped)]


def reason(sentence: AnswerSentence) -> str:
    """Return why a sentence was left out, in words for people."""
    why = [finding.detail for finding in sentence.findings]
    if sentence.opposing:
        against = ", ".join(dict.fromkeys(citation.document_id for citation in sentence.opposing))
        why.insert(0, f"contradicted by {against}")
    return "; ".join(why) or sentence.verdict


def _translated_question(response: MedQAResponse) -> Iterator[str]:
    asked = response.translation.question if response.translation else None
    if asked and asked.english:
        yield f"Asked in {asked.language}; searched and answered in English ({MACHINE_TRANSLATION}): “{asked.english}”"


def _abstention_notes(response: MedQAResponse) -> Iterator[str]:
    if response.abstained:
        yield response.explanation
        if response.searched:
            yield f"Searched for: {'; '.join(response.searched)}"
        for paper in response.excluded:
            yield f"Left out by a filter: {paper.document_id}: {paper.title} [{paper.why}]"


def _notes(response: MedQAResponse) -> Iterator[str]:
    yield from _abstention_notes(response)
    for part in response.unanswered:
        yield f"Not answered, because no retrieved record speaks of it: {part}"
    if response.unnamed_populations:
        asked = " and ".join(response.unnamed_populations)
        yield f"The question asks about {asked}. What was read of the cited records does not name them."
    for name, status in response.retracted.items():
        yield f"Careful: {name} is {'retracted' if status == 'retracted' else 'under an expression of concern'}."
    for item in response.disagreements:
        supporting, opposing = (
            ", ".join(dict.fromkeys(citation.document_id for citation in citations))
            for citations in (item.supporting, item.opposing)
        )
        yield f"Papers disagree: {supporting} against {opposing} on: {item.sentence}"
    if any(sentence.is_quote for sentence in response.sentences):
        yield "In quotation marks: sentences of the papers themselves, which nobody drafted."
    if response.dropped and not response.abstained:
        yield f"Left out of the draft, because of failed checks: {_count(len(response.dropped), 'sentence')}."
    if response.cut_off:
        yield "The model reached the most tokens that it may write: what it had not finished is left out."
    if response.withheld:
        yield f"Not used, because their text gives orders to the model: {', '.join(response.withheld)}."


def as_text(question: str, response: MedQAResponse, today: date) -> str:
    """Return question, answer or findings, sources and notes as text."""
    lines = [f"Question: {question}", *([response.caution] if response.caution else []), ""]
    lines += [short_answer(response)] if short_answer(response) else []
    lines += [f"{HEADINGS[response.outcome]}: {response.response}", ""]
    lines += [response.translation.text, ""] if response.translation else []
    lines += [f"  {_described(reference)}" for reference in references(response)]
    if response.outcome == "nothing_found":
        lines += [f"  Near, but no answer: {_near(source)}" for source in sources(response)]
    lines += ["", *notes(response), made_by(response), freshness(response.as_of, today, response.source)]
    return printable("\n".join([*lines, *([response.notice] if response.notice else [])]) + "\n")


def as_markdown(question: str, response: MedQAResponse, today: date) -> str:
    """Return question, answer or findings, sources and notes as Markdown.

    Sources have links and quotes.
    """
    answer = _escaped(FINDINGS_LEAD if response.outcome == "findings" else response.response or "")
    for reference in references(response):
        if reference.pmid and reference.link:
            answer = answer.replace(f"\\[PMID:{reference.pmid}\\]", f"[[PMID:{reference.pmid}]({reference.link})]")
    lines = [f"## {_escaped(question)}", "", *([_escaped(response.caution), ""] if response.caution else [])]
    lines += [f"**{_escaped(short_answer(response))}**", ""] if short_answer(response) else []
    lines += [f"**{HEADINGS[response.outcome]}.** {answer}", ""]
    if response.translation:
        lines += [*(f"{_escaped(line)}  " for line in response.translation.text.splitlines()), ""]
    for reference in references(response):
        link = f"[{reference.document_id}]({reference.link})" if reference.link else reference.document_id
        lines.append(f"- {link}: {_escaped(_described(reference).partition(': ')[2])}")
        shown = (*response.citations, *response.findings)
        quotes = [citation for citation in shown if citation.document_id == reference.document_id]
        lines += [f"  > {_escaped(' '.join(citation.quote.split()))}" for citation in quotes]
    if response.outcome == "nothing_found":
        lines += [f"- Near, but no answer: {_escaped(_near(source))}" for source in sources(response)]
    lines += ["", *(f"*{_escaped(note)}*  " for note in notes(response))]
    lines += ["", _escaped(made_by(response)) + "  ", _escaped(freshness(response.as_of, today, response.source))]
    return printable("\n".join([*lines, *(["", _escaped(response.notice)] if response.notice else [])]) + "\n")


def _described(reference: Reference) -> str:
    known = ", ".join(part for part in (reference.journal, str(reference.year or "")) if part)
    status = f" ({reference.status})" if reference.status != "current" else ""
    return f"{reference.document_id}: {reference.title}{f' {known}.' if known else ''}{status}"


def _near(source: Source) -> str:
    return f"{source.document_id}: {source.title}" + (f" ({source.year})" if source.year else "")


def made_by(response: MedQAResponse) -> str:
    """Return a line on who answered and how long each stage took.

    Also for a model that drafted in vain or was not asked.
    """
    seconds = ", ".join(f"{stage} {value:.1f} s" for stage, value in response.seconds.items())
    if response.outcome == "answer":
        return f"Answered by {response.answered_by} ({seconds})."
    if response.outcome == "findings":
        return f"Quoted from the papers; {response.answered_by} drafted no answer that could be verified ({seconds})."
    return f"{response.answered_by} gave no answer ({seconds})."


def _count(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _escaped(text: str) -> str:
    return " ".join(text.split()).translate(_MARKDOWN_SPECIAL)
