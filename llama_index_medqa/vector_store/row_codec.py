"""Conversion of nodes to rows of a Chroma collection and back.

A row is the vector, the text, and a flat metadata mapping that holds the node's metadata under their own keys, beside
them ``document_id``, ``_start`` and ``_end``. A node of
:class:`~llama_index_medqa.indexing.node_parser.TokenNodeParser` needs no more: how its keys are
ordered, what is kept out of embedding and prompt, and which chunks are its neighbours follows from these. Whatever
does not follow is kept as JSON under ``_node``. Nodes of other classes are kept as LlamaIndex does, whole under
``_node_content``.
"""

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from llama_index.core.schema import BaseNode, NodeRelationship, ObjectType, TextNode
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

if TYPE_CHECKING:
    from numpy.typing import NDArray

DOCUMENT_KEY = "document_id"
CONTENT_KEY, TYPE_KEY = "_node_content", "_node_type"

_START, _END, _REST = "_start", "_end", "_node"
_ROW_KEYS = frozenset({DOCUMENT_KEY, "doc_id", "ref_doc_id", CONTENT_KEY, TYPE_KEY, _START, _END, _REST})
_RESERVED = ("chroma:", "$", "#")
_SOURCE, _PREVIOUS, _NEXT = (
    str(kind.value) for kind in (NodeRelationship.SOURCE, NodeRelationship.PREVIOUS, NodeRelationship.NEXT)
)
# Half of the unit in the last place that is kept, in units of the last place of a float32.
_HALF = 1 << 3
_LARGEST_INTEGER = 2**63 - 1

_RECORD_KEYS = (
    *("pmid", "title", "journal", "year", "date", "doi", "authors", "volume", "issue", "pages", "mesh"),
    *("publication_types", "status", "revised", "record_hash", "section_spans"),
)
_CHUNK_KEYS = ("section", "chunk_count")
RECORD_FIELDS = frozenset({*_RECORD_KEYS, *_CHUNK_KEYS, DOCUMENT_KEY}) - {"section_spans"}
_ORDER = {key: number for number, key in enumerate((*_RECORD_KEYS, *_CHUNK_KEYS))}


def to_row(node: BaseNode) -> dict[str, Any]:
    """Convert a node to a row.

    Without its id, its text and its vector.
    """
    if type(node) is not TextNode:
        whole = node_to_metadata_dict(node, remove_text=True)
        return {key: value for key, value in whole.items() if key in _ROW_KEYS or _is_flat(key, value)}
    flat = {key: value for key, value in node.metadata.items() if _is_flat(key, value)}
    row: dict[str, Any] = {**flat, DOCUMENT_KEY: node.ref_doc_id or ""}
    spans = {_START: node.start_char_idx, _END: node.end_char_idx}
    row.update({key: value for key, value in spans.items() if value is not None})
    rest = _rest(node, flat, row)
    return {**row, _REST: json.dumps(rest, ensure_ascii=False)} if rest else row


def to_node(node_id: str, text: str, row: Mapping[str, Any]) -> BaseNode:
    """Convert a row to its node, without its vector."""
    if CONTENT_KEY in row:
        return metadata_dict_to_node(dict(row), text=text)
    rest: dict[str, Any] = json.loads(row[_REST]) if _REST in row else {}
    metadata = {**flat_metadata(row), **rest.pop("metadata", {})}
    order = rest.pop("order", None) or _ordered(metadata)
    fields = {**_expected_fields(node_id, row), **rest, "metadata": {key: metadata[key] for key in order}}
    return TextNode.model_validate({**fields, "id_": node_id, "text": text})


def rounded(vectors: Any) -> "NDArray[np.float32]":
    """Round vectors to the 20 bits that are stored.

    Chroma gives a vector back with its length divided out and multiplied in again, so that the last bits differ by
    what happened to it. Rounded before writing and after reading, every vector comes back as the same bits; its
    components change by less than a millionth of themselves.

    Args:
        vectors: one or more, of any floating type.

    Returns:
        The same shape, float32.
    """
    bits = np.array(vectors, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(_HALF)) & np.uint32(~(2 * _HALF - 1) & 0xFFFFFFFF)).view(np.float32)


def flat_metadata(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a node's metadata that filters see."""
    return {key: value for key, value in row.items() if key not in _ROW_KEYS}


def to_node_metadata(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return all metadata of the node of a row.

    Their order is kept for chunks of records only.
    """
    odd = json.loads(row[_REST]).get("metadata", {}) if _REST in row else {}
    metadata = {**flat_metadata(row), **odd}
    return {key: metadata[key] for key in _ordered(metadata)}


def _rest(node: TextNode, flat: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the flat metadata do not say."""
    fields = _fields(node)
    metadata = fields.pop("metadata")
    expected = _expected_fields(node.node_id, row)
    rest = {key: value for key, value in fields.items() if expected[key] != value}
    odd = {key: value for key, value in metadata.items() if key not in flat or not _is_kept_exactly(flat[key])}
    if odd:
        rest["metadata"] = odd
    if list(metadata) != _ordered(metadata):
        rest["order"] = list(metadata)
    return rest


def _fields(node: TextNode) -> dict[str, Any]:
    """Return a node's fields as JSON gives them back.

    Without id, text and vector.
    """
    return node.model_dump(mode="json", exclude={"id_", "embedding", "text"})


def _expected_fields(node_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a chunk of TokenNodeParser."""
    known = [key for key in _RECORD_KEYS if key in row or (key == "section_spans" and "section" in row)]
    excluded = [*known, "section", "chunk_count", "record_hash"]
    return {
        **_DEFAULTS,
        "excluded_embed_metadata_keys": excluded,
        "excluded_llm_metadata_keys": excluded,
        "relationships": _expected_relationships(node_id, row),
        "start_char_idx": row.get(_START),
        "end_char_idx": row.get(_END),
    }


def _expected_relationships(node_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
    source_id = row.get(DOCUMENT_KEY)
    document_id, _, number = node_id.rpartition("#")
    if not source_id:
        return {}
    relationships: dict[str, Any] = {_SOURCE: _related(source_id, str(ObjectType.DOCUMENT.value))}
    if source_id != document_id or not number.isdecimal() or type(row.get("chunk_count")) is not int:
        return relationships
    if int(number) > 0:
        relationships[_PREVIOUS] = _related(f"{document_id}#{int(number) - 1}", None)
    if int(number) + 1 < row["chunk_count"]:
        relationships[_NEXT] = _related(f"{document_id}#{int(number) + 1}", None)
    return relationships


def _related(node_id: str, node_type: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"node_type": node_type, "metadata": {}, "hash": None, "class_name": "RelatedNodeInfo"}
    return {"node_id": node_id, **fields}


def _is_flat(key: str, value: Any) -> bool:
    """Return whether Chroma takes the value."""
    if not key or key in _ROW_KEYS or key.startswith(_RESERVED):
        return False
    if isinstance(value, list):
        kinds = {type(item) for item in value}
        return len(kinds) == 1 and all(_is_scalar(item) for item in value)
    return _is_scalar(value)


def _is_kept_exactly(value: Any) -> bool:
    """Return whether Chroma gives back the same value.

    It rounds numbers to 15 digits and drops the sign of zero.
    """
    numbers = [item for item in (value if isinstance(value, list) else [value]) if type(item) is float]
    return all(float(f"{item:.15g}") == item and (item or math.copysign(1.0, item) > 0) for item in numbers)


def _is_scalar(value: Any) -> bool:
    if type(value) is int:
        return -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER
    return type(value) in (str, bool) or (type(value) is float and math.isfinite(value))


def _ordered(keys: Mapping[str, Any]) -> list[str]:
    """Order keys as records and chunks make them.

    All others come last.
    """
    return sorted(keys, key=lambda key: (_ORDER.get(key, len(_ORDER)), key))


_DEFAULTS = _fields(TextNode())


def replacing(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an update that replaces stored metadata.

    Chroma keeps keys that are not given, and removes those with None.
    """
    return {**dict.fromkeys(stored), **given}
