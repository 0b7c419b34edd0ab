"""Crawls into an index, and updates of it, against the E-utilities double."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from llama_index_medqa import PubMedIndex, PubMedVectorStore, TokenNodeParser
from llama_index_medqa.errors import EmptyCorpusError
from llama_index_medqa.indexing.identity import stored_as_of, write_as_of
from llama_index_medqa.indexing.updating import (
    UpdateReport,
    apply_recheck,
    ingest_crawl,
    ingest_files,
    note_source_day,
    outdated_days,
    recheck,
)
from llama_index_medqa.pubmed.crawl.crawler import CrawlSummary, crawl
from llama_index_medqa.pubmed.crawl.request import CrawlRequest
from llama_index_medqa.pubmed.data_date import freshness
from llama_index_medqa.pubmed.entrez.client import EntrezClient
from llama_index_medqa.testing import EutilsDouble, HashEmbedding, VirtualTime, synthetic_records

RECORDS = synthetic_records(12)
PMIDS = list(RECORDS)
TODAY = datetime.now(UTC).date()
RETRACTION = b"<CommentsCorrectionsList><CommentsCorrections RefType='RetractionIn'><RefSource>x</RefSource>\
</CommentsCorrections></CommentsCorrectionsList></MedlineCitation>"


class PubMed:
    """The double, and the way to it without network and without waiting."""

    def __init__(self, **kwargs) -> None:
        self.time = VirtualTime()
        self.double = EutilsDouble(RECORDS, clock=self.time.clock, **kwargs)

    def client(self) -> EntrezClient:
        return EntrezClient(transport=self.double.transport(), sleep=self.time.sleep)

    def crawl(self, folder: Path, query: str = "synthetic") -> CrawlSummary:
        with self.client() as client:
            return crawl(client, CrawlRequest(query=query), folder)

    def update(self, index: PubMedIndex, folder: Path) -> UpdateReport:
        with self.client() as client:
            return apply_recheck(index, recheck(index, client, folder))


@pytest.fixture
def index(tmp_path, word_piece) -> PubMedIndex:
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=64, chunk_overlap=16)
    return PubMedIndex.open(str(tmp_path / "index"), embed_model=HashEmbedding(), node_parser=parser, create=True)


@pytest.fixture
def filled(index, tmp_path) -> PubMedIndex:
    ingest_crawl(index, PubMed().crawl(tmp_path / "crawl"))
    return index


def test_a_crawl_is_read_into_the_index(filled):
    assert sorted(filled.document_ids()) == [f"PMID:{pmid}" for pmid in PMIDS]
    assert filled.as_of == TODAY


def test_a_query_without_hits_is_told(index, tmp_path):
    with pytest.raises(EmptyCorpusError, match="widen it"):
        ingest_crawl(index, PubMed().crawl(tmp_path / "crawl", query="zebrafish"))


def test_an_update_of_an_unchanged_corpus_changes_nothing(filled, tmp_path):
    write_as_of(filled.store, date(2020, 1, 1))
    report = PubMed().update(filled, tmp_path / "crawls")
    assert report == UpdateReport(checked=12, without_pmid=0, as_of=TODAY)
    assert filled.as_of == TODAY
    assert list((tmp_path / "crawls").iterdir()) == []


def test_an_update_applies_and_lists_what_changed(filled, tmp_path):
    pubmed = PubMed(deleted=[PMIDS[0]])
    pubmed.double.put(PMIDS[1], RECORDS[PMIDS[1]].replace(b"Synthetic record", b"Revised record"))
    pubmed.double.put(PMIDS[2], RECORDS[PMIDS[2]].replace(b"</MedlineCitation>", RETRACTION))
    report = pubmed.update(filled, tmp_path / "crawls")
    revised, retracted = f"PMID:{PMIDS[1]}", f"PMID:{PMIDS[2]}"
    assert report.deleted == [f"PMID:{PMIDS[0]}"]
    assert sorted(report.revised) == [revised, retracted]
    assert report.newly_retracted == [retracted]
    assert len(filled.document_ids()) == 11
    assert filled.info().statuses == {"current": 10, "retracted": 1}
    assert filled.store.metadata_of([f"{revised}#0"])[f"{revised}#0"]["title"].startswith("Revised record")
    found = filled.as_retriever(similarity_top_k=100).retrieve(f"Synthetic record {PMIDS[2]}")
    assert retracted not in {item.node.ref_doc_id for item in found}


def test_when_all_records_are_deleted_the_index_is_empty(filled, tmp_path):
    report = PubMed(deleted=PMIDS).update(filled, tmp_path / "crawls")
    assert report.deleted == sorted(f"PMID:{pmid}" for pmid in PMIDS)
    assert filled.document_ids() == []


def test_a_record_that_is_not_delivered_stays_and_is_told(filled, tmp_path):
    write_as_of(filled.store, date(2020, 1, 1))
    report = PubMed(undeliverable=[PMIDS[3]]).update(filled, tmp_path / "crawls")
    assert list(report.failed) == [PMIDS[3]]
    assert report.as_of is None
    assert filled.as_of == date(2020, 1, 1)
    assert len(filled.document_ids()) == 12


def test_records_without_a_pmid_are_counted(index, tmp_path, documents):
    index.ingest(documents[3:])
    with PubMed().client() as client:
        report = apply_recheck(index, recheck(index, client, tmp_path / "crawls"))
    assert (report.checked, report.without_pmid, report.as_of) == (0, 1, None)


def test_the_earliest_day_of_all_records_is_the_index_s(filled, tmp_path):
    summary = PubMed().crawl(tmp_path / "again")
    write_as_of(filled.store, date(2020, 1, 1))
    ingest_crawl(filled, summary)
    assert filled.as_of == date(2020, 1, 1)


def test_deletions_in_files_are_applied(filled, tmp_path):
    from llama_index_medqa import PubMedReader

    file = tmp_path / "pubmed26n0002.xml"
    file.write_text(
        f"<PubmedArticleSet>{RECORDS[PMIDS[5]].decode()}"
        f"<DeleteCitation><PMID Version='1'>{PMIDS[4]}</PMID></DeleteCitation></PubmedArticleSet>"
    )
    report = filled.ingest(PubMedReader().lazy_load_changes(file))
    assert (report.unchanged, report.deleted) == (1, 1)
    assert f"PMID:{PMIDS[4]}" not in filled.document_ids()
    assert not any(
        node_id.startswith(f"PMID:{PMIDS[4]}#") for node_id in filled.store.collection.get(include=[])["ids"]
    )


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (date(2026, 11, 1), "Source: PubMed, courtesy of the U.S. National Library of Medicine, as of 2026-11-01."),
        (date(2026, 1, 1), "That is 326 days ago: papers may have been revised or retracted since (medqa update)."),
        (None, "Source: records with PubMed numbers, as of an unknown day. That is perhaps long ago"),
    ],
)
def test_the_source_and_its_day_are_said(as_of, expected):
    line = freshness(as_of, date(2026, 11, 23))
    assert expected in line
    assert ("National Library of Medicine" in line) == (as_of is not None)
    assert ("medqa update" in line) == (as_of != date(2026, 11, 1))


def test_an_older_revision_does_not_replace_a_newer_one(filled, tmp_path):
    from llama_index_medqa import PubMedReader

    article = RECORDS[PMIDS[6]].decode()
    newer = article.replace("<DateRevised><Year>2020", "<DateRevised><Year>2024").replace("Synthetic", "Newer")
    for number, text in enumerate((newer, article)):
        (tmp_path / f"{number}.xml").write_text(f"<PubmedArticleSet>{text}</PubmedArticleSet>")
    reports = [ingest_files(filled, PubMedReader().lazy_load_changes(tmp_path / f"{number}.xml")) for number in (0, 1)]
    assert [(report.updated, report.outdated) for report in reports] == [(1, 0), (0, 1)]
    name = f"PMID:{PMIDS[6]}#0"
    assert filled.store.metadata_of([name])[name]["title"].startswith("Newer record")


def test_a_file_is_as_new_as_its_latest_revision(index, tmp_path):
    from llama_index_medqa import PubMedReader

    file = tmp_path / "records.xml"
    file.write_bytes(b"<PubmedArticleSet>" + b"".join(RECORDS.values()) + b"</PubmedArticleSet>")
    ingest_files(index, PubMedReader().lazy_load_changes(file))
    days = [int("".join(re.findall(r"\d+", part)[:3])) for part in _revisions()]
    assert int(index.as_of.strftime("%Y%m%d")) == max(days)
    ingest_files(index, PubMedReader().lazy_load_changes(file))
    assert int(index.as_of.strftime("%Y%m%d")) == max(days)


@pytest.mark.parametrize("days", [(date(2023, 5, 1), date(2021, 2, 3)), (date(2021, 2, 3), date(2023, 5, 1))])
def test_of_two_writers_into_an_empty_index_the_earlier_day_counts(index, days):
    """Both have seen it empty before either wrote."""
    seen = [outdated_days(index) for _ in days]
    for day, outdated in zip(days, seen, strict=True):
        note_source_day(index, day, outdated=outdated)
    assert index.as_of == date(2021, 2, 3)


@pytest.mark.parametrize("day", [date(2019, 6, 1), date(2021, 6, 1)])
def test_an_update_does_not_make_good_what_came_after_it_began(filled, tmp_path, day):
    write_as_of(filled.store, date(2020, 1, 1))
    with PubMed().client() as client:
        checked = recheck(filled, client, tmp_path / "crawls")
    note_source_day(filled, day, outdated=None)
    assert filled.as_of == min(day, date(2020, 1, 1))
    apply_recheck(filled, checked)
    assert filled.as_of == day
    PubMed().update(filled, tmp_path / "crawls")
    assert filled.as_of == TODAY


def test_a_writer_that_read_before_another_wrote_loses_it_no_day(filled):
    """Chroma replaces the metadata of a collection as a whole: what the slow writer had read lacks the day."""
    before = filled.store.collection_metadata()
    write_as_of(filled.store, date(2022, 7, 1))
    filled.store.set_collection_metadata(before)
    assert filled.as_of == date(2022, 7, 1)


def test_another_collection_of_the_same_name_has_no_day(filled):
    store = filled.store
    store.collection._client.delete_collection(store.collection.name)
    assert stored_as_of(PubMedVectorStore(persist_dir=store.persist_dir)) is None


def _revisions() -> list[str]:
    return [re.search(r"<DateRevised>(.*?)</DateRevised>", xml.decode()).group(1) for xml in RECORDS.values()]
