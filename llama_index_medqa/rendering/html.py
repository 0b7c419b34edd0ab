"""An answer as one self-contained HTML file: every sentence beside the abstract that supports it, highlighted."""

from collections.abc import Sequence
from datetime import date
from html import escape

from llama_index_medqa.answering.response import FINDINGS_LEAD, MedQAResponse
from llama_index_medqa.answering.translation.notices import NOTICES
from llama_index_medqa.pubmed.data_date import freshness
from llama_index_medqa.rendering.references import Reference, references
from llama_index_medqa.rendering.text import HEADINGS, made_by, notes, reason, short_answer, sources
from llama_index_medqa.text.printable import printable
from llama_index_medqa.verification.passages import Passage, passages_of
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation

_LEFT_OUT = "[left out: it may be an order to its reader]"
_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1b1f24; background: #f6f7f9; margin: 0; }
main { max-width: 52rem; margin: 0 auto; padding: 2rem 1.25rem; }
h1 { font-size: 1.35rem; margin: 0 0 1rem; }
h2 { font-size: 1rem; margin: 0; }
section { background: #fff; border: 1px solid #d9dee4; border-radius: 8px; padding: 1rem 1.25rem; margin: 0 0 1rem; }
.answer { font-size: 1.1rem; }
.findings { border-left: 6px solid #b58900; } .nothing_found { border-left: 6px solid #8c959f; }
.caution { background: #fff1e5; border: 1px solid #b3261e; border-radius: 8px; padding: .6rem 1rem; }
blockquote { margin: .5rem 0; padding-left: .8rem; border-left: 3px solid #d9dee4; }
.translation { border-left: 6px solid #6b7fd7; }
.answer a, .translation a { text-decoration: none; font-size: .8em; white-space: nowrap; }
.unsupported { color: #8a5300; } .contradicted { color: #b3261e; }
mark { background: #ffe58a; padding: .05em .1em; border-radius: 3px; }
mark.opposing { background: #ffc9c4; }
mark:target { outline: 2px solid #1f6feb; }
.status { background: #b3261e; color: #fff; border-radius: 4px; padding: 0 .4em; font-size: .8rem; }
.note, .about, footer { color: #57606a; font-size: .9rem; }
p { margin: .4rem 0; }
""".strip()


def as_html(question: str, response: MedQAResponse, today: date) -> str:
    """The answer as a page that needs nothing else: no script, no address to load from.

    Args:
        question: what was asked.
        response: the answer; its ``source_nodes`` hold the abstracts.
        today: the day from which the age of the records is counted.
    """
    ends = [response.notice or "", freshness(response.as_of, today, response.source)]
    body = [
        f"<h1>{escape(question)}</h1>",
        *([f'<p class="caution">{escape(response.caution)}</p>'] if response.caution else []),
        f'<section class="answer {response.outcome}"><h2>{HEADINGS[response.outcome]}</h2>',
        *([f"<p><strong>{escape(short_answer(response))}</strong></p>"] if short_answer(response) else []),
        f"<p>{_answer(response)}</p></section>",
        *_translation(response),
        *(f'<p class="note">{escape(note)}</p>' for note in notes(response)),
        *_papers(response),
        *_nearest(response),
        *_left_out(response.dropped),
        f"<footer>{''.join(f'<p>{escape(line)}</p>' for line in [*ends, _made_with(response)] if line)}</footer>",
    ]
    return printable(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(question)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main>\n{chr(10).join(body)}\n</main></body></html>\n"
    )


def _answer(response: MedQAResponse) -> str:
    if response.outcome == "findings":
        quotes = "".join(f"<blockquote>{_quote(finding, response)}</blockquote>" for finding in response.findings)
        return f"{escape(FINDINGS_LEAD)}</p>{quotes}<p>"
    if not response.sentences:
        return escape(response.response or "")
    return " ".join(_sentence(sentence, response) for sentence in response.sentences)


def _translation(response: MedQAResponse) -> list[str]:
    """The answer in the language of its question; each sentence with the citations of the English one."""
    translation = response.translation
    if translation is None:
        return []
    language = translation.question.language
    cited = [sentence.citations for sentence in response.sentences] or [(finding,) for finding in response.findings]
    rows = [f"<p>{escape(translation.lead)}</p>"] if translation.lead else []
    for sentence, citations in zip(translation.sentences, cited, strict=True):
        shown = sentence.shown(language)
        text = shown.removesuffix(sentence.marks).rstrip() if citations else shown
        rows.append(f"<p>{escape(text)}{''.join(_link(citation, response) for citation in citations)}</p>")
    return [
        f'<section class="translation" lang="{NOTICES[language].code}"><h2>{escape(translation.heading)}</h2>'
        f"{''.join(rows)}</section>"
    ]


def _quote(finding: Citation, response: MedQAResponse) -> str:
    return f"{escape(' '.join(finding.quote.split()))}{_link(finding, response)}"


def _link(citation: Citation, response: MedQAResponse) -> str:
    link = f'<a href="#{_anchor(citation)}">{escape(citation.mark)}</a>'
    return f" {link}{_status(response, citation.document_id)}"


def _sentence(sentence: AnswerSentence, response: MedQAResponse) -> str:
    links = "".join(_link(citation, response) for citation in sentence.citations)
    flag = "" if sentence.supported else f" [{sentence.verdict}]"
    return f'<span class="{sentence.verdict}">{escape(sentence.text + flag)}{links}</span>'


def _papers(response: MedQAResponse) -> list[str]:
    opposing = [citation for sentence in response.sentences for citation in sentence.opposing]
    cited = references(response)
    known = {reference.document_id for reference in cited}
    others = {citation.document_id: citation for citation in opposing if citation.document_id not in known}
    cited += [Reference(citation.document_id, citation.title, citation.pmid) for citation in others.values()]
    passages = passages_of(response.source_nodes)
    return [_paper(reference, passages, response, opposing) for reference in cited]


def _paper(
    reference: Reference, passages: Sequence[Passage], response: MedQAResponse, opposing: Sequence[Citation]
) -> str:
    heading = escape(reference.title or reference.document_id)
    if reference.link:
        heading = f'<a href="{escape(reference.link)}">{heading}</a>'
    about = " · ".join(part for part in (reference.document_id, reference.journal, str(reference.year or "")) if part)
    spans = [(citation, "") for citation in (*response.citations, *response.findings)]
    spans += [(citation, "opposing") for citation in opposing]
    own = [(citation, kind) for citation, kind in spans if citation.document_id == reference.document_id]
    texts = [_highlighted(passage, own) for passage in passages if passage.document_id == reference.document_id]
    return (
        f"<section><h2>{heading}{_status(response, reference.document_id)}</h2>"
        f'<p class="about">{escape(about)}</p>{"<p>…</p>".join(texts)}</section>'
    )


def _highlighted(passage: Passage, spans: Sequence[tuple[Citation, str]]) -> str:
    """The passage without its title, the spans marked; where two overlap, the later one is cut."""
    position = len(passage.title) if passage.start == 0 and passage.text.startswith(passage.title) else 0
    pieces = []
    for citation, kind in sorted(spans, key=lambda span: (span[0].start, -span[0].end)):
        start, end = max(citation.start - passage.start, position), citation.end - passage.start
        if not position <= start < end <= len(passage.text):
            continue
        kind_of = f' class="{kind}"' if kind else ""
        pieces += [_without_orders(passage, position, start)]
        pieces += [f'<mark id="{_anchor(citation)}"{kind_of}>{escape(passage.text[start:end])}</mark>']
        position = end
    pieces.append(_without_orders(passage, position, len(passage.text)))
    return f"<p>{''.join(pieces).strip().replace(chr(10), '<br>')}</p>"


def _without_orders(passage: Passage, first: int, last: int) -> str:
    """The text between two characters of a passage; what may give orders to whoever reads it is left out."""
    pieces, position = [], first
    for sentence in passage.sentences:
        start, end = sentence.start - passage.start, sentence.end - passage.start
        if sentence.steered and first <= start < end <= last:
            pieces += [escape(passage.text[position:start]), f"<em>{_LEFT_OUT}</em>"]
            position = end
    return "".join([*pieces, escape(passage.text[position:last])])


def _nearest(response: MedQAResponse) -> list[str]:
    if response.outcome != "nothing_found":
        return []
    rows = "".join(f"<p>{escape(source.document_id)}: {escape(source.title)}</p>" for source in sources(response))
    return [f"<section><h2>Nearest records</h2>{rows}</section>"] if rows else []


def _left_out(dropped: Sequence[AnswerSentence]) -> list[str]:
    if not dropped:
        return []
    rows = "".join(f'<p class="{item.verdict}">{escape(item.text)} [{escape(reason(item))}]</p>' for item in dropped)
    return [f"<section><h2>Drafted, but left out</h2>{rows}</section>"]


def _status(response: MedQAResponse, document_id: str) -> str:
    status = response.retracted.get(document_id)
    return f' <span class="status">{escape(status)}</span>' if status else ""


def _made_with(response: MedQAResponse) -> str:
    index = response.identity.index.get("embedder", "") if response.identity else ""
    return made_by(response) + (f" Index: {index}." if index else "")


def _anchor(citation: Citation) -> str:
    return escape(f"{citation.document_id}-{citation.start}-{citation.end}".replace(":", "-"))
