"""Migration of an index of an earlier schema, in place."""

from collections.abc import Callable

from llama_index_medqa.indexing.identity import SCHEMA_VERSION, require_current_schema, stored_identity, write_identity
from llama_index_medqa.vector_store.chunk_store import ChunkStore
from llama_index_medqa.vector_store.row_codec import CONTENT_KEY, TYPE_KEY, to_node, to_row
from llama_index_medqa.vector_store.store import PubMedVectorStore

_OLD_SCHEMA = 1
_ROWS_PER_BATCH = 1_000
_OLD_ROWS = {TYPE_KEY: "TextNode"}


def migrate(store: ChunkStore, *, progress: Callable[[int, int], None] = lambda _done, _of: None) -> int:
    """Rewrite the metadata that schema 1 stored twice.

    Vectors and texts are not touched.

    Killing the process at any moment and calling this again goes on where it stopped: rows that are done no longer
    look like old ones, and the schema version is the last to be written.

    Args:
        store: the collection of the index; behind a server, one that nobody else writes to meanwhile.
        progress: called after every batch with the rows done and the rows to do.

    Returns:
        The number of rows rewritten.

    Raises:
        IndexIdentityError: the collection is not an index, or of a later schema.
    """
    with store.sole_writer():
        return _migrated(store, progress)


def _migrated(store: ChunkStore, progress: Callable[[int, int], None]) -> int:
    identity = stored_identity(store)
    if identity.get("schema_version") != _OLD_SCHEMA:
        require_current_schema(identity, store)
        return 0
    assert isinstance(store, PubMedVectorStore)  # noqa: S101  # no other engine ever had rows of that schema
    old = store.ids(_OLD_ROWS)
    for start in range(0, len(old), _ROWS_PER_BATCH):
        rows = store.rows(old[start : start + _ROWS_PER_BATCH])
        nodes = [to_node(row.node_id, row.text, row.metadata) for row in rows if CONTENT_KEY in row.metadata]
        store.rewrite_metadata({node.node_id: to_row(node) for node in nodes})
        progress(start + len(rows), len(old))
    write_identity(store, {**identity, "schema_version": SCHEMA_VERSION})
    return len(old)
