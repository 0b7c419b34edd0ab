"""The ledger of a crawl. Expected values: what was written into it, and what is told of damage."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_index_medqa.errors import InputError
from llama_index_medqa.pubmed.crawl.ledger import Batch, Hits, Ledger
from llama_index_medqa.pubmed.entrez.citation_splitter import CitationSet, CitationXml

REQUEST = {"query": "heart", "maximum": None}
CONTENT = CitationSet((CitationXml("1", b"<PubmedArticle/>"),), (CitationXml("2", b"<PMID>2</PMID>"),))


def filled(folder: Path) -> Ledger:
    ledger = Ledger(folder, REQUEST)
    ledger.add_hits("whole", Hits(3, ("1", "2", "3"), ("remark",)))
    ledger.add_batch(1, CONTENT, {"3": "Grund: ü"})
    ledger.add_batch(2, CitationSet(), {"4": "gone"})
    return ledger


def test_what_was_noted_is_there_after_opening_again(tmp_path: Path) -> None:
    with filled(tmp_path) as first:
        pass
    with Ledger(tmp_path, REQUEST) as again:
        assert again.started == first.started
        assert again.hits == {"whole": Hits(3, ("1", "2", "3"), ("remark",))}
        assert again.batches == first.batches
        assert again.batches[1].failed == {"3": "Grund: ü"}
        assert again.batches[1].fetched == 1
        assert again.batches[2] == Batch(0, (), {"4": "gone"}, None)


@pytest.mark.parametrize("cut", range(1, 400, 7))
def test_a_ledger_cut_off_anywhere_loses_only_its_last_line(tmp_path: Path, cut: int) -> None:
    with filled(tmp_path):
        pass
    path = tmp_path / ".ledger.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut] if cut < len(whole) else b"")
    complete = whole[:-cut].count(b"\n")
    if complete == 0:
        next(tmp_path.glob("records-*")).unlink()
    with Ledger(tmp_path, REQUEST) as ledger:
        assert len(ledger.hits) == (complete >= 2)
        assert list(ledger.batches) == [number for number in (1, 2) if complete >= number + 2]
        ledger.add_batch(9, CitationSet(), {})
    assert all(json.loads(line) for line in path.read_text().splitlines())
    with Ledger(tmp_path, REQUEST) as ledger:
        assert 9 in ledger.batches


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"something else")])
def test_a_records_file_that_is_gone_or_changed_is_fetched_again(
    tmp_path: Path, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    with filled(tmp_path) as ledger:
        damage(ledger.records_file(1))
    with Ledger(tmp_path, REQUEST) as ledger:
        assert list(ledger.batches) == [2]
        ledger.add_batch(1, CONTENT, {})
    assert "fetched again" in caplog.text
    with Ledger(tmp_path, REQUEST) as ledger:
        assert ledger.batches[1].failed == {}


def test_the_same_records_make_the_same_file(tmp_path: Path) -> None:
    digests = []
    for name in "ab":
        with Ledger(tmp_path / name, REQUEST) as ledger:
            digests.append(ledger.add_batch(1, CONTENT, {}).sha256)
    assert digests[0] == digests[1]
    assert not list(tmp_path.rglob("*partial*"))


def test_another_crawl_is_kept_out_by_name_and_value(tmp_path: Path) -> None:
    with filled(tmp_path):
        pass
    with pytest.raises(InputError, match='query = "heart", not "kidney"'):
        Ledger(tmp_path, REQUEST | {"query": "kidney"})
    with pytest.raises(InputError, match="maximum = null, not 5"):
        Ledger(tmp_path, REQUEST | {"maximum": 5})
    with pytest.raises(InputError) as caught:
        Ledger(tmp_path, REQUEST | {"query": "k" * 10_000})
    assert len(str(caught.value)) < 500


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    with filled(tmp_path), pytest.raises(InputError, match="Another process is crawling"):
        Ledger(tmp_path, REQUEST)
    Ledger(tmp_path, REQUEST).__exit__(None, None, None)


@pytest.mark.parametrize("line", [b"{]", b"[]", b"7", b'{"other":1}', b'{"slice":"x","count":1}', b"\xff"])
def test_a_damaged_ledger_is_told(tmp_path: Path, line: bytes) -> None:
    with filled(tmp_path):
        pass
    path = tmp_path / ".ledger.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], line, *lines[2:], b""]))
    with pytest.raises(InputError, match="is damaged"):
        Ledger(tmp_path, REQUEST)
    path.write_bytes(b"\n".join([line, *lines[1:], b""]))
    with pytest.raises(InputError, match="is damaged"):
        Ledger(tmp_path, REQUEST)


def test_records_without_a_ledger_are_not_mixed_with(tmp_path: Path) -> None:
    with filled(tmp_path):
        pass
    (tmp_path / ".ledger.jsonl").unlink()
    with pytest.raises(InputError, match=r"but no \.ledger"):
        Ledger(tmp_path, REQUEST)


def test_a_ledger_of_another_format_is_told(tmp_path: Path) -> None:
    with filled(tmp_path):
        pass
    path = tmp_path / ".ledger.jsonl"
    path.write_text(path.read_text().replace('"version":1', '"version":99', 1))
    with pytest.raises(InputError, match="format 99"):
        Ledger(tmp_path, REQUEST)
