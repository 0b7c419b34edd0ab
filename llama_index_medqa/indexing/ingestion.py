"""Ingestion: writing to a collection only what changed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.ingestion import run_transformations
from llama_index.core.schema import BaseNode, Document, TransformComponent
from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters

from llama_index_medqa.errors import EmptyCorpusError
from llama_index_medqa.indexing.node_parser import record_hash, stable_node_id
from llama_index_medqa.pubmed.record import Deletion
from llama_index_medqa.vector_store.chunk_store import ChunkStore

_Item = TypeVar("_Item")

# As many documents are looked up at once, and as many are split, embedded and written at once.
DOCUMENTS_PER_LOOKUP = 512
DOCUMENTS_PER_BATCH = 64
CHUNKS_PER_REPAIR = 256


@dataclass
class IngestReport:
    """Counts of an ingestion.

    In documents, and of their chunks.

    Attributes:
        added: documents that were not in the index.
        updated: documents whose record had changed, or whose chunks were not all there with their vectors.
        unchanged: documents that were there already.
        outdated: documents of which the index holds a later revision, which stays.
        empty: documents without text, of which nothing is stored.
        deleted: documents that were in the index and that the source declares deleted.
        chunks_written: chunks written.
        chunks_removed: chunks removed because their document is shorter now.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    outdated: int = 0
    empty: int = 0
    deleted: int = 0
    chunks_written: int = 0
    chunks_removed: int = 0

    @property
    def documents(self) -> int:
        """Return the number of documents so far."""
        return self.added + self.updated + self.unchanged + self.outdated + self.empty + self.deleted


@dataclass(frozen=True)
class Ingestion:
    """A collection, and how documents become its chunks.

    Of a document's chunks the first is the last to be written and the last to be removed. So whoever finds a first
    chunk knows how many there are to be, and a run that was killed anywhere is made good by the next.

    Attributes:
        store: the collection.
        transformations: make chunks of documents; a :class:`TokenNodeParser` is among them.
        embed_model: embeds them.
    """

    store: ChunkStore
    transformations: Sequence[TransformComponent]
    embed_model: BaseEmbedding

    def run(
        self, documents: Iterable[Document | Deletion], progress: Callable[[IngestReport], None] | None = None
    ) -> IngestReport:
        """Ingest documents; see :meth:`PubMedIndex.ingest`.

        Args:
            documents: documents with stable ids, and deletions. Of several with one id the last counts.
            progress: called after every batch with the report so far.

        Raises:
            EmptyCorpusError: there is no document at all.
        """
        report = IngestReport()
        tell = progress or (lambda _: None)
        read = False
        for block in _batched(documents, DOCUMENTS_PER_LOOKUP):
            read = True
            latest = {_document_id(item): item for item in block}
            given = [item for item in latest.values() if isinstance(item, Document)]
            self._ingest_block(given, report, tell)
            gone = self.remove([item.document_id for item in latest.values() if isinstance(item, Deletion)])
            report.deleted += len(gone)
            tell(report)
        if not read:
            raise EmptyCorpusError("There is nothing to index: the input holds no document.")
        return report

    def remove(self, document_ids: Iterable[str]) -> set[str]:
        """Remove documents with all their chunks.

        Returns:
            The ids that were in the collection.
        """
        counts = _stored_counts(self._heads(document_ids))
        self.store.remove([f"{name}#{number}" for name in counts for number in reversed(range(counts[name]))])
        return set(counts)

    def present(self, documents: Sequence[Document]) -> set[str]:
        """Return the ids of documents that are stored whole.

        All chunks of the current record hash are there, with their vectors.
        """
        hashes = {document.node_id: record_hash(document) for document in documents}
        heads = self.store.metadata_of([f"{document_id}#0" for document_id in hashes])
        counts = {
            document_id: int(head.get("chunk_count", 0))
            for document_id, given_hash in hashes.items()
            if (head := heads.get(f"{document_id}#0")) and head.get("record_hash") == given_hash
        }
        if not counts:
            return set()
        # Ids alone are read ten times as fast as metadata.
        wanted = [hashes[document_id] for document_id in counts]
        same_record = MetadataFilter(key="record_hash", operator=FilterOperator.IN, value=wanted)
        stored = set(self.store.ids(self.store.condition(MetadataFilters(filters=[same_record])).where))
        whole = {name: [f"{name}#{number}" for number in range(count)] for name, count in counts.items()}
        whole = {name: chunk_ids for name, chunk_ids in whole.items() if stored.issuperset(chunk_ids)}
        lacking = set(self.store.without_vectors([chunk_id for chunk_ids in whole.values() for chunk_id in chunk_ids]))
        return {name for name, chunk_ids in whole.items() if lacking.isdisjoint(chunk_ids)}

    def repair(self, sample: int | None, progress: Callable[[int, int], None] | None) -> int:
        """Embed lost vectors again; see :meth:`PubMedIndex.repair`."""
        ids = self.store.ids()
        step = 1 if sample is None else max(1, len(ids) // max(1, sample))
        lacking = self.store.without_vectors(ids[::step])
        if lacking and step > 1:
            lacking = self.store.without_vectors(ids)
        tell = progress or (lambda _done, _of: None)
        done = 0
        for batch in _batched(lacking, CHUNKS_PER_REPAIR):
            nodes = self.store.nodes(batch)
            self.embed_model(nodes)
            self.store.add(nodes)
            done += len(nodes)
            tell(done, len(lacking))
        return done

    def _ingest_block(
        self, block: Sequence[Document], report: IngestReport, tell: Callable[[IngestReport], None]
    ) -> None:
        present = self.present(block)
        report.unchanged += len(present)
        missing = [document for document in block if document.node_id not in present]
        for batch in _batched(missing, DOCUMENTS_PER_BATCH):
            self._ingest_batch(batch, report)
            tell(report)

    def _ingest_batch(self, batch: Sequence[Document], report: IngestReport) -> None:
        heads = self._heads(document.node_id for document in batch)
        current = [document for document in batch if not _is_outdated(document, heads)]
        nodes = run_transformations(current, self.transformations)
        counts = Counter(node.ref_doc_id for node in nodes)
        stored_counts = _stored_counts(heads)
        stale_ids = [
            stable_node_id(number, document)
            for document in current
            for number in reversed(range(counts[document.node_id], stored_counts[document.node_id]))
        ]
        self._write(nodes, stale_ids)
        report.outdated += len(batch) - len(current)
        for document in current:
            if not counts[document.node_id]:
                report.empty += 1
            elif stored_counts[document.node_id]:
                report.updated += 1
            else:
                report.added += 1
        report.chunks_written += len(nodes)
        report.chunks_removed += len(stale_ids)

    def _write(self, nodes: Sequence[BaseNode], stale_ids: list[str]) -> None:
        if not nodes and not stale_ids:
            return
        if nodes:
            self.embed_model(nodes)
        with self.store.writing():
            self.store.add([node for node in nodes if not node.node_id.endswith("#0")])
            self.store.remove(stale_ids)
            self.store.add([node for node in nodes if node.node_id.endswith("#0")])

    def _heads(self, document_ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        """Return the metadata of documents' first two chunks.

        By chunk id; a run that was stopped may lack the first.
        """
        return self.store.metadata_of([f"{document_id}#{number}" for document_id in document_ids for number in (0, 1)])


def _stored_counts(heads: Mapping[str, Mapping[str, Any]]) -> Counter[str]:
    """Count the stored chunks of each document.

    The first two chunks state the number.
    """
    counts: Counter[str] = Counter()
    for node_id, row in heads.items():
        document_id = node_id.rpartition("#")[0]
        counts[document_id] = max(counts[document_id], int(row.get("chunk_count", 0)))
    return counts


def _is_outdated(document: Document, heads: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether the index holds a later revision.

    Where a source states no revision, the last one counts.
    """
    stored = heads.get(f"{document.node_id}#0", {}).get("revised")
    given = document.metadata.get("revised")
    return stored is not None and given is not None and int(given) < int(stored)


def _document_id(item: Document | Deletion) -> str:
    return item.document_id if isinstance(item, Deletion) else item.node_id


def _batched(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
