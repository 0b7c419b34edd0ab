"""The index: a LlamaIndex vector index over a Chroma collection that knows how it was built."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.data_structs.data_structs import IndexDict
from llama_index.core.ingestion import run_transformations
from llama_index.core.schema import BaseNode, Document, TransformComponent
from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters

from llama_index_medqa.embedding import TransformerEmbedding
from llama_index_medqa.errors import EmptyCorpusError, InputError
from llama_index_medqa.index_identity import identity_of, require_same, stored_as_of, stored_identity, write_identity
from llama_index_medqa.node_parser import TokenNodeParser, record_hash, stable_node_id
from llama_index_medqa.pubmed.record import Deletion
from llama_index_medqa.vector_store import PubMedVectorStore

DOCUMENTS_PER_BATCH = 64


@dataclass
class IngestReport:
    """What became of the documents of one ingestion, in documents, and of their chunks.

    Attributes:
        added: documents that were not in the index.
        updated: documents whose record had changed, or whose chunks were not all there.
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
        """Documents seen so far."""
        return self.added + self.updated + self.unchanged + self.outdated + self.empty + self.deleted


@dataclass(frozen=True)
class IndexInfo:
    """What an index holds, and with which identity it was built.

    Attributes:
        documents: number of documents.
        chunks: number of chunks.
        statuses: number of documents by status, such as ``current`` or ``retracted``.
        years: earliest and latest publication year; None where no document has one.
        identity: embedder, splitter and schema, as compared on opening.
        as_of: the day whose state of PubMed every record has at least; None where a source did not tell.
    """

    documents: int
    chunks: int
    statuses: dict[str, int]
    years: tuple[int, int] | None
    identity: dict[str, str | int]
    as_of: date | None


class PubMedIndex(VectorStoreIndex):
    """A vector index whose Chroma collection is the only truth: no second store that could disagree with it.

    The collection carries the identity of the embedder and the splitter. Opening it with another one is an error
    before any query runs. Ingestion writes the difference only: it can be interrupted at any moment and run again.

    Use :meth:`open` for an index on disk or on a Chroma server. The constructor takes LlamaIndex's own arguments.

    Args:
        nodes: chunks to add at once.
        storage_context: must hold a :class:`PubMedVectorStore`.
        embed_model: embedder for passages and queries.
        transformations: must hold a :class:`TokenNodeParser`, or be left out; then the settings stored in the
            collection apply, and those of a new collection are 128 tokens with 64 of overlap.
        kwargs: LlamaIndex's further arguments.

    Raises:
        InputError: no :class:`PubMedVectorStore`, or no splitter can be derived.
        IndexIdentityError: the collection was built with something else.
    """

    def __init__(
        self,
        nodes: Sequence[BaseNode] | None = None,
        *,
        storage_context: StorageContext | None = None,
        embed_model: BaseEmbedding | None = None,
        transformations: list[TransformComponent] | None = None,
        index_struct: IndexDict | None = None,
        **kwargs: Any,
    ) -> None:
        store = storage_context.vector_store if storage_context else None
        if not isinstance(store, PubMedVectorStore):
            raise InputError(
                "PubMedIndex needs a PubMedVectorStore: use PubMedIndex.open(FOLDER, embed_model=...), or "
                "StorageContext.from_defaults(vector_store=PubMedVectorStore(persist_dir=FOLDER))."
            )
        if not isinstance(embed_model, BaseEmbedding):
            raise InputError("PubMedIndex needs embed_model=, a LlamaIndex embedding such as E5Embedding.")
        stored = stored_identity(store)
        parser = _node_parser(transformations or [], embed_model, stored)
        identity = identity_of(embed_model, parser)
        if stored and store.collection.count():
            require_same(stored, identity, store)
        else:
            write_identity(store, identity)
        self._identity = identity
        self._node_parser = parser
        super().__init__(
            nodes=nodes if nodes is not None or index_struct is not None else [],
            storage_context=storage_context,
            embed_model=embed_model,
            transformations=transformations or [parser],
            index_struct=index_struct,
            **kwargs,
        )

    @classmethod
    def open(
        cls,
        persist_dir: str | None = None,
        *,
        embed_model: BaseEmbedding,
        node_parser: TokenNodeParser | None = None,
        create: bool = False,
        **store_arguments: Any,
    ) -> "PubMedIndex":
        """Opens an index on disk (``persist_dir``) or on a Chroma server (``host``, ``port``).

        Args:
            persist_dir: folder of the index.
            embed_model: the embedder that the index was, or is to be, built with.
            node_parser: the splitter; left out, the stored settings apply.
            create: whether to create a missing index.
            store_arguments: further arguments of :class:`PubMedVectorStore`.

        Raises:
            IndexNotFoundError: there is no index, and ``create`` is False.
            IndexIdentityError: the index was built with something else.
        """
        store = PubMedVectorStore(persist_dir=persist_dir, create=create, **store_arguments)
        return cls(
            storage_context=StorageContext.from_defaults(vector_store=store),
            embed_model=embed_model,
            transformations=[node_parser] if node_parser else None,
        )

    @classmethod
    def from_documents(  # type: ignore[override]  # LlamaIndex's returns a type variable that mypy cannot narrow
        cls,
        documents: Sequence[Document],
        storage_context: StorageContext | None = None,
        *,
        persist_dir: str | None = None,
        **kwargs: Any,
    ) -> "PubMedIndex":
        """Builds, or brings up to date, an index from documents.

        Args:
            documents: documents of :class:`PubMedReader`, or with stable ids of your own.
            storage_context: holds a :class:`PubMedVectorStore`; or give ``persist_dir``.
            persist_dir: folder of the index.
            kwargs: arguments of the constructor, ``embed_model`` among them.
        """
        if persist_dir is not None:
            storage_context = StorageContext.from_defaults(vector_store=PubMedVectorStore(persist_dir=persist_dir))
        index = cls(storage_context=storage_context, **kwargs)
        index.ingest(documents)
        return index

    @property
    def store(self) -> PubMedVectorStore:
        """The vector store."""
        store = self._vector_store
        assert isinstance(store, PubMedVectorStore)  # noqa: S101  # the constructor has checked it
        return store

    @property
    def node_parser(self) -> TokenNodeParser:
        """The splitter."""
        return self._node_parser

    @property
    def identity(self) -> dict[str, str | int]:
        """Embedder, splitter and schema: what the collection carries and what opening compares."""
        return dict(self._identity)

    def ingest(
        self,
        documents: Iterable[Document | Deletion],
        *,
        progress: Callable[[IngestReport], None] | None = None,
    ) -> IngestReport:
        """Brings the index up to date with documents, writing only what is new or changed.

        Killing the process at any moment and calling this again with the same documents gives the same index as an
        undisturbed run. Documents that are not given stay as they are.

        Args:
            documents: documents with stable ids, and deletions; read lazily, a batch at a time. Of several with one
                id the last counts.
            progress: called after every batch with the report so far.

        Raises:
            EmptyCorpusError: there is no document at all.
        """
        report = IngestReport()
        read = False
        for batch in _batched(documents, DOCUMENTS_PER_BATCH):
            read = True
            latest = {_document_id(item): item for item in batch}
            self._ingest_batch([item for item in latest.values() if isinstance(item, Document)], report)
            gone = self.remove_documents([item.document_id for item in latest.values() if isinstance(item, Deletion)])
            report.deleted += len(gone)
            if progress:
                progress(report)
        if not read:
            raise EmptyCorpusError("There is nothing to index: the input holds no document.")
        return report

    def remove_documents(self, document_ids: Iterable[str]) -> set[str]:
        """Removes documents with all their chunks.

        Args:
            document_ids: such as ``PMID:123``; those that are not in the index are passed over.

        Returns:
            The ids that were in the index.
        """
        counts = _stored_counts(self._heads(document_ids))
        # The first chunk goes last: as long as it is there, a run that was stopped here is known to be unfinished.
        self.store.remove([f"{name}#{number}" for name in counts for number in reversed(range(counts[name]))])
        return set(counts)

    def info(self) -> IndexInfo:
        """Counts what the index holds; see :func:`describe`."""
        return describe(self.store)

    @property
    def as_of(self) -> date | None:
        """The day whose state of PubMed every record has at least; None where a source did not tell."""
        return stored_as_of(self.store)

    def document_ids(self) -> list[str]:
        """The ids of all documents, in the order of the database."""
        ids = self.store.collection.get(include=[])["ids"]
        return [node_id.removesuffix("#0") for node_id in ids if node_id.endswith("#0")]

    def as_retriever(
        self, *, filters: MetadataFilters | None = None, include_retracted: bool = False, **kwargs: Any
    ) -> BaseRetriever:
        """A retriever over the index.

        Args:
            filters: LlamaIndex metadata filters on year, journal, mesh, publication_types and so on.
            include_retracted: whether retracted papers may be found; by default they are left out.
            kwargs: LlamaIndex's further arguments, such as ``similarity_top_k``.
        """
        if not include_retracted:
            not_retracted = MetadataFilter(key="status", value="retracted", operator=FilterOperator.NE)
            filters = MetadataFilters(filters=[not_retracted, *([filters] if filters else [])])
        return super().as_retriever(filters=filters, **kwargs)

    def insert(self, document: Document, **insert_kwargs: Any) -> None:
        """LlamaIndex's name for :meth:`ingest` of one document."""
        self.ingest([document])

    async def ainsert(self, document: Document, **insert_kwargs: Any) -> None:
        """As :meth:`insert`, without blocking the event loop."""
        await asyncio.to_thread(self.ingest, [document])

    def refresh_ref_docs(self, documents: Sequence[Document], **update_kwargs: Any) -> list[bool]:
        """LlamaIndex's name for :meth:`ingest`.

        Returns:
            For each document whether it was written.
        """
        present = self._present(documents, self._heads(document.node_id for document in documents))
        self.ingest(documents)
        return [document.node_id not in present for document in documents]

    def _ingest_batch(self, batch: Sequence[Document], report: IngestReport) -> None:
        heads = self._heads(document.node_id for document in batch)
        outdated = {document.node_id for document in batch if _is_outdated(document, heads)}
        present = self._present([document for document in batch if document.node_id not in outdated], heads)
        missing = [document for document in batch if document.node_id not in outdated | present]
        nodes = run_transformations(missing, self._transformations)
        counts = Counter(node.ref_doc_id for node in nodes)
        stored_counts = _stored_counts(heads)
        stale_ids = [
            stable_node_id(number, document)
            for document in missing
            for number in range(counts[document.node_id], stored_counts[document.node_id])
        ]
        self._write(nodes, stale_ids)
        report.unchanged += len(present)
        report.outdated += len(outdated)
        for document in missing:
            if not counts[document.node_id]:
                report.empty += 1
            elif stored_counts[document.node_id]:
                report.updated += 1
            else:
                report.added += 1
        report.chunks_written += len(nodes)
        report.chunks_removed += len(stale_ids)

    def _write(self, nodes: Sequence[BaseNode], stale_ids: list[str]) -> None:
        """Writes chunks so that a document's first chunk is the last of it to change.

        Whoever finds a first chunk of the current record hash may then rely on the others; see :meth:`_present`.
        """
        if nodes:
            self._embed_model(nodes)
        if not nodes and not stale_ids:
            return
        with self.store.writing():
            self.store.add([node for node in nodes if not node.node_id.endswith("#0")])
            self.store.remove(stale_ids)
            self.store.add([node for node in nodes if node.node_id.endswith("#0")])

    def _heads(self, document_ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        """Metadata of the first two chunks of documents, by chunk id; a run that was stopped may lack the first."""
        return self.store.metadata_of([f"{document_id}#{number}" for document_id in document_ids for number in (0, 1)])

    def _present(self, documents: Sequence[Document], heads: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """Ids of the documents of which all chunks of the current record hash are stored."""
        hashes = {document.node_id: record_hash(document) for document in documents}
        chunk_ids = {
            document_id: [f"{document_id}#{number}" for number in range(int(first.get("chunk_count", 0)))]
            for document_id in hashes
            if (first := heads.get(f"{document_id}#0")) and first.get("record_hash") == hashes[document_id]
        }
        stored = self.store.metadata_of([chunk_id for ids in chunk_ids.values() for chunk_id in ids])
        return {
            document_id
            for document_id, ids in chunk_ids.items()
            if all(
                chunk_id in stored and stored[chunk_id].get("record_hash") == hashes[document_id] for chunk_id in ids
            )
        }


def describe(store: PubMedVectorStore) -> IndexInfo:
    """Counts what an index holds, without its embedder. Reads one row for each document.

    Raises:
        IndexIdentityError: the collection was not built by llama-index-medqa.
    """
    identity = stored_identity(store)
    ids = store.collection.get(include=[])["ids"]
    first_chunks = store.metadata_of([node_id for node_id in ids if node_id.endswith("#0")])
    years = [int(row["year"]) for row in first_chunks.values() if "year" in row]
    return IndexInfo(
        documents=len(first_chunks),
        chunks=len(ids),
        statuses=dict(Counter(str(row.get("status", "current")) for row in first_chunks.values())),
        years=(min(years), max(years)) if years else None,
        identity=identity,
        as_of=stored_as_of(store),
    )


def _stored_counts(heads: Mapping[str, Mapping[str, Any]]) -> Counter[str]:
    """How many chunks are stored of each document, told by its first two."""
    counts: Counter[str] = Counter()
    for node_id, row in heads.items():
        document_id = node_id.rpartition("#")[0]
        counts[document_id] = max(counts[document_id], int(row.get("chunk_count", 0)))
    return counts


def _is_outdated(document: Document, heads: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the index holds a later revision of the document; where a source does not tell, the last one counts."""
    stored = heads.get(f"{document.node_id}#0", {}).get("revised")
    given = document.metadata.get("revised")
    return stored is not None and given is not None and int(given) < int(stored)


def _document_id(item: Document | Deletion) -> str:
    return item.document_id if isinstance(item, Deletion) else item.node_id


def _batched(items: Iterable[Document | Deletion], size: int) -> Iterator[list[Document | Deletion]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _node_parser(
    transformations: list[TransformComponent], embed_model: BaseEmbedding, stored: Mapping[str, str | int]
) -> TokenNodeParser:
    parsers = [step for step in transformations if isinstance(step, TokenNodeParser)]
    if parsers:
        return parsers[0]
    if transformations or not isinstance(embed_model, TransformerEmbedding):
        raise InputError(
            "PubMedIndex splits with a TokenNodeParser: give one, with the tokenizer of your embedder, as node_parser= "
            "of PubMedIndex.open or among the transformations."
        )
    settings = {key: stored[key] for key in ("chunk_size", "chunk_overlap") if key in stored}
    return TokenNodeParser(tokenizer=embed_model.model_name, **settings)
