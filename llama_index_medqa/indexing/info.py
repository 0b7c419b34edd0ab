"""A summary of an index."""

from collections import Counter
from dataclasses import dataclass
from datetime import date

from llama_index_medqa.indexing.identity import stored_as_of, stored_baseline, stored_identity
from llama_index_medqa.vector_store.chunk_store import ChunkStore


@dataclass(frozen=True)
class IndexInfo:
    """The content and the identity of an index.

    Attributes:
        documents: number of documents.
        chunks: number of chunks.
        statuses: number of documents by status, such as ``current`` or ``retracted``.
        years: earliest and latest publication year; None where no document has one.
        identity: embedder, splitter and schema, as compared on opening, in the order of their names.
        as_of: the day whose state of PubMed every record has at least; None where a source stated none.
        baseline: which files of PubMed's baseline it holds, in words; None where it was not built from them.
    """

    documents: int
    chunks: int
    statuses: dict[str, int]
    years: tuple[int, int] | None
    identity: dict[str, str | int]
    as_of: date | None
    baseline: str | None = None


def describe(store: ChunkStore) -> IndexInfo:
    """Count what an index holds, without its embedder.

    One row of each document is read, a page at a time.

    Raises:
        IndexIdentityError: the collection was not built by llama-index-medqa.
    """
    identity = stored_identity(store)
    ids, baseline = store.ids(), stored_baseline(store)
    statuses: Counter[str] = Counter()
    years: set[int] = set()
    for _, row in store.each_metadata([node_id for node_id in ids if node_id.endswith("#0")]):
        statuses[str(row.get("status", "current"))] += 1
        if "year" in row:
            years.add(int(row["year"]))
    return IndexInfo(
        documents=statuses.total(),
        chunks=len(ids),
        # Engines keep no order of either.
        statuses=dict(sorted(statuses.items())),
        years=(min(years), max(years)) if years else None,
        identity=dict(sorted(identity.items())),
        as_of=stored_as_of(store),
        baseline=str(baseline) if baseline else None,
    )
