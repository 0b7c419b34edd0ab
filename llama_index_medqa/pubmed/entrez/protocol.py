"""The protocol of NCBI's E-utilities, without the network.

Each operation is a generator that yields what is to be done next, a request to send or a time to wait, and is
given the response. The synchronous and the asynchronous client only carry these steps out, so that the rules
(pace, retries, checks) are written once and behave alike in both.

Every request is a POST. Long lists of PMIDs fit, and the API key stands in no address, which is what HTTP
libraries and proxies write into their logs.
"""

import itertools
import random
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import httpx

from llama_index_medqa.errors import EntrezAnswerError, EntrezUnavailableError, InputError
from llama_index_medqa.pubmed.entrez.citation_splitter import CitationSet, CitationXml
from llama_index_medqa.pubmed.entrez.rate_limit import RateLimiter
from llama_index_medqa.pubmed.entrez.responses import (
    MOST_HITS,
    History,
    Scrubber,
    SearchResult,
    TransientProblemError,
    check_answer,
    read_citations,
    read_search,
)
from llama_index_medqa.pubmed.pmids import is_plain_pmid
from llama_index_medqa.redaction import logger_of

_logger = logger_of(__name__)
_Result = TypeVar("_Result")

Sort = Literal["added", "pub_date", "relevance"]
"""Order of hits: most recently added first, most recently published first, best match first."""

_ROUNDS_FOR_DROPPED = 3


@dataclass(frozen=True, slots=True)
class Send:
    """A form to send.

    The answer is handed back, or its :class:`httpx.RequestError` thrown in.

    Attributes:
        url: where to POST it.
        form: the fields; they may hold the API key.
    """

    url: str
    form: dict[str, str]

    def __repr__(self) -> str:
        return f"Send({self.url!r}, {sorted(self.form)})"


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause of some seconds.

    Attributes:
        seconds: how long.
    """

    seconds: float


Conversation = Generator[Send | Wait, httpx.Response | None, _Result]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a request is retried.

    Attributes:
        first_pause_s: seconds before the second attempt; doubled before every further one.
        longest_pause_s: seconds that a pause never exceeds, unless the server asks for more.
        deadline_s: seconds from the first attempt after which no further one is made. Waiting for a slot
            under the rate limit before the first attempt does not count.
        unreadable_attempts: attempts after which an answer that comes but cannot be read is given up.
        jitter: gives a number from 0 to 1; a pause is between half of its length (0) and the whole (1), so
            that clients that failed together do not come back together.
    """

    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    deadline_s: float = 120.0
    unreadable_attempts: int = 4
    jitter: Callable[[], float] = random.random

    def pause(self, attempt: int) -> float:
        """Return the seconds to wait after a failed attempt.

        Attempts are counted from 1.
        """
        # The exponent is bounded because 2.0 ** 1024 overflows; 2 ** 30 is far above any longest pause.
        longest = min(self.longest_pause_s, self.first_pause_s * 2.0 ** min(attempt - 1, 30))
        return longest * (0.5 + 0.5 * self.jitter())


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The answer to a list of PMIDs, all accounted for.

    Attributes:
        content: citations in the order in which they were asked for, and deletions.
        missing: PMIDs that PubMed dropped without a word, also when asked again.
    """

    content: CitationSet
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class EntrezProtocol:
    """Requests with their retries and checks.

    Attributes:
        base_url: address of the E-utilities, with a final slash.
        identity: fields that say who asks: tool, e-mail address and API key.
        limiter: shared by everything that counts against the same limit.
        retry: how often and how long to try.
        scrub: takes the API key out of messages.
    """

    base_url: str
    identity: dict[str, str]
    limiter: RateLimiter
    retry: RetryPolicy
    scrub: Scrubber

    def search(self, term: str, *, sort: Sort, start: int, size: int, history: bool) -> Conversation[SearchResult]:
        """Search PubMed; see :meth:`EntrezClient.search`."""
        if not term.strip():
            raise InputError("The PubMed query is empty. Give a query such as 'heart failure[mesh]'.")
        if not (0 <= start < MOST_HITS and 0 <= size <= MOST_HITS):
            raise InputError(
                f"Hits {start} to {start + size} were asked for; PubMed gives hits 0 to {MOST_HITS - 1}. "
                "Narrow the query by date."
            )
        form = {"term": term, "retmode": "json", "retstart": str(start), "retmax": str(size)}
        if sort != "added":
            form["sort"] = sort
        if history:
            form["usehistory"] = "y"
        return self._ask("esearch", form, lambda body: read_search(body, start, size, self.scrub))

    def fetch(self, pmids: Sequence[str]) -> Conversation[FetchResult]:
        """Fetch records; see :meth:`EntrezClient.fetch`."""
        wanted = tuple(dict.fromkeys(pmids))
        if invalid := [pmid for pmid in wanted if not is_plain_pmid(pmid)]:
            raise InputError(f"{invalid[0]!r} is not a PMID. Give digits without a leading zero.")
        if len(wanted) > MOST_HITS:
            raise InputError(f"{len(wanted):,} PMIDs in one request; give at most {MOST_HITS:,}.")
        return self._fetch_until_complete(wanted)

    def fetch_page(self, history: History, *, start: int, size: int) -> Conversation[CitationSet]:
        """Fetch a page; see :meth:`EntrezClient.fetch_page`."""
        if start < 0 or size < 1 or start + size > MOST_HITS:
            raise InputError(
                f"The page from {start} with {size} records leaves the first {MOST_HITS:,} hits, beyond "
                "which the history server cuts pages without a word. Narrow the query by date."
            )
        form = {
            "WebEnv": history.web_env,
            "query_key": history.query_key,
            "retmode": "xml",
            "retstart": str(start),
            "retmax": str(size),
        }
        due = max(0, min(size, history.count - start))

        def read(body: bytes) -> CitationSet:
            content = read_citations(body, self.scrub)
            if len(content.pmids) != due:
                raise TransientProblemError(
                    f"efetch gave {len(content.pmids)} of the {due} records due from {start}", unreadable=True
                )
            return content

        return self._ask("efetch", form, read)

    def _fetch_until_complete(self, wanted: tuple[str, ...]) -> Conversation[FetchResult]:
        missing = wanted
        delivered: list[CitationSet] = []
        for _ in range(_ROUNDS_FOR_DROPPED):
            if not missing:
                break
            content = yield from self._fetch_once(missing)
            delivered.append(content)
            came = content.pmids
            missing = tuple(pmid for pmid in missing if pmid not in came)
        position = {pmid: number for number, pmid in enumerate(wanted)}

        def in_order(items: Iterable[CitationXml]) -> tuple[CitationXml, ...]:
            return tuple(sorted(items, key=lambda item: position[item.pmid]))

        citations = in_order(item for content in delivered for item in content.citations)
        deletions = in_order(item for content in delivered for item in content.deletions)
        return FetchResult(CitationSet(citations, deletions), missing)

    def _fetch_once(self, pmids: tuple[str, ...]) -> Conversation[CitationSet]:
        def read(body: bytes) -> CitationSet:
            content = read_citations(body, self.scrub)
            if strangers := content.pmids - set(pmids):
                raise TransientProblemError(
                    f"efetch gave PMID {min(strangers)}, which was not asked for", unreadable=True
                )
            return content

        return self._ask("efetch", {"id": ",".join(pmids), "retmode": "xml"}, read)

    def _ask(self, utility: str, form: dict[str, str], read: Callable[[bytes], _Result]) -> Conversation[_Result]:
        """Send a request until its answer can be read.

        Attempts are separated by pauses.
        """
        step = Send(f"{self.base_url}{utility}.fcgi", {"db": "pubmed", **form, **self.identity})
        unreadable, started = 0, None
        for attempt in itertools.count(1):
            while wait := self.limiter.take():
                yield Wait(wait)
            started = self.limiter.clock() if started is None else started
            try:
                response = yield step
                assert response is not None  # noqa: S101 - the runner's side of the protocol, for the type checker
                return read(check_answer(response, self.scrub))
            except httpx.RequestError as error:
                problem = TransientProblemError(self.scrub(f"{type(error).__name__} {error}".strip()))
            except TransientProblemError as error:
                problem = error
            unreadable += problem.unreadable
            pause = max(self.retry.pause(attempt), problem.retry_after or 0.0)
            self._check_patience(utility, problem, unreadable, attempt, self.limiter.clock() + pause - started)
            _logger.warning("%s, attempt %d: %s; next in %.1f s", utility, attempt, problem, pause)
            if problem.retry_after is not None:
                self.limiter.hold(pause)
            yield Wait(pause)
        raise AssertionError("unreachable: counting does not end")

    def _check_patience(
        self, utility: str, problem: TransientProblemError, unreadable: int, attempt: int, seconds: float
    ) -> None:
        """Raise if no further attempt is allowed.

        ``seconds`` is the time since the first.
        """
        if unreadable >= self.retry.unreadable_attempts:
            raise EntrezAnswerError(
                f"{unreadable} answers of {utility} could not be read; the last: {problem} "
                "Try again later, or leave these PMIDs out."
            ) from problem
        if seconds > self.retry.deadline_s:
            raise EntrezUnavailableError(
                f"{utility} at {self.base_url} gave no usable answer in {attempt} attempts within "
                f"{self.retry.deadline_s:g} s; the last: {problem}. Check the connection, or try again later."
            ) from problem
