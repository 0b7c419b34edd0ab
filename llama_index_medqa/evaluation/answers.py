"""Answers of a system under test, as measures read them."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from llama_index.core.base.response.schema import Response
from llama_index.core.schema import NodeWithScore

from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.document_ids import are_pmids, canonical_id, is_by_chance, pmid_of_metadata
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
        file: path of the file that the document was read from, as LlamaIndex's readers note it; empty where unknown.
    """

    document_id: str
    text: str = ""
    status: str | None = None
    mesh: tuple[str, ...] = ()
    pmid: str = ""
    file: str = ""

    def name_like(self, gold: Collection[str]) -> str:
        """Return the name of the document that can be compared with gold ids.

        It is the id, PMID, path or file name that is among them; else the PMID where gold documents are named so, and
        the file name in place of an id that was made by chance.

        Args:
            gold: ids of the right documents, canonical.
        """
        names = (self.document_id, f"PMID:{self.pmid}", self.file, file_name(self.file))
        if right := next((name for name in map(canonical_id, names) if name and name in gold), None):
            return right
        if self.pmid and are_pmids(gold):
            return canonical_id(self.pmid)
        by_chance = is_by_chance(self.document_id) or self.document_id.startswith(self.file or "\0")
        return canonical_id(file_name(self.file) if self.file and by_chance else self.document_id)


def file_name(path: str) -> str:
    """Return the last part of a path of any system."""
    return re.split(r"[/\\]", path)[-1]


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        text: the answer.
        evidence: what was retrieved, the best first; None where the system does not report it.
        cited: ids of the cited documents, in the order of the answer; None where the system does not report it.
        abstained: why there is no answer; None where there is one.
        answered_by: name of the model; empty where unknown.
        prompt_tokens: tokens that models read for it; None where they do not report it.
        answer_tokens: tokens that models wrote for it; None where they do not report it.
        seconds: time that it took; None where unknown.
        verifier: identity of the verifier that decided which sentences were kept; None where none did, or it is
            unknown.
        items: the names or numbers that it gives in short, the best first; None where the system gives none apart from
            its text.
        confidence: how sure the system is; more is surer; None where it does not tell.
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
    items: tuple[str, ...] | None = None
    confidence: float | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether the answer has no text.

        An empty answer is neither an answer nor an abstention.
        """
        return not (self.abstained or self.text.strip())

    @property
    def ranking(self) -> list[str] | None:
        """Return the documents of the evidence, best first.

        Each document counts once. None where the evidence is unknown.
        """
        if self.evidence is None or not all(piece.document_id for piece in self.evidence):
            return None
        return list(dict.fromkeys(piece.document_id for piece in self.evidence))

    def ranking_like(self, gold: Collection[str]) -> list[str] | None:
        """Return :attr:`ranking` with ids comparable to gold ids.

        Ids are canonical; PMIDs, or names of files, where gold documents are named so.

        Args:
            gold: ids of the right documents.
        """
        if self.evidence is None:
            return None
        names = self._names_like(gold)
        ids = [names[piece] for piece in self.evidence]
        return list(dict.fromkeys(ids)) if all(ids) else None

    def cited_like(self, gold: Collection[str]) -> list[str] | None:
        """Return the cited documents as :meth:`ranking_like` does."""
        if self.cited is None:
            return None
        names = {piece.document_id: name for piece, name in self._names_like(gold).items()}
        return list(dict.fromkeys(names.get(one) or canonical_id(one) for one in self.cited))

    def _names_like(self, gold: Collection[str]) -> dict[Evidence, str]:
        right = set(map(canonical_id, gold))
        return {piece: piece.name_like(right) for piece in self.evidence or ()}

    @property
    def tokens(self) -> int | None:
        """Return the tokens read and written; None if unknown."""
        known = [count for count in (self.prompt_tokens, self.answer_tokens) if count is not None]
        return sum(known) if known else None

    def as_data(self) -> dict[str, Any]:
        """Return the answer as JSON values."""
        known = {key: value for key, value in asdict(self).items() if value not in (None, "")}
        return {"text": self.text, **known}


def answer_of(response: Response) -> Answer:
    """Convert a response of a LlamaIndex query engine.

    A :class:`MedQAResponse` has more fields than others.

    Args:
        response: whole, not a stream.
    """
    text = str(response.response or "")
    evidence = tuple(_evidence(item) for item in response.source_nodes)
    if isinstance(response, MedQAResponse):
        cited = dict.fromkeys(citation.document_id for citation in response.citations)
        verifier = (response.identity.verifier if response.identity else None) or None
        exact = response.exact_answer
        items = tuple(item.text for item in exact.items) if exact and exact.items else None
        known: dict[str, Any] = {"verifier": verifier, "items": items, "confidence": response.confidence}
        answer = Answer(text, evidence, tuple(cited), response.abstained, response.answered_by, **known)
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
        _file(metadata),
    )


def _file(metadata: Mapping[str, Any]) -> str:
    return str(metadata.get("file_path") or metadata.get("file_name") or "")


def _other_pmid(document_id: str, *metadatas: Mapping[str, Any]) -> str:
    pmid = next(filter(None, map(pmid_of_metadata, metadatas)), "")
    return pmid if canonical_id(document_id) != f"PMID:{pmid}" else ""


def answer_from_data(row: Mapping[str, Any]) -> Answer:
    """Read an answer that :meth:`Answer.as_data` wrote.

    Fields may be missing.

    ``evidence`` may be a list of document ids, or of objects with ``document_id`` (or ``pmid``, there or under
    ``metadata``), ``text``, ``status`` and ``mesh``. ``failure`` or ``error`` is how the system failed.

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
        None if row.get("items") is None else tuple(map(str, _list(row["items"], "items"))),
        _finite(_number(row, "confidence")),
    )


def failure_from_data(row: Mapping[str, Any]) -> str:
    """Return how a system failed, by a row of a file.

    The row's ``failure`` or ``error`` is a text, an object or ``true``. Empty where it names no failure.
    """
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
            str(piece.get("file") or "") or _file(metadata),
        )
    raise InputError(f"evidence must be document ids such as 'PMID:123', or objects with 'document_id', got {piece!r}.")


def _abstention(text: str) -> str | None:
    return "empty response" if text.strip() == _EMPTY_RESPONSE else None


def _number(row: Mapping[str, Any], name: str) -> float | None:
    """Convert a number of a file, which may be a text.

    NaN is taken as it is: it is no error of the file.
    """
    value = row.get(name)
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"'{name}' must be a number, got {value!r}.") from error


def _count(row: Mapping[str, Any], name: str) -> int | None:
    number = _finite(_number(row, name))
    return None if number is None else int(number)


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _mapping(value: Any, name: str) -> Mapping[str, Any] | None:
    if not (value is None or isinstance(value, Mapping)):
        raise InputError(f"'{name}' must be an object, got {value!r}.")
    return value


def _list(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise InputError(f"'{name}' must be a list, got {value!r}.")
    return value
