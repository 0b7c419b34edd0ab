"""Passages: stretches of records, cut into sentences with their spans."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llama_index_medqa.text.injection.detector import suspicion
from llama_index_medqa.text.injection.directives import is_directive
from llama_index_medqa.text.injection.foreign_sentences import is_foreign
from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.verification.rhetorical_roles import reports_no_result

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode, NodeWithScore, TextNode

TEXT_ID = "TEXT"
"""Stands where the id of a document would, for a text that is none."""


@dataclass(frozen=True)
class EvidenceSentence:
    """A sentence of a retrieved record.

    Attributes:
        text: the sentence as the record has it.
        start: its first character in the record's text.
        end: the character after its last.
        complete: whether the retrieved stretch holds the whole sentence.
        in_title: whether it belongs to the record's title.
        steered: whether it may give the reader orders ("ignore the rules …"), follows one that may, or a sentence
            before it plainly does.
    """

    text: str
    start: int
    end: int
    complete: bool
    in_title: bool
    steered: bool = False

    @property
    def states_something(self) -> bool:
        """Return whether the sentence can support a claim.

        A title, a question, an aim or an order to the reader cannot.
        """
        return not (self.in_title or self.steered or reports_no_result(self.text))


@dataclass(frozen=True)
class Passage:
    """A contiguous stretch of one record, of one or more overlapping chunks.

    Attributes:
        document_id: ``PMID:123``, or ``SHA:…`` for a record without a PMID.
        title: title of the record.
        text: the stretch; ``record.text[start:start + len(text)]``.
        start: its first character in the record's text.
        sentences: the sentences of the stretch, in order.
    """

    document_id: str
    title: str
    text: str
    start: int
    sentences: tuple[EvidenceSentence, ...] = field(repr=False)

    @property
    def with_title(self) -> str:
        """Return the record's title, with the stretch on the next line."""
        return f"{self.title}\n{self.text}"

    @property
    def pmid(self) -> str | None:
        """Return the PubMed identifier; None for a record without one."""
        kind, _, identifier = self.document_id.partition(":")
        return identifier if kind == "PMID" else None


def document_id_of(node: "BaseNode") -> str:
    """Return the id of a chunk's document; else the node's own id."""
    return node.ref_doc_id or node.node_id


def passages_of(nodes: Sequence["NodeWithScore"]) -> list[Passage]:
    """Join the overlapping chunks of each record, the best record first.

    Args:
        nodes: retrieved chunks, the best first, with ``start_char_idx`` set. A chunk without it stands alone.
    """
    # LlamaIndex takes seconds to import, and a text of one's own is verified without it.
    from llama_index.core.schema import TextNode

    by_document: dict[str, list[TextNode]] = {}
    for item in nodes:
        if isinstance(item.node, TextNode):
            by_document.setdefault(document_id_of(item.node), []).append(item.node)
    return [
        _passage(document_id, str(chunks[0].metadata.get("title", "")), text, start)
        for document_id, chunks in by_document.items()
        for start, text in _joined(chunks)
    ]


def passage_of_text(text: str, title: str = "", document_id: str = TEXT_ID) -> Passage:
    """Make a passage of a whole text.

    Args:
        text: spans of its sentences are positions in it.
        title: read with every sentence, and no evidence itself; the text may begin with it.
        document_id: named by citations.
    """
    return _passage(document_id, title, text, 0, is_whole=True)


def _joined(chunks: Iterable["TextNode"]) -> list[tuple[int, str]]:
    """Join overlapping or touching chunks of one record into ``(start, text)``.

    In the order of the record.
    """
    stretches: list[tuple[int, str]] = []
    for chunk in sorted(chunks, key=lambda chunk: chunk.start_char_idx or 0):
        start, text = chunk.start_char_idx or 0, chunk.get_content()
        if stretches and start <= stretches[-1][0] + len(stretches[-1][1]):
            first, before = stretches[-1]
            stretches[-1] = (first, before + text[first + len(before) - start :])
        else:
            stretches.append((start, text))
    return stretches


def _passage(document_id: str, title: str, text: str, start: int, *, is_whole: bool = False) -> Passage:
    spans = split_sentences(text)
    title_end = len(title) if start == 0 and text.startswith(title) else 0
    steered = _steered([text[first:last] if last > title_end else "" for first, last in spans])
    sentences = tuple(
        EvidenceSentence(
            text=text[first:last],
            start=start + first,
            end=start + last,
            # A stretch may begin or end inside a sentence, because windows are cut between words.
            complete=is_whole
            or ((number > 0 or start == 0) and (number < len(spans) - 1 or text[last - 1] in ".!?)”\"'")),
            in_title=last <= title_end,
            steered=steered[number],
        )
        for number, (first, last) in enumerate(spans)
    )
    return Passage(document_id, title, text, start, sentences)


def _steered(sentences: Sequence[str]) -> list[bool]:
    """Return for each sentence whether it may give orders; titles are empty."""
    suspicions = [suspicion(sentence) for sentence in sentences]
    foreign = [is_foreign(sentence) for sentence in sentences]
    # Among English sentences, one in another language was put there or repeats them; a record may be in that language.
    is_english = 2 * sum(foreign) <= sum(map(bool, sentences))
    may_order = [
        suspected == "possible" or (is_english and is_other)
        for suspected, is_other in zip(suspicions, foreign, strict=True)
    ]
    directives = list(map(is_directive, sentences))
    # Whoever plants an order plants what follows it; advice to patients ("You should rest.") is none.
    first_order = suspicions.index("plain") if "plain" in suspicions else len(sentences)
    follows = [False, *(before and not is_advice for before, is_advice in zip(may_order, directives, strict=True))]
    return [
        number >= first_order or may_order[number] or directives[number] or follows[number]
        for number in range(len(sentences))
    ]
