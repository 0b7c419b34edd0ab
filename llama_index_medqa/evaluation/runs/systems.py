"""Systems under test: query engines and stored answers."""

import asyncio
import hashlib
import importlib
import inspect
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse

from llama_index_medqa._common.files import file_sha256
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer, answer_of
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.runs.journal import read_answers
from llama_index_medqa.evaluation.runs.token_usage import counted_tokens
from llama_index_medqa.indexing.index import PubMedIndex
from llama_index_medqa.profiles import Profile

# Fields of a profile that decide no answer.
_WITHOUT_EFFECT = ("api_base", "description", "follows_index")


class System(Protocol):
    """A system that answers questions."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return what decides its answers, as plain data.

        Answers are stored under it, and it is part of the results.
        """
        ...

    async def answer(self, case: EvaluationCase) -> Answer:
        """Answer one case; several calls may run at once."""
        ...


@dataclass(frozen=True)
class QueryEngineSystem:
    """Any LlamaIndex query engine as a system.

    Attributes:
        engine: it; streams are read to their end.
        identity: see :class:`System`.
    """

    engine: BaseQueryEngine
    identity: Mapping[str, Any]

    async def answer(self, case: EvaluationCase) -> Answer:
        """Ask the engine, and measure time and tokens."""
        start = time.perf_counter()
        with counted_tokens() as usage:
            response = await self.engine.aquery(case.prompt)
            if isinstance(response, AsyncStreamingResponse):
                response = await response.get_response()
            elif isinstance(response, StreamingResponse):
                response = await asyncio.to_thread(response.get_response)
        seconds = round(time.perf_counter() - start, 3)
        whole = response if isinstance(response, Response) else Response(str(response))
        answer = replace(answer_of(whole), seconds=seconds)
        if answer.tokens is None:
            answer = replace(answer, prompt_tokens=usage.prompt_tokens, answer_tokens=usage.answer_tokens)
        return answer


class KnownAnswers:
    """Answers that are known already, as a system.

    Args:
        answers: by id of the case.
        identity: see :class:`System`.
    """

    def __init__(self, answers: Mapping[str, Answer], identity: Mapping[str, Any]) -> None:
        self._answers = answers
        self.identity = identity

    async def answer(self, case: EvaluationCase) -> Answer:
        """Return the known answer.

        Raises:
            InputError: there is none.
        """
        if case.case_id not in self._answers:
            raise InputError(f"the file of answers holds none for the case {case.case_id!r}")
        return self._answers[case.case_id]


class StoredAnswers(KnownAnswers):
    """Answers from a file, for systems that are no query engine.

    A line holds ``id`` (of the case) and ``answer``: a text, or an object with ``text`` and whatever else is known of
    :class:`Answer`.

    Args:
        path: of the file of JSON lines.

    Raises:
        InputError: the file is missing or broken, or answers a case twice.
    """

    def __init__(self, path: str | Path) -> None:
        answers: dict[str, Answer] = {}
        for row in read_answers(path):
            if row.case_id in answers:
                raise InputError(f"{path} answers the case {row.case_id!r} twice: keep the answer of one system.")
            answers[row.case_id] = row.answer
        super().__init__(answers, {"answers": file_sha256(path)[:16]})


def load_engine(name: str) -> QueryEngineSystem:
    """Make a query engine by a function of one's own.

    Args:
        name: ``package.module:function``; it is called without arguments. Modules of the working directory are found.

    Raises:
        InputError: there is no such function, or what it returns is no query engine.
    """
    module_name, _, function_name = name.partition(":")
    if not (module_name and function_name):
        raise InputError(f"--engine takes package.module:function, got {name!r}.")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise InputError(f"--engine {name}: {error}. Run from the folder that holds the module.") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InputError(f"--engine {name}: the module has no function {function_name!r}: correct the name.")
    engine = function()
    if not isinstance(engine, BaseQueryEngine):
        raise InputError(f"--engine {name}: must return a LlamaIndex query engine, got {type(engine).__name__}.")
    source = hashlib.sha256(inspect.getsource(module).encode()).hexdigest()[:16]
    return QueryEngineSystem(engine, {"engine": name, "source": source})


@dataclass(frozen=True)
class IndexContent:
    """The content of an index, as far as it decides answers.

    Attributes:
        fingerprint: 16 hexadecimal digits that change when a record does.
        headings: MeSH headings of all records.
    """

    fingerprint: str
    headings: frozenset[str]


def content_of(index: PubMedIndex) -> IndexContent:
    """Read one row for each document of an index."""
    rows = index.store.metadata_of([f"{document_id}#0" for document_id in index.document_ids()])
    hashes = sorted((node_id, str(row.get("record_hash", ""))) for node_id, row in rows.items())
    headings = frozenset(str(heading) for row in rows.values() for heading in row.get("mesh") or ())
    return IndexContent(hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:16], headings)


def profile_identity(
    profile: Profile, index: PubMedIndex, content: IndexContent, verifier: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the identity of a profile's engine.

    Addresses and folders decide nothing and are left out.

    Args:
        profile: the profile.
        index: the index.
        content: what the index holds.
        verifier: identity of the verifier that decides which sentences are kept.
    """
    settings = {key: value for key, value in asdict(profile).items() if key not in _WITHOUT_EFFECT}
    return {"profile": settings, "index": index.identity, "records": content.fingerprint, "verifier": dict(verifier)}
