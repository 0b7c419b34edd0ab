"""The E-utilities clients. Expected values: recorded answers of the live service, the double's records."""

import asyncio
import itertools
import json
import logging
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from llama_index_medqa.errors import (
    EntrezAnswerError,
    EntrezRequestError,
    EntrezUnavailableError,
    HistoryExpiredError,
    InputError,
)
from llama_index_medqa.pubmed.entrez.client import AsyncEntrezClient, EntrezClient, EntrezSettings
from llama_index_medqa.pubmed.entrez.protocol import RetryPolicy
from llama_index_medqa.pubmed.entrez.rate_limit import RateLimiter
from llama_index_medqa.pubmed.entrez.responses import History, SearchResult
from llama_index_medqa.testing import EutilsDouble, Fault, VirtualTime, synthetic_records

KEY = "0123456789abcdef0123456789abcdef0123"
Handler = Callable[[httpx.Request], httpx.Response]


def client_for(handler: Handler, time: VirtualTime, *, api_key: str | None = None, **retry: float) -> EntrezClient:
    limiter = RateLimiter(10 if api_key else 3, clock=time.clock)
    policy = RetryPolicy(**retry)  # type: ignore[arg-type]
    settings = EntrezSettings(email="me@example.org", api_key=api_key, limiter=limiter, retry=policy)
    return EntrezClient(settings, transport=httpx.MockTransport(handler), sleep=time.sleep)


def client_answering(body: bytes | str, status: int = 200) -> EntrezClient:
    return client_for(lambda _: httpx.Response(status, content=body), VirtualTime())


def esearch(count: int, pmids: list[str], **more: object) -> str:
    return json.dumps({"esearchresult": {"count": str(count), "idlist": pmids, **more}})


# Recorded answers


def test_search_reads_recorded_answers(shared_data: Path) -> None:
    recorded = shared_data / "eutils" / "json"
    result = client_answering((recorded / "esearch_ok.json").read_bytes()).search("ydenberg ca[Author]")
    assert result.count == 9
    assert result.pmids[0] == "26147656"
    assert result.pmids[-1] == "18474625"
    assert client_answering((recorded / "esearch_empty.json").read_bytes()).search("x") == SearchResult(0, ())
    history = client_answering((recorded / "esearch_history.json").read_bytes()).search("x", size=0, history=True)
    assert history.history == History("MCID_6a9fbe6de7945a8899092570", "1", 28198)


@pytest.mark.parametrize(
    ("name", "status", "error", "message"),
    [
        ("esearch_retstart_error_raw_newline.json", 200, EntrezRequestError, "first 9,999 hits"),
        ("api_key_invalid_400.json", 400, EntrezRequestError, "does not accept the API key"),
        ("error_forwarding.json", 200, EntrezUnavailableError, "error forwarding request"),
        ("rate_limited_429.json", 429, EntrezUnavailableError, "API rate limit exceeded"),
        ("rate_limited_429.json", 200, EntrezUnavailableError, "API rate limit exceeded"),
        ("esummary_ok_and_missing.json", 200, EntrezAnswerError, "cannot be read"),
    ],
)
def test_search_recognises_recorded_errors(
    shared_data: Path, name: str, status: int, error: type[Exception], message: str
) -> None:
    body = (shared_data / "eutils" / "json" / name).read_bytes()
    with pytest.raises(error, match=message) as caught:
        client_answering(body, status).search("x")
    assert "\n" not in str(caught.value)
    assert "0123456789abcdef" not in str(caught.value)


def test_fetch_recognises_recorded_errors(shared_data: Path) -> None:
    recorded = shared_data / "eutils" / "json"
    with pytest.raises(EntrezRequestError, match="ID list is empty"):
        client_answering((recorded / "efetch_id_list_empty_400.xml").read_bytes(), 400).fetch(["1"])
    with pytest.raises(HistoryExpiredError, match="Search again"):
        client_answering((recorded / "efetch_unable_to_obtain_query.xml").read_bytes()).fetch_page(
            History("MCID_1", "1", 10), start=0, size=10
        )


def test_fetch_reads_a_recorded_answer(shared_data: Path) -> None:
    body = (shared_data / "eutils" / "biopython" / "pubmed1.xml").read_bytes()
    result = client_answering(body).fetch(["12091962", "9997"])
    assert [citation.pmid for citation in result.content.citations] == ["12091962", "9997"]
    assert all(citation.xml in body for citation in result.content.citations)
    assert result.missing == ()


# Retries


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.HISTORY_EXPIRED])
def test_every_fault_is_overcome(fault: Fault) -> None:
    time, records = VirtualTime(), synthetic_records(30)
    double = EutilsDouble(records, faults=[fault, None, fault, fault], api_key=KEY, clock=time.clock)
    client = client_for(double.handle, time, api_key=KEY)
    assert client.search("synthetic").pmids == tuple(reversed(records))
    result = client.fetch(list(records))
    assert [citation.xml for citation in result.content.citations] == list(records.values())
    assert result.missing == ()
    assert not any(request.over_limit for request in double.requests)


def test_pauses_double_and_end_at_the_deadline(caplog: pytest.LogCaptureFixture) -> None:
    time, arrivals = VirtualTime(), []

    def fail(_: httpx.Request) -> httpx.Response:
        arrivals.append(time.clock())
        return httpx.Response(503)

    def full_length() -> float:
        return 1.0

    limiter = RateLimiter(3, clock=time.clock)
    retry = RetryPolicy(first_pause_s=1, longest_pause_s=8, deadline_s=30, jitter=full_length)
    client = EntrezClient(
        EntrezSettings(limiter=limiter, retry=retry), transport=httpx.MockTransport(fail), sleep=time.sleep
    )
    expected = r"6 attempts within 30 s; the last: HTTP 503\. Check the connection"
    with pytest.raises(EntrezUnavailableError, match=expected):
        client.search("x")
    pauses = [later - earlier for earlier, later in itertools.pairwise(arrivals)]
    assert pauses == pytest.approx([1, 2, 4, 8, 8])
    assert "esearch, attempt 1: HTTP 503; next in 1.0 s" in caplog.text


def test_jitter_halves_a_pause_at_most() -> None:
    assert RetryPolicy(first_pause_s=4, jitter=lambda: 0.0).pause(1) == 2
    assert RetryPolicy(first_pause_s=4, jitter=lambda: 0.5).pause(2) == 6
    assert RetryPolicy(first_pause_s=4, longest_pause_s=30, jitter=lambda: 1.0).pause(5000) == 30


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "7"},
        {"Retry-After": "Wed, 21 Oct 2015 07:28:07 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"},
    ],
)
def test_retry_after_holds_every_caller_of_the_limiter(headers: dict[str, str]) -> None:
    time = VirtualTime()
    answers = iter([httpx.Response(429, headers=headers), httpx.Response(200, content=esearch(0, []))])
    client = client_for(lambda _: next(answers), time, first_pause_s=0.01)
    held: list[float] = []

    def sleep(seconds: float) -> None:
        limiter = client.settings.limiter
        assert limiter is not None
        held.append(limiter.take())
        time.sleep(seconds)

    client._sleep = sleep
    client.search("x")
    assert 6.9 < max(held) <= 7


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    time = VirtualTime()
    client = client_for(lambda _: httpx.Response(429, headers={"Retry-After": "3600"}), time, deadline_s=60)
    with pytest.raises(EntrezUnavailableError):
        client.search("x")
    assert time.clock() < 1


def test_refusals_are_not_repeated() -> None:
    time = VirtualTime()
    double = EutilsDouble({}, api_key="other", clock=time.clock)
    with pytest.raises(EntrezRequestError, match="API key") as caught:
        client_for(double.handle, time, api_key=KEY).search("x")
    assert KEY not in str(caught.value)
    with pytest.raises(EntrezRequestError, match="HTTP 404"):
        client_answering("nothing here", 404).search("x")
    assert len(double.requests) == 1


# Counting


@pytest.mark.parametrize("pmids", [["1", "2"], ["1", "2", "3", "4"]])
def test_a_search_with_more_or_fewer_hits_than_counted_is_refused(pmids: list[str]) -> None:
    with pytest.raises(EntrezAnswerError, match=f"gave {len(pmids)} PMIDs where 3 of 3"):
        client_answering(esearch(3, pmids)).search("x")


def test_the_last_page_may_be_short() -> None:
    assert client_answering(esearch(12, ["11", "12"])).search("x", start=10, size=5).pmids == ("11", "12")
    assert client_answering(esearch(20_000, ["7"])).search("x", start=9_998, size=10 - 9).pmids == ("7",)


def test_remarks_on_the_query_are_kept() -> None:
    body = esearch(
        1,
        ["5"],
        errorlist={"phrasesnotfound": ["heat failure"], "fieldsnotfound": []},
        warninglist={"outputmessages": ["No items found.", "Unknown field"]},
    )
    assert client_answering(body).search("x").warnings == (
        "phrasesnotfound: heat failure",
        "outputmessages: Unknown field",
    )


def test_dropped_records_are_asked_for_again_and_then_reported() -> None:
    time, records = VirtualTime(), synthetic_records(10)
    gone = list(records)[3]
    double = EutilsDouble(records, undeliverable=[gone], faults=[Fault.DROPPED_IDS], clock=time.clock)
    result = client_for(double.handle, time).fetch([*records, "99999999"])
    assert result.missing == (gone, "99999999")
    assert [citation.pmid for citation in result.content.citations] == [p for p in records if p != gone]
    assert [len(request.form["id"].split(",")) for request in double.requests][-1] == 2
    assert len(double.requests) == 3


def test_an_empty_answer_is_all_missing_and_deletions_are_told() -> None:
    time = VirtualTime()
    double = EutilsDouble({}, deleted=["5"], clock=time.clock)
    result = client_for(double.handle, time).fetch(["4", "5", "4"])
    assert (result.content.citations, result.content.deleted, result.missing) == ((), ("5",), ("4",))


def test_a_record_that_nobody_asked_for_is_refused() -> None:
    time = VirtualTime()
    double = EutilsDouble(synthetic_records(2), clock=time.clock)
    body = double.answer("efetch.fcgi", {"db": "pubmed", "id": "10000002", "retmode": "xml"}).body
    with pytest.raises(EntrezAnswerError, match="PMID 10000002, which was not asked for"):
        client_answering(body).fetch(["10000001"])


def test_history_pages_are_whole_or_an_error() -> None:
    time, records = VirtualTime(), synthetic_records(25)
    double = EutilsDouble(records, clock=time.clock)
    client = client_for(double.handle, time)
    history = client.search("synthetic", size=0, history=True).history
    assert history is not None
    pages = [client.fetch_page(history, start=start, size=10) for start in (0, 10, 20)]
    assert [c.pmid for page in pages for c in page.citations] == list(reversed(records))
    with pytest.raises(InputError, match="leaves the first 9,999"):
        client.fetch_page(history, start=9_500, size=500)
    double.expire_history()
    with pytest.raises(HistoryExpiredError):
        client.fetch_page(history, start=0, size=10)


def test_a_history_page_with_dropped_records_is_refused() -> None:
    time, records = VirtualTime(), synthetic_records(25)
    double = EutilsDouble(records, undeliverable=list(records)[:1], clock=time.clock)
    client = client_for(double.handle, time)
    history = client.search("synthetic", size=0, history=True).history
    assert history is not None
    with pytest.raises(EntrezAnswerError, match="gave 4 of the 5 records due from 20"):
        client.fetch_page(history, start=20, size=10)


# What is sent


def test_every_request_is_a_post_that_says_who_asks() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=esearch(0, []))

    client_for(answer, VirtualTime(), api_key=KEY).search("heart failure", sort="pub_date", start=2, size=3)
    (request,) = seen
    assert request.method == "POST"
    assert str(request.url) == "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/esearch.fcgi"
    assert dict(httpx.QueryParams(request.content.decode())) == {
        "db": "pubmed",
        "term": "heart failure",
        "retmode": "json",
        "retstart": "2",
        "retmax": "3",
        "sort": "pub_date",
        "tool": "llama-index-medqa",
        "email": "me@example.org",
        "api_key": KEY,
    }


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.search("  "), "query is empty"),
        (lambda c: c.search("x", start=9_999), "gives hits 0 to 9998"),
        (lambda c: c.search("x", size=10_000), "gives hits 0 to 9998"),
        (lambda c: c.fetch(["12", "0"]), "'0' is not a PMID"),
        (lambda c: c.fetch(["PMC12"]), "'PMC12' is not a PMID"),
        (lambda c: c.fetch([str(n) for n in range(1, 10_001)]), "10,000 PMIDs in one request"),
    ],
)
def test_what_cannot_be_answered_is_not_sent(call: Callable[[EntrezClient], object], message: str) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request} was sent")

    with pytest.raises(InputError, match=message):
        call(client_for(refuse, VirtualTime()))


@pytest.mark.parametrize(
    "fields", [{"base_url": "eutils.example.org"}, {"api_key": ""}, {"api_key": "a\nb"}, {"api_key": "clé"}]
)
def test_settings_that_cannot_be_right_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        EntrezSettings(**fields)  # type: ignore[arg-type]
    assert "clé" not in str(caught.value)


# The API key


def test_the_key_is_nowhere_to_be_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    faults = [Fault.RATE_LIMIT, Fault.RATE_LIMIT_STATUS_200, Fault.SERVER_ERROR, Fault.DISCONNECT]
    double = EutilsDouble(synthetic_records(3), api_key=KEY, faults=faults, retry_after_s=0)
    with double.serve(stall_s=0.2) as base_url:
        settings = EntrezSettings(base_url=base_url, api_key=KEY, timeout_s=0.1, retry=RetryPolicy(first_pause_s=0.01))
        with EntrezClient(settings) as client:
            client.search("synthetic")
            shown = repr(client) + repr(client.settings) + str(client.settings)
    assert len(double.requests) == 5
    assert all(request.form["api_key"] == KEY for request in double.requests)
    assert "POST" in caplog.text  # httpx did log the requests
    assert KEY not in caplog.text
    assert KEY not in shown


@pytest.mark.parametrize("padding", range(150, 200, 7))
def test_a_key_at_the_cut_of_an_excerpt_is_removed_whole(padding: int) -> None:
    client = client_for(
        lambda _: httpx.Response(400, content="x" * padding + KEY + "y" * 200), VirtualTime(), api_key=KEY
    )
    with pytest.raises(EntrezRequestError) as caught:
        client.search("x")
    assert KEY[:4] not in str(caught.value)


# Pace


def test_concurrent_threads_and_tasks_keep_the_rate() -> None:
    double = EutilsDouble(synthetic_records(5), api_key=KEY)
    limiter = RateLimiter(10)

    async def search_together(base_url: str) -> None:
        settings = EntrezSettings(base_url=base_url, api_key=KEY, limiter=limiter)
        async with AsyncEntrezClient(settings) as tasks:
            with EntrezClient(settings) as threads:
                await asyncio.gather(
                    *(tasks.search("synthetic") for _ in range(8)),
                    *(asyncio.to_thread(threads.search, "synthetic") for _ in range(8)),
                )

    with double.serve() as base_url:
        asyncio.run(search_together(base_url))
    assert len(double.requests) == 16
    assert double.busiest_second() <= 10


@pytest.mark.parametrize(("api_key", "limit"), [(None, 3), (KEY, 10)])
def test_the_rate_is_kept_and_nearly_used(api_key: str | None, limit: int) -> None:
    time = VirtualTime()
    double = EutilsDouble(synthetic_records(5), api_key=api_key, clock=time.clock)
    client = client_for(double.handle, time, api_key=api_key)
    for _ in range(50):
        client.search("synthetic")
    assert double.busiest_second() <= limit
    assert time.clock() <= 50 / (0.75 * limit)


def test_a_client_started_anew_does_not_add_to_the_former_ones_requests() -> None:
    time = VirtualTime()
    double = EutilsDouble(synthetic_records(5), clock=time.clock)
    for _ in range(10):
        client = client_for(double.handle, time)
        client.search("synthetic")
        client.search("synthetic")
    assert double.busiest_second() <= 3


def test_clients_of_one_server_share_a_limiter_by_default() -> None:
    def limiter(api_key: str | None, base_url: str = "http://127.0.0.1:9/") -> RateLimiter:
        return EntrezSettings(api_key=api_key, base_url=base_url).protocol().limiter

    assert limiter(None) is limiter(None)
    assert limiter(None) is limiter(None, "http://127.0.0.1:9")
    assert limiter(KEY) is not limiter(None)
    assert limiter(None, "http://127.0.0.1:8/") is not limiter(None)


# Both clients


async def test_asynchronous_equals_synchronous() -> None:
    records = synthetic_records(40)
    faults = [Fault.RATE_LIMIT, Fault.TIMEOUT, None, Fault.DROPPED_IDS, Fault.TRUNCATED, None, None]
    outcomes = []
    for asynchronous in (False, True):
        time = VirtualTime()
        double = EutilsDouble(records, faults=faults, undeliverable=["10000007"], clock=time.clock)
        settings = EntrezSettings(limiter=RateLimiter(3, clock=time.clock), retry=RetryPolicy(jitter=lambda: 0.5))
        if asynchronous:
            async with AsyncEntrezClient(settings, transport=double.transport(), sleep=time.sleep_async) as client:
                found = await client.search("synthetic", history=True)
                fetched = await client.fetch(found.pmids)
                assert found.history is not None
                page = await client.fetch_page(found.history, start=0, size=5)
        else:
            with EntrezClient(settings, transport=double.transport(), sleep=time.sleep) as client:
                found = client.search("synthetic", history=True)
                fetched = client.fetch(found.pmids)
                assert found.history is not None
                page = client.fetch_page(found.history, start=0, size=5)
        outcomes.append((found, fetched, page, time.clock(), double.requests))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][1].missing == ("10000007",)
