"""Files planned by partitions of their records, in any order, against the same files read by one process."""

import json
import pickle
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_index_medqa.pubmed.formats.file_plans import (
    RECORDS_PER_BATCH,
    identity_table,
    partial_plans,
    planned_batches,
    whole_plan,
)
from llama_index_medqa.pubmed.formats.reading import read_newest
from llama_index_medqa.pubmed.record import Author, PubMedRecord, RecordDetails

pa = pytest.importorskip("pyarrow", reason="needs the extra 'ray'")
pc = pytest.importorskip("pyarrow.compute")


def shuffled(tables: list, key: str, partitions: int, source: random.Random) -> list:
    """What a shuffle by a key does: rows with one key meet in one table, in no order."""
    rows = pa.concat_tables(tables).to_pylist()
    source.shuffle(rows)
    partition_of = {value: source.randrange(partitions) for value in {row[key] for row in rows}}
    parts = [[row for row in rows if partition_of[row[key]] == number] for number in range(partitions)]
    return [pa.Table.from_pylist(part, schema=tables[0].schema) for part in parts if part]


def planned(paths: list[str], partitions: int = 1, seed: int = 0) -> list[dict]:
    source = random.Random(seed)
    numbers = pa.array(range(len(paths)), pa.int64())
    identities = [identity_table(pa.table({"file": numbers[n : n + 1]}), paths) for n in range(len(paths))]
    partial = [partial_plans(table) for table in shuffled(identities, "document_id", partitions, source)]
    rows = pa.concat_tables(partial)
    return [row for number in numbers for row in whole_plan(rows.filter(pc.equal(rows["file"], number))).to_pylist()]


def read(paths: list[str], plans: list[dict]) -> list:
    batches = [row for plan in plans for row in planned_batches(plan, paths)]
    return [item for row in batches for item in pickle.loads(row["records"])]


def written(folder: Path, files: list[list[dict]]) -> list[str]:
    paths = [folder / f"{number}.jsonl" for number in range(len(files))]
    for path, lines in zip(paths, files, strict=True):
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return [str(path) for path in paths]


def lines() -> st.SearchStrategy:
    pmid, version = st.sampled_from("12345"), st.integers(1, 3)
    record = st.fixed_dictionaries({"pmid": pmid, "version": version, "title": st.text("abc", min_size=1, max_size=3)})
    without_pmid = st.fixed_dictionaries({"title": st.sampled_from(["x", "y"])})
    deletion = st.fixed_dictionaries({"deleted": pmid, "version": version})
    return st.one_of(record, without_pmid, deletion)


@settings(max_examples=150, deadline=None)
@given(
    files=st.lists(st.lists(lines(), min_size=1, max_size=8), min_size=1, max_size=4),
    partitions=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_whatever_the_partitions_the_same_versions_are_read(files, partitions, seed):
    with TemporaryDirectory() as folder:
        paths = written(Path(folder), files)
        plans = planned(paths, partitions, seed)
        assert read(paths, plans) == list(read_newest(paths))


def test_a_plan_by_hand(tmp_path):
    old = {"pmid": "1", "version": 2, "title": "second version"}
    late_but_older = {"pmid": "1", "version": 1, "title": "first version"}
    paths = written(tmp_path, [[old, {"pmid": "2", "title": "gone"}], [late_but_older, {"deleted": "2"}]])
    plans = planned(paths, 3)
    assert [plan["superseded"] for plan in plans] == [[1], [0]]
    assert [item.document_id for item in read(paths, plans)] == ["PMID:1", "PMID:2"]


def test_a_file_that_cannot_be_read_is_named_and_hides_no_other(tmp_path):
    paths = written(tmp_path, [[{"pmid": "1", "title": "older"}], [{"pmid": "1", "title": "newer"}]])
    with Path(paths[1]).open("a") as stream:
        stream.write("{broken\n")
    plans = planned([*paths, str(tmp_path / "missing.xml")], 2)
    assert plans[0]["error"] == ""
    assert "1.jsonl, line 2" in plans[1]["error"]
    assert "missing.xml" in plans[2]["error"]
    assert [item.title for item in read(paths, plans[:2])] == ["older"]
    (failed,) = planned_batches(plans[1], paths)
    assert (pickle.loads(failed["records"]), failed["error"]) == ([], plans[1]["error"])


def test_a_file_that_breaks_between_the_two_readings(tmp_path):
    paths = written(tmp_path, [[{"pmid": str(n), "title": "t"} for n in range(1, RECORDS_PER_BATCH + 3)]])
    (plan,) = planned(paths)
    with Path(paths[0]).open("a") as stream:
        stream.write("{broken\n")
    *_, last = rows = list(planned_batches(plan, paths))
    assert [len(pickle.loads(row["records"])) for row in rows] == [RECORDS_PER_BATCH, 0]
    assert f"line {RECORDS_PER_BATCH + 3}" in last["error"]


def test_a_file_of_which_nothing_is_kept(tmp_path):
    paths = written(tmp_path, [[{"pmid": "1", "title": "older"}], [{"pmid": "1", "title": "newer"}]])
    plans = planned(paths, 2)
    assert [(plan["superseded"], plan["error"]) for plan in plans] == [([0], ""), ([], "")]


def test_batches_carry_no_source_of_details(tmp_path):
    authors = [{"last_name": "Invented", "affiliations": ["Here"]}]
    details = {"authors": authors, "volume": "7", "keywords": ["k"], "references": [{"citation": "Cited"}]}
    paths = written(tmp_path, [[{"pmid": "1", "title": "t", "details": details}]])
    (record,) = read(paths, planned(paths))
    assert isinstance(record, PubMedRecord)
    assert record.details == RecordDetails(authors=(Author("Invented"),), volume="7")
