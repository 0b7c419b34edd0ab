"""A double of NCBI's E-utilities: ESearch and EFetch with limits and failures.

It answers as public sources report of the live service, and as recorded answers show: strings for numbers, a
silent cut at 9,999 hits, a raw newline inside a JSON string, records dropped without a word, errors with HTTP
status 200. One implementation answers both in the process, as an ``httpx`` transport, and over HTTP on the
loopback interface::

    double = EutilsDouble(synthetic_records(500), faults=[Fault.RATE_LIMIT, None, Fault.TRUNCATED])
    client = EntrezClient(transport=double.transport())
    with double.serve() as base_url:
        client = EntrezClient(EntrezSettings(base_url=base_url))
    assert double.busiest_second() <= 3

Queries are understood as far as :class:`~llama_index_medqa.testing.eutils_corpus.Corpus` says.
"""

import html
import json
import random
import re
import threading
import time
import urllib.parse
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import httpx

from llama_index_medqa.testing.eutils_corpus import Corpus
from llama_index_medqa.testing.eutils_faults import (
    ANSWERED_AS_USUAL,
    Fault,
    HttpAnswer,
    rate_limit_answer,
    spoil,
)
from llama_index_medqa.testing.eutils_server import serve

_MOST_HITS = 9_999
_JSON = {"Content-Type": "application/json; charset=UTF-8"}
_XML = {"Content-Type": "text/xml; charset=UTF-8"}
_CALLER = "203.0.113.7"  # an address reserved for documentation (RFC 5737)
_RETSTART_ERROR = (
    "Search Backend failed: Exception:\n'retstart' cannot be larger than 9998. For PubMed, ESearch can only "
    "retrieve the first 9,999 records matching the query."
)


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request to the double.

    Attributes:
        time: when it arrived, on the double's clock, in seconds.
        utility: ``esearch.fcgi`` or ``efetch.fcgi``.
        form: its fields, from the body or the address.
        fault: what was made to go wrong with it.
        over_limit: whether it was one too many within a second.
    """

    time: float
    utility: str
    form: Mapping[str, str]
    fault: Fault | None
    over_limit: bool


class EutilsDouble:
    """Answers E-utilities requests from records in memory.

    Args:
        records: ``PubmedArticle`` or ``PubmedBookArticle`` elements by PMID, as bytes.
        faults: what is to go wrong with each request in turn; None for nothing, and nothing after the last.
        api_key: the one key that is accepted; with it, 10 requests per second are allowed instead of 3.
        deleted: PMIDs that EFetch declares deleted.
        undeliverable: PMIDs that searches find and EFetch always drops.
        retry_after_s: seconds that rate-limit answers ask to wait.
        seed: decides which records a :attr:`Fault.DROPPED_IDS` drops.
        clock: tells when requests arrive, in seconds.

    Attributes:
        requests: every request so far, in the order of arrival.
    """

    def __init__(
        self,
        records: Mapping[str, bytes],
        *,
        faults: Iterable[Fault | None] = (),
        api_key: str | None = None,
        deleted: Collection[str] = (),
        undeliverable: Collection[str] = (),
        retry_after_s: int = 2,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.requests: list[ReceivedRequest] = []
        self._records = dict(records)
        self._corpus = Corpus(records)
        self._faults = iter(faults)
        self._api_key = api_key
        self._deleted = set(deleted)
        self._undeliverable = set(undeliverable)
        self._retry_after_s = retry_after_s
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._clock = clock
        self._history: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def transport(self) -> httpx.MockTransport:
        """Return a transport for ``httpx`` clients that stays in the process.

        Synchronous and asynchronous.
        """
        return httpx.MockTransport(self.handle)

    def serve(self, *, stall_s: float = 5.0) -> AbstractContextManager[str]:
        """Serve over HTTP on the loopback interface.

        Args:
            stall_s: seconds of silence after :attr:`Fault.TIMEOUT` before the connection is closed.

        Returns:
            A context manager that gives the base address.
        """
        return serve(self.answer, stall_s)

    def put(self, pmid: str, xml: bytes) -> None:
        """Add a record or replace it."""
        with self._lock:
            self._records[pmid] = xml
            self._corpus.put(pmid, xml)

    def delete(self, pmid: str) -> None:
        """Delete a record.

        Searches no longer find it, and EFetch declares it deleted.
        """
        with self._lock:
            del self._records[pmid]
            self._corpus.remove(pmid)
            self._deleted.add(pmid)

    def expire_history(self) -> None:
        """Forget all searches that were kept on the history server."""
        self._history.clear()

    def busiest_second(self) -> int:
        """Return the most requests within any one second."""
        times = sorted(request.time for request in self.requests)
        return max((bisect_left(times, time + 1) - number for number, time in enumerate(times)), default=0)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer a request as the handler of an ``httpx.MockTransport``.

        Raises:
            httpx.ReadTimeout: for :attr:`Fault.TIMEOUT`.
            httpx.RemoteProtocolError: for :attr:`Fault.DISCONNECT`.
        """
        text = request.content.decode() if request.method == "POST" else request.url.query.decode()
        utility = request.url.path.rsplit("/", 1)[-1]
        answer = self.answer(utility, dict(urllib.parse.parse_qsl(text)))
        if answer.delivery == "timeout":
            raise httpx.ReadTimeout("The read operation timed out", request=request)
        if answer.delivery == "disconnect":
            raise httpx.RemoteProtocolError("peer closed connection", request=request)
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)

    def answer(self, utility: str, form: Mapping[str, str]) -> HttpAnswer:
        """Answer a request to a utility, over any transport."""
        with self._lock:
            caller, limit = form.get("api_key", _CALLER), 10 if "api_key" in form else 3
            now = self._clock()
            recent = sum(1 for request in self.requests if request.time > now - 1)
            over_limit = recent >= limit
            fault = None if over_limit else next(self._faults, None)
            self.requests.append(ReceivedRequest(now, utility, dict(form), fault, over_limit))
            if "api_key" in form and form["api_key"] != self._api_key:
                body = f'{{"error":"API key\ninvalid","api-key":"{caller}","type":"invalid","status":"unknown"}}'
                return HttpAnswer(400, body.encode(), dict(_JSON))
            if over_limit or fault is Fault.RATE_LIMIT:
                return rate_limit_answer(429, caller, limit, self._retry_after_s)
            if fault is Fault.RATE_LIMIT_STATUS_200:
                return rate_limit_answer(200, caller, limit, self._retry_after_s)
            answer = self._answer_undisturbed(utility, form, fault)
            answer.headers["X-RateLimit-Limit"] = str(limit)
            answer.headers["X-RateLimit-Remaining"] = str(limit - recent - 1)
            return answer if fault is None or fault in ANSWERED_AS_USUAL else spoil(answer, fault)

    def _answer_undisturbed(self, utility: str, form: Mapping[str, str], fault: Fault | None) -> HttpAnswer:
        if fault is Fault.HISTORY_EXPIRED:
            self._history.clear()
        if form.get("db") != "pubmed":
            return HttpAnswer(400, b'{"error":"Invalid db name specified"}', dict(_JSON))
        if utility == "esearch.fcgi":
            return self._search(form)
        if utility == "efetch.fcgi":
            return self._fetch(form, drop=fault is Fault.DROPPED_IDS)
        return HttpAnswer(404, b"The double knows esearch.fcgi and efetch.fcgi only.", {})

    def _search(self, form: Mapping[str, str]) -> HttpAnswer:
        hits = self._corpus.search(_with_dates(form), form.get("sort", ""))
        start, size = int(form.get("retstart", 0)), min(int(form.get("retmax", 20)), _MOST_HITS)
        if start >= _MOST_HITS:
            if form.get("retmode") != "json":
                error = f"<ERROR>{html.escape(_RETSTART_ERROR)}</ERROR>"
                return HttpAnswer(200, _search_xml(error), dict(_XML))
            # NCBI leaves the newline inside the string as it is, which strict JSON parsers refuse.
            body = json.dumps({"esearchresult": {"ERROR": _RETSTART_ERROR}}).replace("\\n", "\n")
            return HttpAnswer(200, body.encode(), dict(_JSON))
        warnings = [] if hits else ["No items found."]
        if start + size > _MOST_HITS:
            size = _MOST_HITS - start
            warnings.append(f"Restrictions achieved. start and count adjusted to {start}, {size}")
        page = hits[start : start + size]
        web_env = self._keep(hits) if form.get("usehistory") == "y" else None
        if form.get("retmode") == "json":
            return HttpAnswer(200, _search_json(len(hits), start, page, web_env, warnings), dict(_JSON))
        history = f"<QueryKey>1</QueryKey><WebEnv>{web_env}</WebEnv>" if web_env else ""
        ids = "".join(f"<Id>{pmid}</Id>\n" for pmid in page)
        remarks = "".join(f"<OutputMessage>{text}</OutputMessage>" for text in warnings)
        counts = f"<Count>{len(hits)}</Count><RetMax>{len(page)}</RetMax><RetStart>{start}</RetStart>"
        content = f"{counts}{history}<IdList>\n{ids}</IdList><WarningList>{remarks}</WarningList>"
        return HttpAnswer(200, _search_xml(content), dict(_XML))

    def _keep(self, hits: list[str]) -> str:
        web_env = f"MCID_{self._random.getrandbits(96):024x}"
        self._history[web_env] = hits
        return web_env

    def _fetch(self, form: Mapping[str, str], *, drop: bool) -> HttpAnswer:
        if form.get("retmode") != "xml":
            return HttpAnswer(400, b"The double fetches with retmode=xml only.", {})
        if "WebEnv" in form:
            start, size = int(form.get("retstart", 0)), int(form.get("retmax", 20))
            if start >= _MOST_HITS:
                return _fetch_error(400, "'retstart' cannot be larger than 9998.")
            if form["WebEnv"] not in self._history:
                return _fetch_error(200, "Unable to obtain query #1")
            wanted = self._history[form["WebEnv"]][start : min(start + size, _MOST_HITS)]
        else:
            wanted = [pmid.strip() for pmid in form.get("id", "").split(",")]
            if not any(re.fullmatch(r"0*[1-9]\d*", pmid) for pmid in wanted):
                return _fetch_error(400, "ID list is empty! Possibly it has no correct IDs.")
        found = [pmid for pmid in wanted if pmid in self._records and pmid not in self._undeliverable]
        if drop:
            found = [pmid for pmid in found if self._random.random() < 0.7]
        deleted = [pmid for pmid in wanted if pmid in self._deleted]
        return HttpAnswer(200, self._article_set(found, deleted), dict(_XML))

    def _article_set(self, pmids: list[str], deleted: list[str]) -> bytes:
        parts = [
            b'<?xml version="1.0" ?>\n'
            b'<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
            b'"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">\n<PubmedArticleSet>',
            *(self._records[pmid] for pmid in pmids),
        ]
        if deleted:
            listed = "".join(f'<PMID Version="1">{pmid}</PMID>' for pmid in deleted)
            parts.append(f"<DeleteCitation>{listed}</DeleteCitation>".encode())
        return b"\n".join([*parts, b"</PubmedArticleSet>"])


def _with_dates(form: Mapping[str, str]) -> str:
    """Add the form's date fields to the query, as PubMed does."""
    term = form.get("term", "")
    if "mindate" not in form or "maxdate" not in form:
        return term
    return f"({term}) AND {form['mindate']}:{form['maxdate']}[{form.get('datetype', 'pdat')}]"


def _search_json(count: int, start: int, page: list[str], web_env: str | None, warnings: list[str]) -> bytes:
    result: dict[str, object] = {"count": str(count), "retmax": str(len(page)), "retstart": str(start)}
    if web_env:
        result |= {"querykey": "1", "webenv": web_env}
    result |= {"idlist": page, "translationset": [], "querytranslation": ""}
    if warnings:
        result["warninglist"] = {
            "phrasesignored": [],
            "quotedphrasesnotfound": [],
            "outputmessages": warnings,
        }
    header = {"type": "esearch", "version": "0.3"}
    return json.dumps({"header": header, "esearchresult": result}).encode()


def _search_xml(content: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8" ?>\n'
        '<!DOCTYPE eSearchResult PUBLIC "-//NLM//DTD esearch 20060628//EN" '
        '"https://eutils.ncbi.nlm.nih.gov/eutils/dtd/20060628/esearch.dtd">\n'
        f"<eSearchResult>{content}</eSearchResult>\n"
    ).encode()


def _fetch_error(status: int, text: str) -> HttpAnswer:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE eEfetchResult PUBLIC "-//NLM//DTD efetch 20131226//EN" '
        '"https://eutils.ncbi.nlm.nih.gov/eutils/dtd/20131226/efetch.dtd">\n'
        f"<eFetchResult>\n\t<ERROR>{text}</ERROR>\n</eFetchResult>\n"
    )
    return HttpAnswer(status, body.encode(), dict(_XML))
