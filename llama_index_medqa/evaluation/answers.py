"""What a system under test said to a question: text, evidence and citations, as measures read them."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from llama_index.core.base.response.schema import Response
from llama_index.core.schema import NodeWithScore

from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.document_ids import are_pmids, canonical_id, pmid_of_metadata
from llama_index_medqa.verification.passages import document_id_of

# What LlamaIndex's own synthesizers say when nothing was retrieved.
_EMPTY_RESPONSE = "Empty Response"

NO_ANSWER = "no answer was stored"
"""The failure of a system of which a file holds a case, and nothing where the answer would be."""


@dataclass(frozen=True)
class Evidence:
    """A retrieved text.

    Attributes:
        document_id: of its document, such as ``PMID:123``; empty where unknown.
        text: as it was retrieved; empty where only the document is known.
        status: of the document, such as ``current`` or ``retracted``; None where unknown.
        mesh: MeSH headings of the document; empty where unknown.
        pmid: of the document, where its id is another one; else empty.
    """

    document_id: str
    text: str = ""
    status: str | None = None
    mesh: tuple[str, ...] = ()
    pmid: str = ""


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
        failure: how the system failed, such as ``timeout``; empty where it answered.
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
    failure: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said, which is neither an answer nor an abstention."""
        return not (self.abstained or self.text.strip())

    @property
    def ranking(self) -> list[str] | None:
        """The documents of the evidence, the best first, each once; None where unknown."""
        if self.evidence is None or not all(piece.document_id for piece in self.evidence):
            return None
        return list(dict.fromkeys(piece.document_id for piece in self.evidence))

    def ranking_like(self, gold: Collection[str]) -> list[str] | None:
        """As :attr:`ranking`, with canonical ids, and as PMIDs where gold documents are named so.

        Args:
            gold: ids of the right documents.
        """
        if self.evidence is None:
            return None
        names = self._names_like(gold)
        ids = [names[piece] for piece in self.evidence]
        return list(dict.fromkeys(ids)) if all(ids) else None

    def cited_like(self, gold: Collection[str]) -> list[str] | None:
        """The cited documents, in the same way."""
        if self.cited is None:
            return None
        names = {piece.document_id: name for piece, name in self._names_like(gold).items()}
        return list(dict.fromkeys(names.get(one) or canonical_id(one) for one in self.cited))

    def _names_like(self, gold: Collection[str]) -> dict[Evidence, str]:
        by_pmid = are_pmids(gold)
        return {
            piece: canonical_id(piece.pmid if by_pmid and piece.pmid else piece.document_id)
            for piece in self.evidence or ()
        }

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
    return Answer(text, evidence, abstained=_abstention(text))


def _evidence(item: NodeWithScore) -> Evidence:
    metadata, document_id = item.node.metadata, document_id_of(item.node)
    return Evidence(
        document_id,
        item.node.get_content(),
        str(metadata["status"]) if "status" in metadata else None,
        tuple(map(str, metadata.get("mesh") or ())),
        _other_pmid(document_id, metadata),
    )


def _other_pmid(document_id: str, *metadatas: Mapping[str, Any]) -> str:
    pmid = next(filter(None, map(pmid_of_metadata, metadatas)), "")
    return pmid if canonical_id(document_id) != f"PMID:{pmid}" else ""


def answer_from_data(row: Mapping[str, Any]) -> Answer:
    """An answer out of a file: :meth:`Answer.as_data`, or fewer of its fields.

    ``evidence`` may be a list of document ids, or of objects with ``document_id`` (or ``pmid``, there or under
    ``metadata``), ``text``, ``status`` and ``mesh``. ``failure`` or ``error`` says that the system failed, and how.

    Raises:
        InputError: a field is missing or of the wrong kind.
    """
    text, failure = row.get("text"), failure_from_data(row)
    if (failure or "text" in row) and (text is None or (isinstance(text, float) and math.isnan(text))):
        text, failure = "", failure or NO_ANSWER
    if not isinstance(text, str):
        raise InputError(f"an answer needs its text as a string under 'text', got {text!r}.")
    evidence = row.get("evidence")
    cited = row.get("cited")
    return Answer(
        text,
        None if evidence is None else tuple(_evidence_from_data(piece) for piece in _list(evidence, "evidence")),
        None if cited is None else tuple(map(str, _list(cited, "cited"))),
        row.get("abstained") or _abstention(text),
        str(row.get("answered_by") or ""),
        _count(row, "prompt_tokens"),
        _count(row, "answer_tokens"),
        _number(row, "seconds"),
        _mapping(row.get("verifier"), "verifier"),
        failure,
    )


def failure_from_data(row: Mapping[str, Any]) -> str:
    """How a system failed, by the ``failure`` or ``error`` of a row: a text, an object or ``true``; empty for none."""
    value = row.get("failure") or row.get("error")
    if not value or value is True:
        return "no reason told" if value else ""
    if isinstance(value, Mapping):
        value = ": ".join(str(part) for part in value.values() if part)
    return " ".join(str(value).split())


def _evidence_from_data(piece: Any) -> Evidence:
    if isinstance(piece, str | int):
        return Evidence(str(piece))
    if isinstance(piece, dict):
        metadata = _mapping(piece.get("metadata"), "metadata") or {}
        document_id, text = str(piece.get("document_id") or ""), str(piece.get("text") or "")
        mesh = tuple(map(str, _list(piece.get("mesh") or (), "mesh")))
        pmid = _other_pmid(document_id, piece, metadata)
        return Evidence(
            document_id or (f"PMID:{pmid}" if pmid else ""),
            text,
            piece.get("status"),
            mesh,
            pmid if document_id else "",
        )
    raise InputError(f"evidence must be document ids such as 'PMID:123', or objects with 'document_id', got {piece!r}.")


def _abstention(text: str) -> str | None:
    return "empty response" if text.strip() == _EMPTY_RESPONSE else None


def _number(row: Mapping[str, Any], name: str) -> float | None:
    """A number of a file, which may be written as a text; one that is none, such as NaN, is no error of the file."""
    value = row.get(name)
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"'{name}' must be a number, got {value!r}.") from error


def _count(row: Mapping[str, Any], name: str) -> int | None:
    number = _number(row, name)
    if number is None or not math.isfinite(number):
        return None
    return int(number)


def _mapping(value: Any, name: str) -> Mapping[str, Any] | None:
    if not (value is None or isinstance(value, Mapping)):
        raise InputError(f"'{name}' must be an object, got {value!r}.")
    return value


def _list(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise InputError(f"'{name}' must be a list, got {value!r}.")
    return value
