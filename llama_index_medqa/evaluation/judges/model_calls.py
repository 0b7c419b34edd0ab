"""Requests to a judge's model, limited in number and kept on disk."""

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from llama_index_medqa._common.jsonl import LineFile, read_rows
from llama_index_medqa.errors import InputError, JudgeError
from llama_index_medqa.llms.content_parts import text_of
from llama_index_medqa.llms.vllm_api import is_loopback, loopback_tls
from llama_index_medqa.redaction import cause, keep_address_secret, keep_secret

_DETAIL_CHARACTERS = 200


@dataclass(frozen=True)
class JudgeServer:
    """Where a judge's model runs.

    Attributes:
        api_base: address of an OpenAI-compatible server, such as ``http://127.0.0.1:8000/v1``.
        model: name under which it serves the model.
        api_key: its key, if it needs one.
        more: what else decides the answers, such as the hash of the weights: what the server does not tell, and a
            name may hide.
    """

    api_base: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, Any]:
        """Return what decides its answers.

        The address does not.
        """
        return {"model": self.model, **self.more}


@dataclass(frozen=True)
class ModelAnswer:
    """What a server answered.

    Attributes:
        data: the JSON object, whole.
        seconds: from the request to it.
    """

    data: Mapping[str, Any]
    seconds: float


@dataclass
class CallTotals:
    """The total cost of judging.

    Attributes:
        calls: requests of this run.
        kept: answers of earlier runs that were used in place of a request.
        failures: requests of this run without an answer, by reason; each is among ``calls``.
        prompt_tokens: read, of all answers, those of earlier runs included.
        answer_tokens: written, of all answers, those of earlier runs included.
        seconds: of all answers together, those of earlier runs included; several may have been under way at once.
    """

    calls: int = 0
    kept: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0

    def add(self, answer: ModelAnswer) -> None:
        """Add the cost of an answer."""
        usage = answer.data.get("usage") or {}
        self.prompt_tokens += usage.get("prompt_tokens") or 0
        self.answer_tokens += usage.get("completion_tokens") or 0
        self.seconds += answer.seconds


def call_key(identity: Mapping[str, Any], path: str, body: Mapping[str, Any]) -> str:
    """Return the key under which an answer is stored.

    It is 32 hexadecimal digits of the model's identity and the whole request.
    """
    content = json.dumps([identity, path, body], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _client(server: JudgeServer, concurrency: int, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    keep_secret(server.api_key)
    keep_address_secret(server.api_base)
    local = is_loopback(server.api_base)
    return httpx.AsyncClient(
        base_url=f"{server.api_base.rstrip('/')}/",
        headers={"Authorization": f"Bearer {server.api_key}"} if server.api_key else {},
        # A proxy of the environment has no way to this machine's own loopback address.
        trust_env=not local,
        verify=loopback_tls() if local else True,
        timeout=None,  # noqa: S113  # one limit for the whole request, kept by ModelCalls
        limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        transport=transport,
    )


class ModelCalls:
    """A client of a judge's model; use :meth:`open`.

    Attributes:
        server: who is asked.
        totals: what it cost so far.
    """

    def __init__(
        self,
        server: JudgeServer,
        client: httpx.AsyncClient,
        file: LineFile,
        known: dict[str, ModelAnswer],
        concurrency: int,
        timeout: float,
    ) -> None:
        self.server = server
        self.totals = CallTotals()
        self._client = client
        self._file = file
        self._known = known
        self._timeout = timeout
        self._slots = asyncio.Semaphore(concurrency)
        self._answers: dict[str, asyncio.Task[ModelAnswer]] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        server: JudgeServer,
        journal: str | Path,
        *,
        concurrency: int = 4,
        timeout: float = 600.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> AsyncIterator["ModelCalls"]:
        """Open the journal of answers for this process alone.

        An answer is in the journal before the next request takes its place, so that a run which is killed and started
        again pays only for what was under way. A request that failed is not kept: another run sends it again.

        Args:
            server: who is asked.
            journal: file of the answers of earlier runs, and of this one.
            concurrency: most requests under way at once. More than the server works on wait there, on its time.
            timeout: seconds after which a request has failed.
            transport: in place of the network, for tests.

        Raises:
            InputError: ``concurrency`` is less than 1, or the journal is broken or in use.
        """
        if concurrency < 1:
            raise InputError(f"At least one request must be under way: concurrency cannot be {concurrency}.")
        client = _client(server, concurrency, transport)
        with LineFile.open(journal) as file:
            known = dict(_kept(location, row) for location, row in read_rows(journal))
            async with client:
                calls = cls(server, client, file, known, concurrency, timeout)
                try:
                    yield calls
                finally:
                    await calls._give_up()

    async def ask(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the server's whole answer to a request.

        The same request is sent once.

        Args:
            path: below the address, such as ``chat/completions``.
            body: the request without ``model``.

        Raises:
            JudgeError: there is none. It is not asked for again in this run.
        """
        key = call_key(self.server.identity, path, body)
        if key not in self._answers:
            self._answers[key] = asyncio.create_task(self._answer(key, path, body))
        return (await self._answers[key]).data

    async def _give_up(self) -> None:
        """Cancel requests under way.

        There are none, unless an error or a keyboard ended the run.
        """
        for task in self._answers.values():
            task.cancel()
        await asyncio.gather(*self._answers.values(), return_exceptions=True)

    async def _answer(self, key: str, path: str, body: Mapping[str, Any]) -> ModelAnswer:
        answer = self._known.get(key)
        if answer is None:
            async with self._slots:
                answer = await self._paid(key, path, {"model": self.server.model, **body})
        else:
            self.totals.kept += 1
        self.totals.add(answer)
        return answer

    async def _paid(self, key: str, path: str, body: Mapping[str, Any]) -> ModelAnswer:
        self.totals.calls += 1
        start = time.perf_counter()
        try:
            data = await self._post(path, body)
        except JudgeError as error:
            self.totals.failures[error.reason] += 1
            raise
        answer = ModelAnswer(data, round(time.perf_counter() - start, 3))
        self._file.add({"key": key, "seconds": answer.seconds, "answer": data})
        return answer

    async def _post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._client.post(path, json=body)
        except TimeoutError as error:
            raise JudgeError("judge timeout", f"no answer within {self._timeout:g} s") from error
        except httpx.TransportError as error:
            raise JudgeError("judge unreachable", f"{type(error).__name__}: {error}") from cause(error)
        if response.is_error:
            raise JudgeError(f"judge HTTP {response.status_code}", response.text[:_DETAIL_CHARACTERS])
        try:
            data = response.json()
        except ValueError as error:
            raise JudgeError("judge unreadable", response.text[:_DETAIL_CHARACTERS]) from error
        if not isinstance(data, dict):
            raise JudgeError("judge unreadable", response.text[:_DETAIL_CHARACTERS])
        return data


def _kept(location: str, row: Any) -> tuple[str, ModelAnswer]:
    try:
        return str(row["key"]), ModelAnswer(dict(row["answer"]), float(row["seconds"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{location}: no answer of a judge's model. Give another file, or remove this one to ask anew."
        ) from error


def written_text(answer: Mapping[str, Any]) -> str:
    """Return the text of a chat completion.

    Raises:
        JudgeError: it was cut off, is empty, or is no chat completion.
    """
    try:
        choice = answer["choices"][0]
        text, reason = text_of(choice["message"]["content"]), choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise JudgeError("judge unreadable", json.dumps(answer)[:_DETAIL_CHARACTERS]) from error
    if reason == "length":
        raise JudgeError("judge truncated", f"… {text[-_DETAIL_CHARACTERS:]}")
    if not text.strip():
        raise JudgeError("judge said nothing", f"finish_reason {reason!r}")
    return text
