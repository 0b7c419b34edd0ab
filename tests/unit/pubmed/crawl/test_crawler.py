"""Crawls against the E-utilities double. Expected values: the double's records, counted and sorted here."""

import gzip
import io
import json
import random
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest
from lxml import etree

from llama_index_medqa.errors import EntrezRequestError, EntrezUnavailableError, InputError
from llama_index_medqa.pubmed.crawl.crawler import CrawlProgress, CrawlSummary, crawl
from llama_index_medqa.pubmed.crawl.request import CrawlRequest
from llama_index_medqa.pubmed.crawl.search_slices import DateRange
from llama_index_medqa.pubmed.entrez.client import EntrezClient, EntrezSettings
from llama_index_medqa.pubmed.entrez.protocol import RetryPolicy
from llama_index_medqa.pubmed.entrez.rate_limit import RateLimiter
from llama_index_medqa.pubmed.formats.reading import read_newest
from llama_index_medqa.pubmed.formats.xml import read_xml
from llama_index_medqa.pubmed.record import Deletion
from llama_index_medqa.testing import EutilsDouble, Fault, VirtualTime, random_faults, synthetic_records

KEY = "0123456789abcdef0123456789abcdef0123"
QUERY = CrawlRequest(query="synthetic", batch_size=50)


class Lab:
    """A double, a client that talks to it in virtual time, and a folder."""

    def __init__(self, folder: Path, records: dict[str, bytes], **double: object) -> None:
        self.folder = folder
        self.records = records
        self.time = VirtualTime()
        self.double = EutilsDouble(records, api_key=KEY, clock=self.time.clock, **double)  # type: ignore[arg-type]

    def crawl(self, request: CrawlRequest = QUERY, *, workers: int = 1, **more: object) -> CrawlSummary:
        settings = EntrezSettings(
            api_key=KEY, limiter=RateLimiter(10, clock=self.time.clock), retry=RetryPolicy(deadline_s=60)
        )
        with EntrezClient(settings, transport=self.double.transport(), sleep=self.time.sleep) as client:
            return crawl(client, request, self.folder, workers=workers, **more)  # type: ignore[arg-type]


def content(files: Iterable[Path]) -> list[etree._Element]:
    """All citations on disk, in order."""
    return [element for path in files for element in etree.fromstring(gzip.decompress(path.read_bytes()))]


def pmids(summary: CrawlSummary) -> list[str]:
    return [element.findtext("MedlineCitation/PMID") or "" for element in content(summary.files)]


def file_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".ledger.jsonl"}


def all_accounted_for(summary: CrawlSummary) -> bool:
    others = len(summary.deleted) + sum(summary.skipped.values()) + len(summary.failed)
    return summary.found == summary.fetched + others


# The whole


def test_a_crawl_brings_every_record_as_it_is(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "crawl", synthetic_records(130))
    summary = lab.crawl()
    assert (summary.found, summary.fetched, summary.from_earlier_runs) == (130, 130, 0)
    assert (summary.deleted, summary.skipped, summary.failed, summary.warnings) == ((), {}, {}, ())
    assert [path.name for path in summary.files] == [f"records-00000{n}.xml.gz" for n in (1, 2, 3)]
    assert pmids(summary) == sorted(lab.records, reverse=True)
    stored = gzip.decompress(b"".join(path.read_bytes() for path in summary.files))
    assert all(xml in stored for xml in lab.records.values())
    assert len(lab.double.requests) == 1 + 3


def test_the_folder_reads_as_a_folder_of_pubmed_xml(tmp_path: Path) -> None:
    lab = Lab(tmp_path, synthetic_records(130), deleted=["10000030"])
    del lab.double._records["10000030"]
    lab.crawl()
    read = {item.document_id: item for item in read_newest([tmp_path])}
    original = b"<PubmedArticleSet>" + b"".join(lab.records.values()) + b"</PubmedArticleSet>"
    expected = {record.document_id: record for record in read_xml(io.BytesIO(original))}
    expected["PMID:10000030"] = Deletion("10000030")
    assert read == expected


def test_running_a_finished_crawl_again_asks_nothing_and_says_the_same(tmp_path: Path) -> None:
    lab = Lab(tmp_path, synthetic_records(70), undeliverable=["10000005"])
    first = lab.crawl()
    before, asked = file_bytes(tmp_path), len(lab.double.requests)
    again = lab.crawl()
    assert len(lab.double.requests) == asked
    assert file_bytes(tmp_path) == before
    assert again.from_earlier_runs == again.fetched == 69
    assert first.as_json() | {"from_earlier_runs": 69} == again.as_json()


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("seed", range(6))
def test_faults_change_nothing_in_the_result(tmp_path: Path, seed: int, workers: int) -> None:
    records = synthetic_records(300)
    calm = Lab(tmp_path / "calm", records, undeliverable=["10000100"])
    stormy = Lab(tmp_path / "stormy", records, undeliverable=["10000100"], faults=random_faults(0.4, seed=seed))
    expected, summary = calm.crawl(), stormy.crawl(workers=workers)
    assert file_bytes(tmp_path / "calm") == file_bytes(tmp_path / "stormy")
    assert summary.failed == expected.failed
    assert list(summary.failed) == ["10000100"]
    assert any(request.fault for request in stormy.double.requests)
    assert stormy.double.busiest_second() <= 10


@pytest.mark.parametrize("after", [0, 1, 3, 6])
def test_a_crawl_that_was_stopped_goes_on_where_it_was(tmp_path: Path, after: int) -> None:
    records = synthetic_records(300)
    calm = Lab(tmp_path / "calm", records)
    calm.crawl()
    outage = [None] * after + [Fault.SERVER_ERROR] * 12
    lab = Lab(tmp_path / "stopped", records, faults=outage)
    with pytest.raises(EntrezUnavailableError, match="HTTP 500"):
        lab.crawl()
    fetched_before = max(0, after - 1) * 50
    asked = len(lab.double.requests)
    lab.double._faults = iter(())
    summary = lab.crawl()
    assert summary.from_earlier_runs == fetched_before
    assert len(lab.double.requests) - asked == 7 - after
    assert file_bytes(tmp_path / "calm") == file_bytes(tmp_path / "stopped")


def test_the_key_is_not_on_disk(tmp_path: Path) -> None:
    lab = Lab(tmp_path, synthetic_records(20), faults=[Fault.RATE_LIMIT] * 3)
    lab.crawl()
    assert all(request.form["api_key"] == KEY for request in lab.double.requests)
    assert KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_progress_grows_to_the_whole(tmp_path: Path) -> None:
    seen: list[CrawlProgress] = []
    Lab(tmp_path, synthetic_records(130), undeliverable=["10000005"]).crawl(progress=seen.append)
    assert [(step.stage, step.done, step.total) for step in seen] == [
        ("search", 130, 130),
        *(("fetch", done, 130) for done in (0, 50, 100, 130)),
    ]
    assert [step.failed for step in seen] == [0, 0, 0, 0, 1]
    assert seen[1].seconds_left is None
    assert seen[2].per_second > 0
    assert seen[2].seconds_left == pytest.approx(80 / seen[2].per_second)
    assert seen[-1].seconds_left == 0


# What fails is told, and stops nothing else


def test_what_is_not_delivered_is_told(tmp_path: Path) -> None:
    records = synthetic_records(60)
    broken = records["10000020"].replace(b"</Article>", b"")
    lab = Lab(tmp_path, records | {"10000020": broken}, undeliverable=["10000007"], deleted=["10000030"])
    del lab.double._records["10000030"]
    summary = lab.crawl()
    assert set(summary.failed) == {"10000007", "10000020"}
    assert "delivered no record" in summary.failed["10000007"]
    assert "mismatched tag" in summary.failed["10000020"]
    assert summary.deleted == ("10000030",)
    assert summary.fetched == 57
    assert all_accounted_for(summary)
    good = sorted(set(records) - {"10000007", "10000020", "10000030"}, reverse=True)
    stored = content(summary.files)
    assert [element.findtext("MedlineCitation/PMID") for element in stored if element.tag != "DeleteCitation"] == good
    assert [element.findtext("PMID") for element in stored if element.tag == "DeleteCitation"] == ["10000030"]


def test_a_batch_without_any_record_has_no_file(tmp_path: Path) -> None:
    lab = Lab(tmp_path, synthetic_records(60), undeliverable=sorted(synthetic_records(60))[10:])
    summary = lab.crawl()
    assert [path.name for path in summary.files] == ["records-000002.xml.gz"]
    assert (summary.fetched, len(summary.failed)) == (10, 50)
    assert lab.crawl().as_json() == summary.as_json() | {"from_earlier_runs": 10}


def test_nothing_found_is_no_error(tmp_path: Path) -> None:
    summary = Lab(tmp_path, synthetic_records(10)).crawl(CrawlRequest(query="xyzzy"))
    assert (summary.found, summary.fetched, summary.files) == (0, 0, ())


def test_a_refusal_stops_the_crawl(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {})
    lab.double._api_key = "another"
    with pytest.raises(EntrezRequestError, match="API key"):
        lab.crawl()


# What is asked for


@pytest.mark.parametrize("kind", ["publication", "entry", "modification"])
def test_dates(tmp_path: Path, kind: str) -> None:
    days = DateRange(kind, date(2020, 1, 2), date(2020, 1, 3))  # type: ignore[arg-type]
    lab = Lab(tmp_path, synthetic_records(40, days=4))  # 10 a day from 1 January 2020
    summary = lab.crawl(CrawlRequest(query="synthetic OR xyzzy", dates=days))
    assert pmids(summary) == [str(pmid) for pmid in range(10_000_030, 10_000_010, -1)]


def test_since_fetches_what_is_new_or_was_changed(tmp_path: Path) -> None:
    records = synthetic_records(40, days=40)
    lab = Lab(tmp_path / "first", records)
    lab.crawl()
    revised = records["10000003"].replace(b"<DateRevised><Year>2020</Year>", b"<DateRevised><Year>2024</Year>")
    new = synthetic_records(1, first_pmid=20_000_001, first_day=date(2024, 3, 1))["20000001"]
    without_revision = etree.fromstring(new)
    citation = without_revision.find("MedlineCitation")
    assert citation is not None
    citation.remove(citation.find("DateRevised"))  # type: ignore[arg-type]
    lab.double.put("10000003", revised)
    lab.double.put("20000001", etree.tostring(without_revision))
    lab.folder = tmp_path / "changes"
    summary = lab.crawl(CrawlRequest(query="synthetic", since=date(2024, 1, 1)))
    assert pmids(summary) == ["20000001", "10000003"]


def test_since_begins_a_day_early_because_of_time_zones() -> None:
    term = CrawlRequest(query="a OR b", since=date(2024, 3, 1)).term
    assert term == "(a OR b) AND (2024/02/29:3000[mdat] OR 2024/02/29:3000[edat] OR 2024/02/29:3000[crdt])"


def test_a_maximum_takes_the_first_and_tells_the_rest(tmp_path: Path) -> None:
    lab = Lab(tmp_path, synthetic_records(130))
    summary = lab.crawl(CrawlRequest(query="synthetic", maximum=30))
    assert pmids(summary) == [str(pmid) for pmid in range(10_000_130, 10_000_100, -1)]
    assert summary.skipped == {"over the maximum number": 100}
    assert (summary.found, len(lab.double.requests)) == (130, 2)
    assert lab.double.requests[0].form["retmax"] == "30"


def test_relevance_is_pubmeds_order(tmp_path: Path) -> None:
    records = synthetic_records(60)
    words = {
        pmid: etree.tostring(etree.fromstring(xml), method="text", encoding="unicode").lower()
        for pmid, xml in records.items()
    }
    expected = sorted(records, key=lambda pmid: (-words[pmid].count("insulin"), -int(pmid)))
    expected = [pmid for pmid in expected if "insulin" in words[pmid]]
    summary = Lab(tmp_path, records).crawl(CrawlRequest(query="insulin", sort="relevance"))
    assert pmids(summary) == expected


def test_given_pmids_are_looked_at_again(tmp_path: Path) -> None:
    records = synthetic_records(20)
    lab = Lab(tmp_path, records)
    retracted = records["10000004"].replace(b"Journal Article</P", b"Retracted Publication</P")
    lab.double.put("10000004", retracted)
    lab.double.delete("10000006")
    asked = ("10000009", "10000004", "10000006", "99999999", "10000009")
    summary = lab.crawl(CrawlRequest(pmids=asked))
    assert (summary.found, summary.fetched, summary.deleted) == (5, 2, ("10000006",))
    assert summary.skipped == {"given more than once": 1}
    assert list(summary.failed) == ["99999999"]
    assert all_accounted_for(summary)
    stored = content(summary.files)
    assert [element.findtext("MedlineCitation/PMID") for element in stored[:2]] == ["10000009", "10000004"]
    assert stored[1].findtext(".//PublicationType") == "Retracted Publication"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "either a query or PMIDs"),
        ({"query": "x", "pmids": ("1",)}, "either a query or PMIDs"),
        ({"query": " "}, "query is empty"),
        ({"pmids": ("1", "x")}, "'x' is not a PMID"),
        ({"pmids": ("1",), "maximum": 5}, "belong to a query"),
        ({"query": "x", "maximum": 0}, "maximum is 0"),
        ({"query": "x", "batch_size": 10_000}, "batch size is 10000"),
    ],
)
def test_requests_that_make_no_sense_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CrawlRequest(**fields)  # type: ignore[arg-type]


def test_a_date_range_must_not_end_before_it_starts() -> None:
    with pytest.raises(InputError, match="Swap them"):
        DateRange("entry", date(2020, 1, 2), date(2020, 1, 1))


# More hits than PubMed lists


def search_counts(lab: Lab) -> list[int]:
    entries = [json.loads(line) for line in (lab.folder / ".ledger.jsonl").read_text().splitlines()]
    return [entry["count"] for entry in entries if "slice" in entry]


def test_more_than_9999_hits_are_listed_in_slices_of_days(tmp_path: Path) -> None:
    lab = Lab(tmp_path, synthetic_records(12_000, days=400))
    summary = lab.crawl(CrawlRequest(query="synthetic", batch_size=3_000))
    assert pmids(summary) == sorted(lab.records, reverse=True)
    assert (summary.found, summary.fetched, summary.skipped) == (12_000, 12_000, {})
    counts = search_counts(lab)
    assert sum(count for count in counts if count <= 9_999) == 12_000
    assert "[uid]" not in (tmp_path / ".ledger.jsonl").read_text()


def test_a_day_with_more_than_9999_hits_is_listed_in_slices_of_pmids(tmp_path: Path) -> None:
    records = synthetic_records(10_100, days=1) | synthetic_records(
        50, first_pmid=30_000_001, first_day=date(2021, 1, 1)
    )
    lab = Lab(tmp_path, records)
    summary = lab.crawl(CrawlRequest(query="synthetic", batch_size=5_000))
    assert pmids(summary) == sorted(records, reverse=True)
    assert all_accounted_for(summary)
    assert "[uid]" in (tmp_path / ".ledger.jsonl").read_text()


def test_a_record_in_two_slices_is_fetched_once_and_the_newest_come_first(tmp_path: Path) -> None:
    records = synthetic_records(10_100, days=200)
    # Published on the web on the last day of the range, 200 days after the paper.
    twice = records["10000001"].replace(
        b"<ArticleTitle>",
        b"<ArticleDate><Year>2020</Year><Month>07</Month><Day>18</Day></ArticleDate><ArticleTitle>",
    )
    lab = Lab(tmp_path, records | {"10000001": twice})
    summary = lab.crawl(
        CrawlRequest(
            query="synthetic",
            sort="pub_date",
            dates=DateRange("publication", date(2020, 1, 1), date(2020, 12, 31)),
            batch_size=9_999,
        )
    )
    found = pmids(summary)
    assert len(found) == len(set(found)) == 10_100
    assert all_accounted_for(summary)
    assert found.index("10000001") < 60
    assert [pmid for pmid in found if pmid != "10000001"] == sorted(set(records) - {"10000001"}, reverse=True)
    assert sum(count for count in search_counts(lab) if count <= 9_999) == 10_101


def test_hits_that_lie_in_no_slice_are_told(tmp_path: Path) -> None:
    records = synthetic_records(10_010, days=100)
    undated = {pmid: records[pmid].replace(b"PubMedPubDate", b"Other") for pmid in list(records)[:5]}
    lab = Lab(tmp_path, records | undated)
    summary = lab.crawl(CrawlRequest(query="synthetic", batch_size=9_999))
    assert summary.skipped == {"counted by PubMed, but listed in no slice": 5}
    assert (summary.found, summary.fetched) == (10_010, 10_005)


def test_a_maximum_beyond_9999_lists_no_more_slices_than_it_needs(tmp_path: Path) -> None:
    records = synthetic_records(20_100, days=3)
    lab = Lab(tmp_path, records)
    summary = lab.crawl(CrawlRequest(query="synthetic", maximum=10_050, batch_size=9_999))
    assert pmids(summary) == sorted(records, reverse=True)[:10_050]
    assert summary.skipped == {"over the maximum number": 10_050}
    with pytest.raises(InputError, match=r"20,100 hits, and PubMed orders only 9,999 by relevance"):
        Lab(tmp_path / "relevance", records).crawl(CrawlRequest(query="synthetic", sort="relevance"))


def test_a_maximum_and_unlisted_hits_are_told_apart(tmp_path: Path) -> None:
    records = synthetic_records(10_040, days=100)
    undated = {pmid: records[pmid].replace(b"PubMedPubDate", b"Other") for pmid in list(records)[:20]}
    lab = Lab(tmp_path, records | undated)
    summary = lab.crawl(CrawlRequest(query="synthetic", maximum=10_030, batch_size=9_999))
    assert summary.skipped == {"over the maximum number": 10, "counted by PubMed, but listed in no slice": 10}
    assert (summary.found, summary.fetched) == (10_040, 10_020)


def test_slices_found_before_a_stop_are_not_searched_again(tmp_path: Path) -> None:
    records = synthetic_records(10_100, days=200)
    request = CrawlRequest(query="synthetic", batch_size=9_999)
    calm = Lab(tmp_path / "calm", records)
    calm.crawl(request)
    total = len(calm.double.requests)
    stop = random.Random(1).randrange(2, total - 3)
    lab = Lab(tmp_path / "stopped", records, faults=[None] * stop + [Fault.SERVER_ERROR] * 12)
    with pytest.raises(EntrezUnavailableError):
        lab.crawl(request)
    lab.double._faults = iter(())
    asked = len(lab.double.requests)
    lab.crawl(request)
    assert len(lab.double.requests) - asked == total - stop
    assert file_bytes(tmp_path / "calm") == file_bytes(tmp_path / "stopped")
