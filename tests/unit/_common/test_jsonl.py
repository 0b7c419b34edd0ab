"""JSON lines: what is read, what is refused with its line, and what a crash leaves."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa._common.jsonl import LineFile, read_objects, read_rows
from llama_index_medqa.errors import InputError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def test_values_come_with_their_lines(tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_bytes('\ufeff{"a": "x\u2028y"}\n\n  \n[1]\r\n"ü"'.encode())
    assert list(read_rows(path)) == [
        (f"{path}, line 1", {"a": "x\u2028y"}),
        (f"{path}, line 4", [1]),
        (f"{path}, line 5", "ü"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", r"line 2: not JSON \(.+\)\. Correct or remove the line\."),
        (b'"\xff"', r"line 2: not JSON \(.+utf-8.+\)\. Correct or remove the line\."),
        (b"[]", "line 2: must be a JSON object, got list"),
        (b"null", "line 2: must be a JSON object, got NoneType"),
    ],
)
def test_a_broken_line_is_named_after_those_before_it(tmp_path, line, message):
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 3}\n')
    rows = read_objects(path)
    assert next(rows)[1] == {"a": 1}
    with pytest.raises(InputError, match=message):
        next(rows)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.jsonl cannot be read: .*No such file"):
        list(read_rows(tmp_path / "none.jsonl"))


@given(st.lists(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), VALUES), max_size=4))
def test_what_was_added_comes_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("lines") / "file.jsonl"
    with LineFile.open(path) as file:
        for row in rows:
            file.add(row)
    assert [row for _, row in read_objects(path)] == json.loads(json.dumps(rows)) == rows


@pytest.mark.parametrize("cut", range(13))
def test_a_line_that_was_cut_is_removed_and_the_rest_goes_on(tmp_path, cut):
    path = tmp_path / "file.jsonl"
    whole = b'{"a": "\xc3\xbc"}\n'
    path.write_bytes(b'{"a": 1}\n' + whole[:cut])
    with LineFile.open(path) as file:
        file.add({"a": 2})
    kept = [{"a": 1}, {"a": "ü"}] if cut == len(whole) else [{"a": 1}]
    assert [row for _, row in read_objects(path)] == [*kept, {"a": 2}]


def test_one_writer_at_a_time(tmp_path):
    path = tmp_path / "folder" / "file.jsonl"
    with LineFile.open(path), pytest.raises(InputError, match="is being written by another run"), LineFile.open(path):
        pass
    with LineFile.open(path) as file:
        file.add({})


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no file system without files of one's own")
def test_where_no_file_can_be_made():
    with pytest.raises(InputError, match=r"/proc/x\.jsonl cannot be written: no file can be made in /proc"):
        LineFile.open(Path("/proc/x.jsonl")).__enter__()
