"""An answer as plain data for machines, and as rows of sources for people."""

from dataclasses import asdict, dataclass
from typing import Any

from llama_index_medqa.freshness import ATTRIBUTION
from llama_index_medqa.response import MedQAResponse
from llama_index_medqa.retriever import RetrievedChunk

ABSTENTION_REASONS = {
    "no_evidence": "No retrieved record speaks of what was asked.",
    "model_declined": "The model found no answer in the retrieved records.",
    "nothing_supported": "Nothing that was drafted is supported by the retrieved records.",
}


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
        document_id = item.node.ref_doc_id or item.node.node_id
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
    return {
        "question": question,
        "answer": response.response,
        "abstained": response.abstained,
        "answered_by": response.answered_by,
        "sentences": [asdict(sentence) for sentence in response.sentences],
        "dropped": [sentence.text for sentence in response.dropped],
        "cut_off": response.cut_off,
        "evidence_left_out": response.evidence_left_out,
        "sources": [asdict(source) for source in sources(response)],
        "as_of": response.as_of.isoformat() if response.as_of else None,
        "source": ATTRIBUTION,
        "seconds": response.seconds,
    }
