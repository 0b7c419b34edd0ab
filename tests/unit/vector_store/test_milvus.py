"""The parts of Milvus's adapter that need no database; what it stores and finds is in tests/contract.

Expected values: Milvus's grammar of expressions, written by hand, and what a lock has to do.
"""

import threading
import uuid

import pytest
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from llama_index_medqa.errors import IndexBusyError, InputError
from llama_index_medqa.vector_store import leased_lock
from llama_index_medqa.vector_store.filters import Condition, translated
from llama_index_medqa.vector_store.milvus.conditions import MilvusDialect
from llama_index_medqa.vector_store.milvus.schema import to_entity, to_stored_row
from llama_index_medqa.vector_store.milvus.writer_lock import StateRowLock
from llama_index_medqa.vector_store.port import StoredRow

pytest.importorskip("pymilvus")


def one(key: str, operator: str, value) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, operator=FilterOperator(operator), value=value)])


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (one("year", ">=", 2019), ("year >= 2019", True)),
        (one("status", "!=", "retracted"), ('status is null or status != "retracted"', True)),
        (one("record_hash", "in", ["a", "b"]), ('record_hash in ["a", "b"]', True)),
        (one("status", "nin", ["retracted"]), ('status is null or status not in ["retracted"]', True)),
        (one("journal", "==", 'The "Lancet"'), ('metadata["journal"] == "The \\"Lancet\\""', True)),
        (one("mesh", "contains", "Tea"), ('json_contains(metadata["mesh"], "Tea")', True)),
        # What Milvus would decide otherwise than we do is left to us.
        (one("journal", "!=", "Lancet"), (None, False)),
        (one("score", ">", 1.5), ('metadata["score"] > 1.5', False)),
        (one("tags", "==", ["a"]), (None, False)),
        (one('"] or true', "==", "x"), (None, False)),
        (one("year", "==", 2020.5), (None, False)),
    ],
)
def test_conditions(filters, expected):
    assert translated(filters, MilvusDialect()) == Condition(*expected)


def test_the_opposite_of_a_comparison_lets_a_missing_value_pass():
    negated = MetadataFilters(filters=list(one("year", ">", 2019).filters), condition=FilterCondition.NOT)
    assert translated(negated, MilvusDialect()) == Condition("year is null or year <= 2019", True)


def test_a_row_keeps_each_fact_once_and_comes_back():
    metadata = {"document_id": "PMID:1", "year": 2020, "status": "current", "journal": "Lancet", "mesh": ["Tea"]}
    row = StoredRow("PMID:1#0", "text", metadata, [0.5, 0.25])
    entity = to_entity(row)
    assert (entity["year"], entity["metadata"]) == (2020, {"journal": "Lancet", "mesh": ["Tea"]})
    back = to_stored_row(entity)
    assert (back.node_id, back.text, back.metadata, list(back.vector)) == ("PMID:1#0", "text", metadata, [0.5, 0.25])


def test_what_milvus_cannot_store_is_told():
    with pytest.raises(InputError, match="'year' of D#0 must be a whole number"):
        to_entity(StoredRow("D#0", "t", {"year": "2020"}, [1.0]))
    with pytest.raises(InputError, match="65535 bytes"):
        to_entity(StoredRow("D#0", "τ" * 40_000, {}, [1.0]))


class Table:
    """A state record in memory."""

    collection_id = "one"

    def __init__(self) -> None:
        self.content: dict[str, dict] = {}

    def rows(self, kind):
        return {name: dict(row) for name, row in list(self.content.items()) if row["kind"] == kind}

    def put(self, rows):
        self.content.update(rows)

    def remove(self, ids):
        for name in ids:
            self.content.pop(name, None)

    def remove_marks_before(self, moment):
        raise NotImplementedError


@pytest.fixture
def table(monkeypatch) -> Table:
    monkeypatch.setattr(leased_lock, "RENEWAL_S", 0.05)
    monkeypatch.setattr(leased_lock, "POLL_S", 0.02)
    return Table()


def test_a_second_writer_is_refused_while_the_first_is_alive(table):
    first, second = StateRowLock(table, "milvus://host"), StateRowLock(table, "milvus://host")
    with first.held():
        with first.held(), pytest.raises(IndexBusyError, match=r"being written by .*process"), second.held(wait=False):
            pass
        assert len(table.rows("lock")) == 1
    with second.held(wait=False):
        pass
    assert table.rows("lock") == {}


def test_the_lock_of_a_killed_writer_is_taken_away(table, monkeypatch):
    monkeypatch.setattr(leased_lock, "LEASE_S", 0.2)
    table.put({"lock:gone": {"kind": "lock", "renewed": uuid.uuid4().hex, "time": 0.0}})
    with StateRowLock(table, "milvus://host").held():
        assert "lock:gone" not in table.content


def test_two_writers_never_write_at_once(table):
    writing, most = [], []

    def write(lock: StateRowLock) -> None:
        for _ in range(5):
            with lock.held():
                writing.append(lock)
                most.append(len(writing))
                writing.remove(lock)

    threads = [threading.Thread(target=write, args=(StateRowLock(table, "here"),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (max(most), len(most)) == (1, 20)
