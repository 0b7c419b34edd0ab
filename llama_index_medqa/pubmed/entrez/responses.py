"""Reading answers of the E-utilities, and their errors.

The traps are those that public sources report of the live service: a rate-limit body with status 200, errors
inside answers with status 200, a raw newline inside a JSON string, lists that are cut without a word, and the
caller's API key echoed in error bodies.
"""

import email.utils
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from llama_index_medqa.errors import EntrezRequestError, HistoryExpiredError, SourceFormatError
from llama_index_medqa.pubmed.entrez.citation_splitter import CitationSet, split_citations
from llama_index_medqa.pubmed.pmids import is_plain_pmid
from llama_index_medqa.redaction import keep_secret, redacted

MOST_HITS = 9_999
"""ESearch and the history server give the first 9,999 hits of a PubMed search and no more."""

_RETRIED_STATUSES = frozenset({408, 429, *range(500, 600)})
_EXCERPT_CHARACTERS = 200
# What reading JSON of another shape than expected raises.
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class History:
    """A search that NCBI's history server keeps for hours.

    Attributes:
        web_env: the address of the session.
        query_key: the number of the search in it.
        count: hits of the search.
    """

    web_env: str
    query_key: str
    count: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of a search.

    Attributes:
        count: all hits, delivered or not.
        pmids: the hits that were asked for, in PubMed's order; checked to be as many as there must be.
        warnings: what PubMed did not understand or left out of the query; each widens or narrows the search.
        history: where the hits are kept, if that was asked for.
    """

    count: int
    pmids: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    history: History | None = None


class TransientProblemError(Exception):
    """An error that another attempt may solve.

    Args:
        reason: what was wrong with it, free of secrets.
        retry_after: seconds that the server asks to wait, if it does.
        unreadable: whether an answer came that cannot be read, as against none.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None, unreadable: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.unreadable = unreadable


@dataclass(frozen=True, slots=True)
class Scrubber:
    """Removes API keys from texts that people will see.

    What NCBI echoes as a key is removed too.

    Attributes:
        api_key: the key in use.
    """

    api_key: str | None = None

    def __post_init__(self) -> None:
        """Keep the key out of every text from now on."""
        keep_secret(self.api_key)

    def __call__(self, text: str) -> str:
        """Return the text without the key."""
        text = re.sub(r'("api-key"\s*:\s*")[^"]*', r"\1[removed]", redacted(text))
        return text.replace(self.api_key, "[removed]") if self.api_key else text

    def excerpt(self, text: str | bytes) -> str:
        """Return the start of an answer for an error message.

        It is on one line.
        """
        if isinstance(text, bytes):
            text = text.decode("utf-8", errors="replace")
        # Scrubbed before it is cut: half a key at the cut would not be recognised.
        line = " ".join(self(text).split())
        return line if len(line) <= _EXCERPT_CHARACTERS else line[:_EXCERPT_CHARACTERS] + "…"

    def __repr__(self) -> str:
        return "Scrubber()"


def check_answer(response: httpx.Response, scrub: Scrubber) -> bytes:
    """Return an answer's body, or raise its error.

    Raises:
        EntrezRequestError: refused; the same request will be refused again.
        HistoryExpiredError: the history server has forgotten the search.
        TransientProblemError: another attempt may help.
    """
    body, status = response.content, response.status_code
    _check_error_body(body, response, scrub)
    if status in _RETRIED_STATUSES:
        raise TransientProblemError(f"HTTP {status}", retry_after=_retry_after(response))
    _check_error_element(body, status, scrub)
    if status != httpx.codes.OK:
        raise EntrezRequestError(
            f"The E-utilities refused the request with HTTP {status}: {scrub.excerpt(body)}. "
            "Check the address, the query and the PMIDs."
        )
    return body


def _check_error_body(body: bytes, response: httpx.Response, scrub: Scrubber) -> None:
    """Raise on ``{"error": …}``.

    It comes with any status, 200 among them.
    """
    if not body.lstrip().startswith(b"{"):
        return
    try:
        content = json.loads(body, strict=False)
    except (ValueError, RecursionError):
        return
    error = content.get("error")
    if error is None:
        return
    if "API key" in str(error):
        raise EntrezRequestError(
            f"NCBI does not accept the API key ({scrub(str(error))}). Check it in the settings of your NCBI "
            "account, or leave it out: 3 requests per second are allowed without one."
        )
    raise TransientProblemError(f'error "{scrub(str(error))}"', retry_after=_retry_after(response))


def _check_error_element(body: bytes, status: int, scrub: Scrubber) -> None:
    """Raise on ``<eFetchResult><ERROR>…``.

    It comes with status 200 as well as 400.
    """
    if b"<eFetchResult" not in body[:1000]:
        return
    found = re.search(rb"<ERROR>(.*?)</ERROR>", body, re.DOTALL)
    error = scrub.excerpt(found.group(1)) if found else "no reason given"
    if "Unable to obtain query" in error:
        raise HistoryExpiredError(
            f"NCBI's history server no longer holds the search ({error}). Search again, then fetch."
        )
    if status == httpx.codes.BAD_REQUEST:
        raise EntrezRequestError(f"EFetch refused the request: {error} Check the PMIDs or the page.")
    raise TransientProblemError(f'efetch error "{error}"')


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of the ``Retry-After`` header.

    Given as seconds or as a date (RFC 9110, section 10.2.3).
    """
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
        now = email.utils.parsedate_to_datetime(response.headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return None


def read_search(body: bytes, start: int, size: int, scrub: Scrubber) -> SearchResult:
    """Read an esearch answer and check its number of hits.

    Args:
        body: the answer.
        start: hits that were to be left out at the start.
        size: hits that were asked for at most.
        scrub: takes secrets out of messages.

    Raises:
        EntrezRequestError: PubMed cannot search for this.
        TransientProblemError: the answer is broken, or has fewer hits than it must.
    """
    try:
        # strict=False: NCBI puts raw newlines into the strings of its error answers.
        result = json.loads(body, strict=False)["esearchresult"]
        if "ERROR" in result:
            _raise_search_error(str(result["ERROR"]), scrub)
        count = int(result["count"])
        pmids = tuple(str(pmid) for pmid in result["idlist"])
        history = _read_history(result, count)
        warnings = tuple(scrub.excerpt(warning) for warning in _read_warnings(result))
        if not all(is_plain_pmid(pmid) for pmid in pmids):
            raise ValueError("a hit is not a PMID")
    except _UNREADABLE as error:
        raise TransientProblemError(
            f"the esearch answer cannot be read: {scrub.excerpt(body)}", unreadable=True
        ) from error
    expected = max(0, min(size, count - start, MOST_HITS - start))
    if len(pmids) != expected:
        raise TransientProblemError(
            f"esearch gave {len(pmids)} PMIDs where {expected} of {count} hits were due", unreadable=True
        )
    return SearchResult(count, pmids, warnings, history)


def _raise_search_error(error: str, scrub: Scrubber) -> None:
    message = scrub.excerpt(error)
    if "retstart" in error:
        raise EntrezRequestError(f"PubMed gives only the first {MOST_HITS:,} hits of a search: {message}")
    raise TransientProblemError(f'esearch error "{message}"')


def _read_history(result: Mapping[str, Any], count: int) -> History | None:
    if "webenv" not in result:
        return None
    return History(str(result["webenv"]), str(result["querykey"]), count)


def _read_warnings(result: Mapping[str, Any]) -> list[str]:
    """Return PubMed's remarks on the query.

    The remark that nothing was found is left out: the count says so.
    """
    remarks = {**result.get("errorlist", {}), **result.get("warninglist", {})}
    return [f"{kind}: {text}" for kind, texts in remarks.items() for text in texts if text != "No items found."]


def read_citations(body: bytes, scrub: Scrubber) -> CitationSet:
    """Read an efetch answer in XML.

    Raises:
        TransientProblemError: the XML is broken or not PubMed's.
    """
    try:
        return split_citations(body)
    except SourceFormatError as error:
        start = scrub.excerpt(body[:_EXCERPT_CHARACTERS])
        reason = f"{scrub(str(error))} The efetch answer starts with: {start}"
        raise TransientProblemError(reason, unreadable=True) from error
