"""Plans for many processes that read files as one corpus.

A plan says for each file which of its records to leave out.

The functions are the steps of :mod:`llama_index_medqa.indexing.ray_ingestion` that need neither LlamaIndex nor a
database, so that the processes that read start fast. Tables are Arrow's; only identities and positions are in them,
never a text.
"""

import pickle
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from llama_index_medqa.errors import MedQAError
from llama_index_medqa.pubmed.formats.reading import newest_positions, read_identities_of, read_records
from llama_index_medqa.pubmed.record import Deletion, Identity, PubMedRecord, known_details

if TYPE_CHECKING:
    import pyarrow as pa

RECORDS_PER_BATCH = 128

# Stands in every file's identities, so that a file without any is known too.
_NO_POSITION = -1


def identity_table(batch: "pa.Table", paths: Sequence[str]) -> "pa.Table":
    """Read which record stands at which position of a file.

    Args:
        batch: one row; its column ``file`` is a number.
        paths: the files by number.

    Returns:
        A row for every record or deletion with the columns ``document_id``, ``file``, ``position``, ``version`` and
        ``deleted``, and before them one without a record, of which ``error`` tells why the file cannot be read.
    """
    number = batch["file"][0].as_py()
    error = ""
    try:
        found = list(read_identities_of(paths[number]))
    except MedQAError as failure:
        found, error = [], _error_text(failure)
    columns = {
        "document_id": ["", *(identity.document_id for identity in found)],
        "file": [number] * (len(found) + 1),
        "position": range(_NO_POSITION, len(found)),
        "version": [0, *(identity.version for identity in found)],
        "deleted": [False, *(identity.deleted for identity in found)],
        "error": [error] + [""] * len(found),
    }
    return _table(columns, document_id="string", deleted="bool", error="string")


def partial_plans(identities: "pa.Table") -> "pa.Table":
    """Plan what a share of the records means for each file.

    Args:
        identities: rows of :func:`identity_table` of whichever files, in any order, among them all of each record.

    Returns:
        A row for every file with the columns ``file``, ``superseded`` (positions not to read) and ``error``.
    """
    rows = identities.sort_by([("file", "ascending"), ("position", "ascending")]).to_pylist()
    newest = newest_positions(
        ((row["file"], row["position"]), Identity(row["document_id"], row["version"], row["deleted"]))
        for row in rows
        if row["position"] != _NO_POSITION
    )
    plans: dict[int, dict[str, Any]] = {}
    for row in rows:
        plan = plans.setdefault(row["file"], {"superseded": [], "error": ""})
        if row["position"] == _NO_POSITION:
            plan["error"] = row["error"]
        elif newest[row["document_id"]] != (row["file"], row["position"]):
            plan["superseded"].append(row["position"])
    return _plan_table(plans)


def whole_plan(partial: "pa.Table") -> "pa.Table":
    """Join the rows of :func:`partial_plans` of one file."""
    rows = partial.to_pylist()
    plan = {
        "superseded": [position for row in rows for position in row["superseded"]],
        "error": "".join(row["error"] for row in rows),
    }
    return _plan_table({rows[0]["file"]: plan})


def planned_batches(plan: Mapping[str, Any], paths: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Read a file by its plan, in batches.

    Args:
        plan: a row of :func:`whole_plan`.
        paths: the files by number.

    Yields:
        Rows with ``file``, ``records`` (a pickled list of deletions, and of records with no more of their details than
        a citation needs) and ``error``; the last has no records, and the reason where the file cannot be read further.
    """
    error = plan["error"]
    try:
        for batch in _batched([] if error else _planned(plan["superseded"], paths[plan["file"]])):
            yield {"file": plan["file"], "records": pickle.dumps(batch), "error": ""}
    except MedQAError as failure:
        error = _error_text(failure)
    yield {"file": plan["file"], "records": pickle.dumps([]), "error": error}


def _planned(superseded: Sequence[int], path: str) -> Iterator[PubMedRecord | Deletion]:
    left_out = set(superseded)
    for position, item in enumerate(read_records(path)):
        if position not in left_out:
            # Most details are not indexed, and would carry the record's whole source along.
            yield _slim(item) if isinstance(item, PubMedRecord) else item


def _slim(record: PubMedRecord) -> PubMedRecord:
    return replace(record, lazy_details=known_details(record.details.bibliography))


def _batched(items: Iterable[PubMedRecord | Deletion]) -> Iterator[list[PubMedRecord | Deletion]]:
    iterator = iter(items)
    while batch := list(islice(iterator, RECORDS_PER_BATCH)):
        yield batch


def _error_text(failure: MedQAError) -> str:
    return f"{failure} (read on {socket.gethostname()})"


def _plan_table(plans: Mapping[int, Mapping[str, Any]]) -> "pa.Table":
    columns = {name: [plan[name] for plan in plans.values()] for name in ("superseded", "error")}
    return _table({"file": list(plans), **columns}, error="string", superseded="list<int64>")


def _table(columns: Mapping[str, Iterable[Any]], **types: str) -> "pa.Table":
    """Return a table whose empty columns have types too.

    Columns without a given type are integers.
    """
    import pyarrow as pa

    kinds = {"string": pa.string(), "bool": pa.bool_(), "list<int64>": pa.list_(pa.int64())}
    arrays = {name: pa.array(values, kinds.get(types.get(name, ""), pa.int64())) for name, values in columns.items()}
    return pa.table(arrays)
