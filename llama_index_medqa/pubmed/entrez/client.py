"""Clients of NCBI's E-utilities, synchronous and asynchronous.

Both keep NCBI's rules: they say who asks, stay under the allowed rate over all clients of the process, wait
when told to, and give up after a deadline. Nothing that PubMed leaves out goes unnoticed: hits are counted,
and PMIDs are compared with the records that came.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

import httpx

from llama_index_medqa.errors import InputError
from llama_index_medqa.pubmed.entrez.citation_splitter import CitationSet
from llama_index_medqa.pubmed.entrez.protocol import (
    Conversation,
    EntrezProtocol,
    FetchResult,
    RetryPolicy,
    Send,
    Sort,
)
from llama_index_medqa.pubmed.entrez.rate_limit import RateLimiter, shared_limiter
from llama_index_medqa.pubmed.entrez.responses import MOST_HITS, History, Scrubber, SearchResult

BASE_URL = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/"
"""The public address of the E-utilities (NCBI, "A General Introduction to the E-utilities")."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, kw_only=True)
class EntrezSettings:
    """Settings of a client: contact, server and patience.

    Attributes:
        email: where NCBI can reach you before it blocks you; NCBI asks for it.
        api_key: raises the limit from 3 to 10 requests per second; never logged, shown or saved.
        tool: name of the program, for NCBI.
        base_url: address of the E-utilities.
        timeout_s: seconds of silence after which a request has failed.
        retry: how often and how long to try.
        limiter: the rate limit; None for the one that all clients of this process with this address and this
            key share.

    Raises:
        InputError: the address or the API key cannot be right.
    """

    email: str | None = None
    api_key: str | None = field(default=None, repr=False)
    tool: str = "llama-index-medqa"
    base_url: str = BASE_URL
    timeout_s: float = 60.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    limiter: RateLimiter | None = None

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise InputError(f"The address {self.base_url!r} is not an http address. Try {BASE_URL}")
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isalnum()):
            raise InputError(
                "The NCBI API key is empty or holds other characters than letters and digits. "
                "Copy it from the settings of your NCBI account, or give None."
            )

    def protocol(self) -> EntrezProtocol:
        """Return the protocol under these settings."""
        base_url = self.base_url.rstrip("/") + "/"
        who = {"tool": self.tool, "email": self.email, "api_key": self.api_key}
        return EntrezProtocol(
            base_url=base_url,
            identity={name: value for name, value in who.items() if value is not None},
            limiter=self.limiter or shared_limiter(base_url, self.api_key),
            retry=self.retry,
            scrub=Scrubber(self.api_key),
        )


class EntrezClient:
    """A client of PubMed; safe to share between threads.

    Args:
        settings: who asks, where, and with how much patience.
        transport: replaces the network, as ``httpx.MockTransport`` does.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        settings: EntrezSettings | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings or EntrezSettings()
        self._protocol = self.settings.protocol()
        self._http = httpx.Client(
            transport=transport,
            timeout=self.settings.timeout_s,
            headers={"User-Agent": self.settings.tool},
        )
        self._sleep = sleep

    def search(
        self,
        term: str,
        *,
        sort: Sort = "added",
        start: int = 0,
        size: int = MOST_HITS,
        history: bool = False,
    ) -> SearchResult:
        """Search PubMed.

        Args:
            term: a query in PubMed's syntax.
            sort: order of the hits.
            start: hits to leave out at the start, 0 to 9,998.
            size: hits to give at most, 0 to 9,999.
            history: keep the hits on NCBI's history server for :meth:`fetch_page`.

        Raises:
            InputError: the query is empty, or hits beyond the first 9,999 are asked for.
            EntrezError: see :mod:`llama_index_medqa.errors`.
        """
        return self._run(self._protocol.search(term, sort=sort, start=start, size=size, history=history))

    def fetch(self, pmids: Sequence[str]) -> FetchResult:
        """Fetch records in one request.

        Those that PubMed drops are asked for twice more.

        Args:
            pmids: up to 9,999 PMIDs; a repeated one counts once. NCBI answers a few hundred within seconds.

        Raises:
            InputError: something is not a PMID, or there are too many.
            EntrezError: see :mod:`llama_index_medqa.errors`.
        """
        return self._run(self._protocol.fetch(pmids))

    def fetch_page(self, history: History, *, start: int, size: int) -> CitationSet:
        """Fetch a page of a search from the history server.

        Args:
            history: where the search is kept.
            start: hits to leave out at the start.
            size: records to fetch; the page must lie in the first 9,999 hits.

        Raises:
            InputError: the page leaves the first 9,999 hits.
            HistoryExpiredError: the search is no longer kept.
            EntrezAnswerError: fewer records came than the page holds, and it is unknown which are missing.
            EntrezError: see :mod:`llama_index_medqa.errors`.
        """
        return self._run(self._protocol.fetch_page(history, start=start, size=size))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"EntrezClient({self.settings!r})"

    def _run(self, conversation: Conversation[_Result]) -> _Result:
        try:
            step = next(conversation)
            while True:
                if not isinstance(step, Send):
                    self._sleep(step.seconds)
                    step = next(conversation)
                    continue
                try:
                    response = self._http.post(step.url, data=step.form)
                except httpx.RequestError as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(response)
        except StopIteration as stop:
            result: _Result = stop.value
            return result


class AsyncEntrezClient:
    """:class:`EntrezClient` for asyncio.

    Safe to share between the tasks of one event loop.

    Args:
        settings: who asks, where, and with how much patience.
        transport: replaces the network, as ``httpx.MockTransport`` does.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        settings: EntrezSettings | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.settings = settings or EntrezSettings()
        self._protocol = self.settings.protocol()
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=self.settings.timeout_s,
            headers={"User-Agent": self.settings.tool},
        )
        self._sleep = sleep

    async def search(
        self,
        term: str,
        *,
        sort: Sort = "added",
        start: int = 0,
        size: int = MOST_HITS,
        history: bool = False,
    ) -> SearchResult:
        """Search PubMed; see :meth:`EntrezClient.search`."""
        return await self._run(self._protocol.search(term, sort=sort, start=start, size=size, history=history))

    async def fetch(self, pmids: Sequence[str]) -> FetchResult:
        """Fetch records; see :meth:`EntrezClient.fetch`."""
        return await self._run(self._protocol.fetch(pmids))

    async def fetch_page(self, history: History, *, start: int, size: int) -> CitationSet:
        """Fetch a page; see :meth:`EntrezClient.fetch_page`."""
        return await self._run(self._protocol.fetch_page(history, start=start, size=size))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncEntrezClient({self.settings!r})"

    async def _run(self, conversation: Conversation[_Result]) -> _Result:
        try:
            step = next(conversation)
            while True:
                if not isinstance(step, Send):
                    await self._sleep(step.seconds)
                    step = next(conversation)
                    continue
                try:
                    response = await self._http.post(step.url, data=step.form)
                except httpx.RequestError as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(response)
        except StopIteration as stop:
            result: _Result = stop.value
            return result
