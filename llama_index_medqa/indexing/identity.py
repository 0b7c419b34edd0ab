"""The identity of an index: how it was built, from which files of PubMed's baseline, and as of which day."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import TransformComponent

from llama_index_medqa.embeddings.embedding import TransformerEmbedding
from llama_index_medqa.errors import IndexIdentityError, IndexNotFoundError, InputError
from llama_index_medqa.indexing.node_parser import TokenNodeParser
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.vector_store.chunk_store import ChunkStore

_logger = logger_of(__name__)

# 1: LlamaIndex's rows, each node whole beside its metadata. 2: each fact once; see row_codec.
SCHEMA_VERSION = 2

# Keys of the collection's metadata that are ours; a collection may carry others.
_IDENTITY_PREFIX = "medqa_"
# Where the day of an index lay before every source had a row for its own.
_AS_OF_KEY = "pubmed_as_of"
_IMPORT_KEY = "pubmed_import"
_BASELINE_KEY = "pubmed_baseline"


def identity_of(embed_model: BaseEmbedding, parser: TokenNodeParser) -> dict[str, str | int]:
    """Return what decides the vectors and the chunks.

    Embedder, splitter and schema.
    """
    if isinstance(embed_model, TransformerEmbedding):
        embedder = embed_model.identity()
    else:
        name = f"{embed_model.class_name()}:{embed_model.model_name}"
        dimension = len(embed_model.get_query_embedding("dimension"))
        embedder = {"embedder": name, "weights": name, "dimension": dimension}
    return {"schema_version": SCHEMA_VERSION, **embedder, **parser.identity()}


def stored_identity(store: ChunkStore) -> dict[str, str | int]:
    """Return the identity in a collection; empty for a new one.

    Raises:
        IndexIdentityError: it holds chunks but no identity, or an import into it is unfinished.
    """
    metadata = _metadata(store)
    if _IMPORT_KEY in metadata:
        raise IndexIdentityError(
            f"The index in {store.address} is an import or a copy that was interrupted: repeat `medqa import` with the "
            "same file, or `medqa copy`."
        )
    stored = {
        key.removeprefix(_IDENTITY_PREFIX): value for key, value in metadata.items() if key.startswith(_IDENTITY_PREFIX)
    }
    if not stored and store.count():
        raise IndexIdentityError(
            f"The collection {store.collection_name!r} was not built by llama-index-medqa: nothing says with which "
            "embedder. Use another folder or collection name. Or, if an IngestionPipeline with a TokenNodeParser "
            f"filled it, open it once by PubMedIndex.open({store.address!r}, embed_model=...), which notes it."
        )
    return stored


def carries_no_identity(store: ChunkStore) -> bool:
    """Return whether chunks are stored without an identity."""
    metadata = _metadata(store)
    named = any(key.startswith(_IDENTITY_PREFIX) or key == _IMPORT_KEY for key in metadata)
    return not named and store.count() > 0


def require_same(stored: Mapping[str, str | int], given: Mapping[str, str | int], store: ChunkStore) -> None:
    """Raise if an index was built with another identity.

    Raises:
        IndexIdentityError: they differ; the message names both values.
    """
    require_current_schema(stored, store)
    # The embedder's name is for people; the hash of its weights decides.
    different = [key for key in {**stored, **given} if key != "embedder" and stored.get(key) != given.get(key)]
    if not different:
        return
    details = "; ".join(f"{key} {stored.get(key)!r} in the index, {given.get(key)!r} given" for key in different)
    raise IndexIdentityError(
        f"The index in {store.address} was built with {stored.get('embedder')!r} and is opened with "
        f"{given.get('embedder')!r}, and they differ: {details}. Open it with what it was built with, or build a new "
        "index in another folder."
    )


def require_current_schema(stored: Mapping[str, str | int], store: ChunkStore) -> None:
    """Raise if an index has another schema than this version.

    Raises:
        IndexIdentityError: it is another.
    """
    version = stored.get("schema_version")
    if version == SCHEMA_VERSION:
        return
    advice = "it was written by a later version; upgrade with `pip install -U llama-index-medqa`"
    if isinstance(version, int) and version < SCHEMA_VERSION:
        advice = f"bring it up to date with `medqa migrate --index {store.address}`"
    raise IndexIdentityError(
        f"The index in {store.address} has schema version {version}, this version of llama-index-medqa needs "
        f"{SCHEMA_VERSION}: {advice}."
    )


def write_identity(store: ChunkStore, identity: Mapping[str, str | int]) -> None:
    """Store an identity in the collection."""
    known, given = _metadata(store), _prefixed(identity)
    # Chroma replaces the metadata as a whole. Nothing else is written there that another process could lose by it.
    if any(known.get(key) != value for key, value in given.items()):
        store.set_collection_metadata({**known, **given})


def stored_as_of(store: ChunkStore) -> date | None:
    """Return the day whose state of PubMed the index holds.

    It holds at least that. None where no source stated a day.
    """
    days = store.source_days().values()
    value = min(days) if days else _metadata(store).get(_AS_OF_KEY)
    return date.fromisoformat(str(value)) if value else None


def write_as_of(store: ChunkStore, as_of: date, *, replacing: Collection[str] | None = None) -> None:
    """Store the day of a source; the earliest of all counts.

    Args:
        store: the collection.
        as_of: the day.
        replacing: ids of the :meth:`~RowStore.source_days` that the source makes good, read before it was
            asked: what another writer notes meanwhile is not among them. None takes all that are there now.
    """
    store.note_source_day(as_of.isoformat(), store.source_days() if replacing is None else replacing)


def begin_import(store: ChunkStore, digest: str) -> None:
    """Mark a collection as the target of an import or a copy.

    Args:
        store: the collection, empty or marked before.
        digest: identifies the archive, or the index that is copied.

    Raises:
        InputError: the collection holds something else.
    """
    metadata = _metadata(store)
    if store.count() and metadata.get(_IMPORT_KEY) != digest:
        raise InputError(
            f"The index in {store.address} is not empty ({store.count()} chunks): import into another folder or "
            "server, or copy to one."
        )
    store.set_collection_metadata({_IMPORT_KEY: digest})


def finish_import(
    store: ChunkStore,
    identity: Mapping[str, str | int],
    as_of: date | None,
    baseline: "BaselineState | None" = None,
) -> None:
    """Turn an imported collection into an index."""
    if as_of:
        write_as_of(store, as_of)
    store.set_collection_metadata({**_prefixed(identity), **_noted(baseline)})


def _prefixed(identity: Mapping[str, str | int]) -> dict[str, str | int]:
    return {_IDENTITY_PREFIX + key: value for key, value in identity.items()}


def _metadata(store: ChunkStore) -> Mapping[str, Any]:
    return store.collection_metadata()


def settle_identity(store: ChunkStore, identity: Mapping[str, str | int]) -> None:
    """Compare the identity, or store it in an empty index.

    Args:
        store: the collection.
        identity: what the index is opened with.

    Raises:
        IndexIdentityError: the index was built with something else.
    """
    stored = stored_identity(store)
    if not (stored and store.count()):
        with store.sole_writer():
            # Another process may have begun to fill it while this one waited for its turn.
            stored = stored_identity(store)
            if not (stored and store.count()):
                write_identity(store, identity)
                return
    require_same(stored, identity, store)


def splitter_of(
    transformations: list[TransformComponent], embed_model: BaseEmbedding, stored: Mapping[str, str | int]
) -> TokenNodeParser:
    """Return the splitter of an index: the one that is given, or one with the stored settings.

    Args:
        transformations: steps that the user gave.
        embed_model: the embedder, whose tokenizer it takes.
        stored: the identity in the collection.

    Raises:
        InputError: no splitter can be derived.
    """
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


@dataclass(frozen=True)
class BaselineState:
    """Which files were applied.

    Attributes:
        year: of the files.
        last: the number of the last file that was applied; 0 for none.
        planned: the number of the last file that a run was to apply.
        day: the latest revision in all of them, as an ISO date.
        seconds: how long applying them took.
        size: how large they are, bytes.
        is_alone: that the index held nothing before.
    """

    year: int
    last: int = 0
    planned: int = 0
    day: str | None = None
    seconds: float = 0.0
    size: int = 0
    is_alone: bool = False

    @property
    def is_whole(self) -> bool:
        """Return whether every file was applied that a run was to apply."""
        return self.last >= self.planned

    def __str__(self) -> str:
        """Describe it in a phrase."""
        told = f"files 1 to {self.last} of {self.year}" if self.last else f"no file of {self.year} yet"
        return told if self.is_whole else f"{told}; the run to {self.planned} was stopped"


def stored_baseline(store: ChunkStore) -> BaselineState | None:
    """Return what an index knows; None where it was not built from these files."""
    stored = store.collection_metadata().get(_BASELINE_KEY)
    return BaselineState(**json.loads(str(stored))) if stored else None


def write_baseline(store: ChunkStore, state: BaselineState) -> None:
    """Store what is known. As the only writer."""
    store.set_collection_metadata({**store.collection_metadata(), **_noted(state)})


def _noted(state: BaselineState | None) -> dict[str, str]:
    return {_BASELINE_KEY: json.dumps(asdict(state))} if state else {}


def require_begun(store: ChunkStore) -> None:
    """Raise if a run of `medqa baseline` was stopped before it wrote anything; log where it was stopped later.

    Raises:
        IndexNotFoundError: there is nothing in the index yet.
    """
    state = stored_baseline(store)
    if state is None or state.is_whole:
        return
    if not store.count():
        raise IndexNotFoundError(
            f"The index in {store.address} holds nothing yet: `medqa baseline` was stopped before its first file was "
            "read. Repeat that command."
        )
    _logger.warning(
        "The index in %s does not hold all of PubMed's files that it was to hold (%s): repeat `medqa baseline`.",
        store.address,
        state,
    )
