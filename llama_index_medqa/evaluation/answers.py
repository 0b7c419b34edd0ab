"""What a system under test said to a question: text, evidence and citations, as measures read them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from llama_index.core.base.response.schema import Response
from llama_index.core.schema import NodeWithScore

from llama_index_medqa.errors import InputError
from llama_index_medqa.response import MedQAResponse
from llama_index_medqa.verification.passages import document_id_of

# What LlamaIndex's own synthesizers say when nothing was retrieved.
_EMPTY_RESPONSE = "Empty Response"


@dataclass(frozen=True)
class Evidence:
    """A retrieved text.

    Attributes:
        document_id: of its document, such as ``PMID:123``; empty where only the text is known.
        text: as it was retrieved; empty where only the document is known.
        status: of the document, such as ``current`` or ``retracted``; None where unknown.
        mesh: MeSH headings of the document; empty where unknown.
    """

    document_id: str
    text: str = ""
    status: str | None = None
    mesh: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        text: what was said.
        evidence: what was retrieved, the best first; None where the system does not tell.
        cited: ids of the cited documents, in the order of the answer; None where the system does not tell.
        abstained: why there is no answer; None where there is one.
        answered_by: name of the model; empty where unknown.
        prompt_tokens: tokens that models read for it; None where they do not tell.
        answer_tokens: tokens that models wrote for it; None where they do not tell.
        seconds: time that it took; None where unknown.
        verifier: identity of the verifier that decided which sentences were said; None where none did, or it is
            unknown.
    """

    text: str
    evidence: tuple[Evidence, ...] | None = None
    cited: tuple[str, ...] | None = None
    abstained: str | None = None
    answered_by: str = ""
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    seconds: float | None = None
    verifier: Mapping[str, Any] | None = field(default=None, hash=False)

    @property
    def ranking(self) -> list[str] | None:
        """The documents of the evidence, the best first, each once; None where unknown."""
        if self.evidence is None or not all(piece.document_id for piece in self.evidence):
            return None
        return list(dict.fromkeys(piece.document_id for piece in self.evidence))

    @property
    def tokens(self) -> int | None:
        """Tokens read and written; None where unknown."""
        known = [count for count in (self.prompt_tokens, self.answer_tokens) if count is not None]
        return sum(known) if known else None

    def as_data(self) -> dict[str, Any]:
        """As plain data, fit for JSON."""
        known = {key: value for key, value in asdict(self).items() if value not in (None, "")}
        return {"text": self.text, **known}


def answer_of(response: Response) -> Answer:
    """The answer that any LlamaIndex query engine gave; a :class:`MedQAResponse` says more.

    Args:
        response: whole, not a stream.
    """
    text = str(response.response or "")
    evidence = tuple(_evidence(item) for item in response.source_nodes)
    if isinstance(response, MedQAResponse):
        cited = dict.fromkeys(citation.document_id for citation in response.citations)
        verifier = (response.identity.verifier if response.identity else None) or None
        answer = Answer(text, evidence, tuple(cited), response.abstained, response.answered_by, verifier=verifier)
        if response.usage is None or response.usage.counted_by != "server":
            return answer
        return replace(answer, prompt_tokens=response.usage.prompt, answer_tokens=response.usage.completion)
    abstained = "empty response" if text.strip() in ("", _EMPTY_RESPONSE) else None
    return Answer(text, evidence, abstained=abstained)


def _evidence(item: NodeWithScore) -> Evidence:
    metadata = item.node.metadata
    return Evidence(
        document_id_of(item.node),
        item.node.get_content(),
        str(metadata["status"]) if "status" in metadata else None,
        tuple(map(str, metadata.get("mesh") or ())),
    )


def answer_from_data(row: Mapping[str, Any]) -> Answer:
    """An answer out of a file: :meth:`Answer.as_data`, or fewer of its fields.

    ``evidence`` may be a list of document ids, or of objects with ``document_id``, ``text``, ``status`` and ``mesh``.

    Raises:
        InputError: a field is missing or of the wrong kind.
    """
    text = row.get("text")
    if not isinstance(text, str):
        raise InputError(f"an answer needs its text as a string under 'text', got {text!r}.")
    evidence = row.get("evidence")
    cited = row.get("cited")
    return Answer(
        text,
        None if evidence is None else tuple(_evidence_from_data(piece) for piece in _list(evidence, "evidence")),
        None if cited is None else tuple(map(str, _list(cited, "cited"))),
        row.get("abstained"),
        str(row.get("answered_by", "")),
        row.get("prompt_tokens"),
        row.get("answer_tokens"),
        row.get("seconds"),
        _mapping(row.get("verifier"), "verifier"),
    )


def _evidence_from_data(piece: Any) -> Evidence:
    if isinstance(piece, str):
        return Evidence(piece)
    if isinstance(piece, dict) and isinstance(piece.get("document_id"), str):
        return Evidence(piece["document_id"], piece.get("text", ""), piece.get("status"), tuple(piece.get("mesh", ())))
    raise InputError(f"evidence must be document ids such as 'PMID:123', or objects with 'document_id', got {piece!r}.")


def _mapping(value: Any, name: str) -> Mapping[str, Any] | None:
    if not (value is None or isinstance(value, Mapping)):
        raise InputError(f"'{name}' must be an object, got {value!r}.")
    return value


def _list(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise InputError(f"'{name}' must be a list, got {value!r}.")
    return value
