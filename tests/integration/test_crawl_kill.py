"""Fifty crawls, killed at random moments while the server fails at random.

Expected values: the records that the double holds, and an undisturbed crawl of them. The rate is measured where
requests are sent, on the system's monotonic clock, which a crawl and its successors share: this process serves
many crawls at once, and where it stalls, requests that were sent well apart arrive together.
"""

import gzip
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from llama_index_medqa.testing import EutilsDouble, Fault, random_faults, synthetic_records

CRAWLS = 50
KEY = "0123456789abcdef0123456789abcdef0123"
RECORDS = synthetic_records(300)
BATCH_SIZE = 20
FEWEST_REQUESTS = 1 + 300 // BATCH_SIZE
UNDELIVERABLE = ["10000042", "10000250"]
BROKEN = "10000111"
LOST_TAG = b"</Abstract>"
SPOILING = {Fault.DROPPED_IDS, Fault.TRUNCATED, Fault.MALFORMED}
QUIET = 4

CHILD = f"""
import json, os, sys, time
from pathlib import Path
import httpx
from llama_index_medqa.pubmed.crawl.crawler import crawl
from llama_index_medqa.pubmed.crawl.request import CrawlRequest
from llama_index_medqa.pubmed.entrez.client import EntrezClient, EntrezSettings
from llama_index_medqa.pubmed.entrez.protocol import RetryPolicy
class NotingTransport(httpx.HTTPTransport):
    def handle_request(self, request):
        os.write(notes, f"{{time.monotonic()}}\\n".encode())
        return super().handle_request(request)
notes = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
retry = RetryPolicy(first_pause_s=0.05, longest_pause_s=0.5, deadline_s=60)
settings = EntrezSettings(base_url=sys.argv[1], api_key="{KEY}", timeout_s=1, retry=retry)
request = CrawlRequest(query="synthetic", batch_size={BATCH_SIZE})
with EntrezClient(settings, transport=NotingTransport()) as client:
    summary = crawl(client, request, Path(sys.argv[2]), workers=2)
print(json.dumps(summary.as_json()))
"""


@dataclass
class Outcome:
    """What is left of one crawl."""

    summary: dict[str, Any]
    files: dict[str, bytes]
    kills: int
    logs: str
    sent: list[float]
    double: EutilsDouble


def records_of(number: int) -> dict[str, bytes]:
    """The double's records; every fifth crawl meets one that is broken and stays so."""
    if number % 5:
        return RECORDS
    return RECORDS | {BROKEN: RECORDS[BROKEN].replace(LOST_TAG, b"")}


def crawl_until_done(number: int, folder: Path, *, disturbed: bool) -> Outcome:
    """Start a crawl, kill it up to three times, and let it finish."""
    source = random.Random(number)
    double = EutilsDouble(
        records_of(number),
        api_key=KEY,
        undeliverable=UNDELIVERABLE,
        retry_after_s=1,
        seed=number,
        faults=without_streaks(random_faults(0.3, seed=number)) if disturbed else (),
    )
    kills, logs, sent = 0, "", folder.with_suffix(".sent")
    planned = source.randint(1, 3) if disturbed else 0
    with double.serve(stall_s=3) as base_url:
        while True:
            process = subprocess.Popen(
                [sys.executable, "-c", CHILD, base_url, str(folder), str(sent)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            if kills < planned:
                wait_for_the_moment(process, double, source)
                process.kill()
            output, errors = process.communicate(timeout=120)
            logs += errors
            if process.returncode == 0:
                break
            assert process.returncode == -9, errors
            kills += 1
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".ledger.jsonl"}
    times = [float(line) for line in sent.read_text().splitlines()]
    return Outcome(json.loads(output), files, kills, logs, times, double)


def without_streaks(faults: Iterator[Fault | None]) -> Iterator[Fault | None]:
    """The faults, but none that spoils an answer soon after another such.

    A record that is dropped, or an answer that is broken, several times in a row is one that PubMed does not
    deliver, and is rightly reported as failed; what always fails is among the records here already.
    """
    undisturbed = QUIET
    for fault in faults:
        allowed = fault not in SPOILING or undisturbed >= QUIET
        undisturbed = 0 if fault in SPOILING and allowed else undisturbed + 1
        yield fault if allowed else None


def busiest_second(times: list[float]) -> int:
    return max(sum(1 for other in times if start <= other < start + 1) for start in times)


def wait_for_the_moment(process: subprocess.Popen[str], double: EutilsDouble, source: random.Random) -> None:
    """Return a random moment after a random number of requests."""
    target = len(double.requests) + source.randint(0, FEWEST_REQUESTS - 2)
    while len(double.requests) < target and process.poll() is None:
        time.sleep(0.005)
    time.sleep(source.uniform(0, 0.15))


def pmids(files: dict[str, bytes]) -> list[str | None]:
    return [
        element.findtext("MedlineCitation/PMID")
        for _, data in sorted(files.items())
        for element in etree.fromstring(gzip.decompress(data))
    ]


@pytest.mark.integration
def test_killed_crawls_equal_undisturbed_ones(tmp_path: Path) -> None:
    calm = {number: crawl_until_done(number, tmp_path / f"calm{number}", disturbed=False) for number in (0, 1)}
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda n: crawl_until_done(n, tmp_path / f"crawl{n}", disturbed=True), range(CRAWLS)))
    for number, outcome in enumerate(outcomes):
        failed = {*UNDELIVERABLE, *([] if number % 5 else [BROKEN])}
        due = [pmid for pmid in sorted(RECORDS, reverse=True) if pmid not in failed]
        # None is lost, doubled or altered.
        assert pmids(outcome.files) == due
        stored = b"".join(gzip.decompress(data) for data in outcome.files.values())
        assert all(RECORDS[pmid] in stored for pmid in due)
        assert outcome.files == calm[min(number % 5, 1)].files
        # No failure is hidden.
        assert set(outcome.summary["failed"]) == failed
        assert (outcome.summary["found"], outcome.summary["fetched"]) == (300, 300 - len(failed))
        # The rate is kept, also across the kills.
        assert busiest_second(outcome.sent) <= 10
        assert len(outcome.sent) >= len(outcome.double.requests)
        assert outcome.double.busiest_second() <= 12
        assert outcome.kills >= 1
        assert KEY not in outcome.logs
    assert sum(outcome.kills for outcome in outcomes) > CRAWLS
    assert sum(request.fault is not None for outcome in outcomes for request in outcome.double.requests) > 200
