"""The E-utilities double. Expected values: observed behaviour and recorded answers of the live service."""

import json
import re
import socket
import threading
import time
from datetime import date
from itertools import islice
from pathlib import Path

import httpx
import pytest
from lxml import etree

from llama_index_medqa.testing import EutilsDouble, Fault, VirtualTime, random_faults, synthetic_records

SEARCH = {"db": "pubmed", "retmode": "json"}
FETCH = {"db": "pubmed", "retmode": "xml"}


@pytest.fixture(scope="module")
def large() -> EutilsDouble:
    return EutilsDouble(synthetic_records(10_050, days=10), clock=iter(range(0, 10**6, 10)).__next__)


def search(double: EutilsDouble, **form: object) -> dict[str, object]:
    answer = double.answer("esearch.fcgi", SEARCH | {name: str(value) for name, value in form.items()})
    assert answer.status == 200
    result: dict[str, object] = json.loads(answer.body)["esearchresult"]
    return result


def article(pmid: int, *, journal_date: str, entered: str, revised: str = "", text: str = "") -> bytes:
    def day(value: str) -> str:
        return "".join(
            f"<{name}>{part}</{name}>" for name, part in zip(("Year", "Month", "Day"), value.split("/"), strict=False)
        )

    revision = f"<DateRevised>{day(revised)}</DateRevised>" if revised else ""
    return (
        f"<PubmedArticle><MedlineCitation><PMID>{pmid}</PMID>{revision}<Article><Journal><JournalIssue>"
        f"<PubDate>{day(journal_date)}</PubDate></JournalIssue></Journal><ArticleTitle>{text}</ArticleTitle>"
        "</Article></MedlineCitation><PubmedData><History><PubMedPubDate PubStatus='entrez'>"
        f"{day(entered)}</PubMedPubDate></History></PubmedData></PubmedArticle>"
    ).encode()


@pytest.fixture
def small() -> EutilsDouble:
    return EutilsDouble(
        {
            "1": article(1, journal_date="2020", entered="2021/5/1", revised="2024/2/2", text="heart heart"),
            "2": article(2, journal_date="2021/Mar/9", entered="2020/12/31", text="heart of <i>H.</i> pylori"),
            "3": article(3, journal_date="2019/Dec/31", entered="2022/1/1", text="kidney"),
        },
        clock=iter(range(0, 10**6, 10)).__next__,
    )


# ESearch


def test_numbers_are_strings_and_lists_are_cut_at_9999(large: EutilsDouble) -> None:
    result = search(large, term="synthetic", retmax=100_000)
    assert result["count"] == "10050"
    assert result["retmax"] == "9999"
    assert len(result["idlist"]) == 9_999  # type: ignore[arg-type]


def test_a_page_across_the_end_is_adjusted(large: EutilsDouble) -> None:
    result = search(large, term="synthetic", retstart=9998, retmax=10)
    assert len(result["idlist"]) == 1  # type: ignore[arg-type]
    assert "Restrictions achieved. start and count adjusted to 9998, 1" in json.dumps(result["warninglist"])


def test_beyond_9998_comes_an_error_with_a_raw_newline(large: EutilsDouble, shared_data: Path) -> None:
    answer = large.answer("esearch.fcgi", SEARCH | {"term": "synthetic", "retstart": "9999"})
    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError, match="control character"):
        json.loads(answer.body)
    recorded = (shared_data / "eutils/json/esearch_retstart_error_raw_newline.json").read_text()
    expected = json.loads(recorded, strict=False)["esearchresult"]["ERROR"]
    ours = json.loads(answer.body, strict=False)["esearchresult"]["ERROR"]
    assert expected.startswith(ours)


def test_nothing_found(small: EutilsDouble, shared_data: Path) -> None:
    result = search(small, term="xyzzy")
    recorded = json.loads((shared_data / "eutils/json/esearch_empty.json").read_text())["esearchresult"]
    assert result["warninglist"] == recorded["warninglist"]
    assert (result["count"], result["retmax"], result["idlist"]) == ("0", "0", [])


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"term": "heart"}, ["1", "2"]),
        ({"term": "heart", "sort": "pub_date"}, ["2", "1"]),
        ({"term": "heart", "sort": "relevance"}, ["1", "2"]),
        ({"term": "HEART[ti] AND pylori"}, ["2"]),
        ({"term": "heart pylori"}, ["2"]),
        ({"term": '"of H. pylori"[tiab]'}, ["2"]),
        ({"term": "(pylori OR kidney) NOT kidney"}, ["2"]),
        ({"term": "kidney OR heart AND pylori"}, ["2"]),  # from left to right
        ({"term": "kidney OR (heart AND pylori)"}, ["3", "2"]),
        ({"term": "2020:2020[pdat]"}, ["1"]),
        ({"term": "2020/01/01:2020/01/01[pdat]"}, ["1"]),
        ({"term": "2019/12/31:2021/03[pdat]"}, ["3", "1", "2"]),
        ({"term": "2021:3000[edat]"}, ["3", "1"]),
        ({"term": "2024:2024[mdat]"}, ["1"]),
        ({"term": "2020/12/31:2020/12/31[mdat]"}, ["2"]),
        ({"term": "2:3[uid]"}, ["3", "2"]),
        ({"term": "heart", "datetype": "edat", "mindate": "2021", "maxdate": "2021/05"}, ["1"]),
        ({"term": "heart", "datetype": "edat", "mindate": "2021"}, ["1", "2"]),  # only together
        ({"term": "heart OR kidney", "retstart": "1", "retmax": "1"}, ["1"]),
    ],
)
def test_queries(small: EutilsDouble, form: dict[str, str], expected: list[str]) -> None:
    assert search(small, **form)["idlist"] == expected


def test_xml_is_the_default_and_has_the_recorded_elements(small: EutilsDouble, shared_data: Path) -> None:
    answer = small.answer("esearch.fcgi", {"db": "pubmed", "term": "heart", "usehistory": "y"})
    root = etree.fromstring(answer.body)
    recorded = etree.parse(shared_data / "eutils/biopython/esearch2.xml").getroot()
    names = [child.tag for child in root]
    assert [child.tag for child in recorded if child.tag in names] == names[:-1]
    assert root.xpath("IdList/Id/text()") == ["1", "2"]


# EFetch


def test_fetch_keeps_the_order_and_drops_unknown_ids(small: EutilsDouble) -> None:
    root = etree.fromstring(small.answer("efetch.fcgi", FETCH | {"id": "3,9,1"}).body)
    assert root.xpath("PubmedArticle/MedlineCitation/PMID/text()") == ["3", "1"]
    empty = etree.fromstring(small.answer("efetch.fcgi", FETCH | {"id": "9"}).body)
    assert (empty.tag, len(empty)) == ("PubmedArticleSet", 0)


def test_a_malformed_id_is_refused_as_recorded(small: EutilsDouble, shared_data: Path) -> None:
    answer = small.answer("efetch.fcgi", FETCH | {"id": "0"})
    recorded = (shared_data / "eutils/json/efetch_id_list_empty_400.xml").read_bytes()
    assert answer.status == 400
    assert answer.body.split() == recorded.split()


def test_history_serves_pages_up_to_9999_and_expires(large: EutilsDouble, shared_data: Path) -> None:
    result = search(large, term="synthetic", usehistory="y", retmax=0)
    page = FETCH | {"WebEnv": str(result["webenv"]), "query_key": "1"}
    assert re.fullmatch(r"MCID_[0-9a-f]{24}", str(result["webenv"]))

    def count(start: int, size: int) -> int:
        body = large.answer("efetch.fcgi", page | {"retstart": str(start), "retmax": str(size)}).body
        return body.count(b"</PubmedArticle>")

    assert count(0, 20) == 20
    assert count(9_500, 500) == 499
    assert large.answer("efetch.fcgi", page | {"retstart": "9999"}).status == 400
    large.expire_history()
    answer = large.answer("efetch.fcgi", page)
    recorded = (shared_data / "eutils/json/efetch_unable_to_obtain_query.xml").read_bytes()
    assert (answer.status, answer.body.split()) == (200, recorded.split())


def test_records_change(small: EutilsDouble) -> None:
    small.put("4", article(4, journal_date="2024", entered="2024/1/1", text="liver"))
    small.delete("3")
    assert search(small, term="liver OR kidney")["idlist"] == ["4"]
    root = etree.fromstring(small.answer("efetch.fcgi", FETCH | {"id": "3,4"}).body)
    assert root.xpath("DeleteCitation/PMID/text()") == ["3"]
    assert root.xpath("PubmedArticle//PMID/text()") == ["4"]


# Limits and faults


def test_the_fourth_request_in_a_second_is_refused_and_the_caller_echoed(shared_data: Path) -> None:
    virtual = VirtualTime()
    double = EutilsDouble({}, clock=virtual.clock)
    form = SEARCH | {"term": "x"}
    first = [double.answer("esearch.fcgi", form) for _ in range(4)]
    assert [answer.status for answer in first] == [200, 200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in first[:3]] == ["2", "1", "0"]
    assert first[3].headers["Retry-After"] == "2"
    recorded = json.loads((shared_data / "eutils/json/rate_limited_429.json").read_text())
    assert json.loads(first[3].body) == recorded
    virtual.sleep(1)
    assert double.answer("esearch.fcgi", form).status == 200
    assert double.busiest_second() == 4
    assert [request.over_limit for request in double.requests] == [False, False, False, True, False]


def test_a_key_allows_ten_and_a_wrong_one_nothing() -> None:
    double = EutilsDouble({}, api_key="abc", clock=lambda: 0.0)
    form = SEARCH | {"term": "x", "api_key": "abc"}
    assert [double.answer("esearch.fcgi", form).status for _ in range(11)] == [200] * 10 + [429]
    wrong = EutilsDouble({}, api_key="abc").answer("esearch.fcgi", form | {"api_key": "b"})
    assert (wrong.status, b'"api-key":"b"' in wrong.body) == (400, True)


@pytest.mark.parametrize("transport", ["loopback", "mock"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_faults_over_both_transports(transport: str, method: str) -> None:
    script = [*Fault, None]
    double = EutilsDouble(synthetic_records(20), faults=script, clock=iter(range(0, 1000, 10)).__next__)
    form = FETCH | {"id": ",".join(synthetic_records(20))}

    def outcomes(client: httpx.Client, base_url: str) -> list[object]:
        seen: list[object] = []
        for _ in script:
            sent = {"data": form} if method == "POST" else {"params": form}
            try:
                response = client.request(method, f"{base_url}efetch.fcgi", **sent)  # type: ignore[arg-type]
            except httpx.HTTPError as error:
                seen.append(type(error))
            else:
                whole = response.content.endswith(b"</PubmedArticleSet>")
                seen.append((response.status_code, whole, response.content.count(b"<PubmedArticle>")))
        return seen

    if transport == "mock":
        with httpx.Client(transport=double.transport()) as client:
            seen = outcomes(client, "http://eutils.invalid/")
    else:
        with double.serve(stall_s=1) as base_url, httpx.Client(timeout=0.3) as client:
            seen = outcomes(client, base_url)
    assert [request.fault for request in double.requests] == script
    result = dict(zip(script, seen, strict=True))
    assert result[Fault.RATE_LIMIT] == (429, False, 0)
    assert result[Fault.RATE_LIMIT_STATUS_200] == (200, False, 0)
    assert result[Fault.SERVER_ERROR] == (500, False, 0)
    assert result[Fault.FORWARDING_ERROR] == (200, False, 0)
    assert result[Fault.TIMEOUT] is httpx.ReadTimeout
    assert result[Fault.DISCONNECT] is httpx.RemoteProtocolError
    status, whole, count = result[Fault.TRUNCATED]  # type: ignore[misc]
    assert (status, whole) == (200, False)
    assert 0 < count < 20
    assert result[Fault.MALFORMED] == (200, True, 20)
    status, whole, count = result[Fault.DROPPED_IDS]  # type: ignore[misc]
    assert (status, whole) == (200, True)
    assert 0 < count < 20
    assert result[None] == (200, True, 20)


def test_malformed_is_malformed() -> None:
    for utility, form in (("efetch.fcgi", FETCH | {"id": "1"}), ("esearch.fcgi", SEARCH | {"term": "x"})):
        body = EutilsDouble({}, faults=[Fault.MALFORMED]).answer(utility, form).body
        with pytest.raises(ValueError if utility == "esearch.fcgi" else etree.XMLSyntaxError):
            json.loads(body) if utility == "esearch.fcgi" else etree.fromstring(body)


def test_random_faults_repeat_with_their_seed() -> None:
    first, again, other = (list(islice(random_faults(0.5, seed=seed), 400)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert 150 < sum(fault is not None for fault in first) < 250
    assert set(first) == {*Fault, None}


def test_synthetic_records_are_pubmed_records() -> None:
    records = synthetic_records(30, first_day=date(2020, 1, 30), days=3)
    assert records == synthetic_records(30, first_day=date(2020, 1, 30), days=3)
    assert records != synthetic_records(30, first_day=date(2020, 1, 30), days=3, seed=1)
    assert list(records) == [str(pmid) for pmid in range(10_000_001, 10_000_031)]
    for pmid, xml in records.items():
        assert etree.fromstring(xml).findtext("MedlineCitation/PMID") == pmid
    days = [etree.fromstring(xml).findtext("PubmedData/History/PubMedPubDate/Day") for xml in records.values()]
    assert [days.count(day) for day in ("30", "31", "01")] == [10, 10, 10]


def test_half_a_request_is_no_request() -> None:
    double = EutilsDouble({})
    with double.serve() as base_url:
        port = httpx.URL(base_url).port
        with socket.create_connection(("127.0.0.1", port or 0)) as connection:
            connection.sendall(b"POST /esearch.fcgi HTTP/1.1\r\nContent-Length: 30\r\n\r\ndb=pubmed&term=x")
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
    assert double.requests == []


def test_the_server_answers_many_at_once_and_stops_while_one_waits() -> None:
    double = EutilsDouble({}, faults=[Fault.TIMEOUT])

    def ask(base_url: str) -> None:
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{base_url}esearch.fcgi", timeout=60)

    with double.serve(stall_s=60) as base_url:
        stalled = threading.Thread(target=ask, args=(base_url,))
        stalled.start()
        while not double.requests:
            time.sleep(0.01)
        assert httpx.get(f"{base_url}esearch.fcgi?db=pubmed&term=x").status_code == 200
        assert httpx.get(f"{base_url}other.fcgi?db=pubmed").status_code == 404
    stalled.join(timeout=5)
    assert not stalled.is_alive()
