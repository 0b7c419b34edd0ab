"""The metrics of ragas 0.4.3; the only module that imports ragas.

The "collections" metrics are taken: they ask for one thing only, a model that fills a given pydantic class, so that the
request, its schema and every failure are ours to see. The older ones go through LangChain, ask the model again where
its JSON is broken, and give NaN for most failures. Prompts and formulas are ragas' own (Es et al. 2024).
"""

import asyncio
import copy
import importlib.util
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from types import ModuleType
from typing import Any, TypeVar

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import BaseModel, ValidationError

from llama_index_medqa.embeddings.embedding import TransformerEmbedding
from llama_index_medqa.errors import InputError, JudgeError, MissingExtraError
from llama_index_medqa.evaluation.judges.model_calls import ModelCalls, written_text
from llama_index_medqa.evaluation.score import Score

_Filled = TypeVar("_Filled", bound=BaseModel)
# Seeds of one judging; ragas asks for three questions of an answer at most.
_SEEDS = 1_000
_COMPARES_QUESTIONS = "AnswerRelevancy"


@cache
def load_ragas() -> ModuleType:
    """Import ragas' metrics with telemetry switched off.

    Raises:
        MissingExtraError: ragas is not installed.
        InputError: it is, and cannot be imported.
    """
    if importlib.util.find_spec("ragas") is None:
        raise MissingExtraError("A measure of ragas", "eval")
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"
    try:
        from ragas.embeddings.base import BaseRagasEmbedding
        from ragas.llms.base import InstructorBaseRagasLLM
        from ragas.metrics import collections
    except Exception as error:  # a version of one of its many dependencies that does not fit raises anything
        raise InputError(
            f"ragas is installed but cannot be imported ({type(error).__name__}: {error}). Install the versions that "
            'fit together with: pip install "llama-index-medqa[eval]"'
        ) from error
    InstructorBaseRagasLLM.register(_FillingModel)
    BaseRagasEmbedding.register(_Questions)
    module: ModuleType = collections
    return module


class RagasJudge:
    """Scores answers by ragas' metrics.

    The language model is behind an OpenAI-compatible server.

    The model's JSON is bound to ragas' schema where the server can do so (llama.cpp, vLLM, OpenAI), tightened by what
    ragas' prompts ask for in words: a verdict is 0 or 1, and there is one for each statement. Elsewhere the same is
    checked afterwards. What fails is never asked again.

    Args:
        calls: asks the model.
        embedder: for ``AnswerRelevancy``, which compares questions; the others need none.
        max_tokens: most tokens of an answer of the model.
        temperature: 0 takes the likeliest tokens; more draws them, with a seed of its own for each repeat.
        repeats: times that each case is judged; the score is the mean.

    Raises:
        MissingExtraError: ragas is not installed.
        InputError: ragas cannot be imported.
    """

    name = "ragas"

    def __init__(
        self,
        calls: ModelCalls,
        embedder: BaseEmbedding | None = None,
        *,
        max_tokens: int = 1024,
        temperature: float = 0.0,
        repeats: int = 1,
    ) -> None:
        self._metrics = load_ragas()
        self._calls = calls
        self._embedder = embedder
        self._repeats = repeats
        self._settings = {"max_tokens": max_tokens, "temperature": temperature}

    def identity_of(self, metric: str) -> Mapping[str, Any]:
        """Return what decides the scores of a metric.

        It is the version of ragas, the model, and how it is asked.
        """
        settings: dict[str, Any] = {**self._settings, "repeats": self._repeats}
        if metric == _COMPARES_QUESTIONS:
            settings |= _identity_of_embedder(self._embedder)
        return {"judge": self.name, "ragas": version("ragas"), **self._calls.server.identity, **settings}

    async def score(self, metric: str, inputs: Mapping[str, Any]) -> Score:
        """Score one answer by one metric.

        Args:
            metric: name of a class of ``ragas.metrics.collections``.
            inputs: what its ``ascore`` takes, none of it empty.
        """
        scores = await asyncio.gather(*(self._once(metric, inputs, repeat) for repeat in range(self._repeats)))
        return scores[0] if self._repeats == 1 else Score.of_repeats(scores)

    async def _once(self, metric: str, inputs: Mapping[str, Any], repeat: int) -> Score:
        components: dict[str, Any] = {"llm": _FillingModel(self._calls, self._settings, _SEEDS * repeat)}
        if metric == _COMPARES_QUESTIONS:
            if self._embedder is None:
                raise InputError(f"{metric} compares questions by their vectors: give RagasJudge an embedder.")
            components["embeddings"] = _Questions(self._embedder)
        try:
            result = await getattr(self._metrics, metric)(**components).ascore(**inputs)
        except JudgeError as error:
            return Score.unscored(error.reason, error.detail)
        except Exception as error:  # noqa: BLE001  # code of others: whatever it raises is the outcome of this case
            return Score.unscored("ragas failed", " ".join(f"{type(error).__name__}: {error}".split()))
        value = float(result.value)
        return Score.of(value) if abs(value) < float("inf") else Score.unscored("not a number", f"ragas gave {value}")


def _identity_of_embedder(embedder: BaseEmbedding | None) -> dict[str, Any]:
    return (
        dict(embedder.identity())
        if isinstance(embedder, TransformerEmbedding)
        else {"embedder": embedder and embedder.model_name}
    )


class _FillingModel:
    """A language model for ragas that fills pydantic classes.

    There is one for each judging of a case.
    """

    def __init__(self, calls: ModelCalls, settings: Mapping[str, Any], first_seed: int) -> None:
        self._calls = calls
        self._settings = settings
        self._first_seed = first_seed
        self._asked: Counter[str] = Counter()
        self._statements: int | None = None

    async def agenerate(self, prompt: str, response_model: type[_Filled]) -> _Filled:
        """Fill a class with the model's answer.

        Raises:
            JudgeError: the model's answer does not.
        """
        schema = _tightened(response_model.model_json_schema(), self._statements)
        body = {
            "messages": [{"role": "user", "content": prompt}],
            **self._settings,
            **self._seed(prompt),
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": response_model.__name__, "strict": True, "schema": schema},
            },
        }
        text = written_text(await self._calls.ask("chat/completions", body))
        try:
            filled = response_model.model_validate_json(text)
        except ValidationError as error:
            raise JudgeError("judge invalid JSON", f"{error.errors()[0]['msg']}: {text[-200:]}") from error
        self._check(filled.model_dump())
        return filled

    def _seed(self, prompt: str) -> dict[str, int]:
        """Return the seed of a sampled answer.

        It is the same in every run, and another for each repeat and each request of ragas.
        """
        if not self._settings["temperature"]:
            return {}
        self._asked[prompt] += 1
        return {"seed": self._first_seed + self._asked[prompt]}

    def _check(self, filled: Mapping[str, Any]) -> None:
        """Raise on answers that ragas would score wrongly.

        Nothing to judge would be a score of 0, and a verdict of 2 would count double.
        """
        for name, value in filled.items():
            if isinstance(value, list):
                self._check_list(name, value)
            elif isinstance(value, int) and value not in (0, 1):
                raise JudgeError("judge invalid JSON", f"{name} must be 0 or 1, not {value}")
            elif name == "question" and not value.strip():
                raise JudgeError("no statements", "the model found no question that the answer answers")

    def _check_list(self, name: str, values: Sequence[Any]) -> None:
        if not values:
            raise JudgeError("no statements", f"the model's list of {name} is empty")
        if isinstance(values[0], str):
            self._statements = len(values)
            return
        if self._statements is not None and len(values) != self._statements:
            raise JudgeError("judge miscounted", f"{len(values)} verdicts for {self._statements} statements")
        for value in values:
            self._check(value)


def _tightened(schema: Mapping[str, Any], statements: int | None) -> dict[str, Any]:
    """Adapt a schema to OpenAI's strict mode.

    What ragas' prompts ask for in words becomes part of it.
    """
    tightened: dict[str, Any] = copy.deepcopy(dict(schema))
    for part in [tightened, *tightened.get("$defs", {}).values()]:
        part["additionalProperties"] = False
        for field in part["properties"].values():
            if field.get("type") == "integer":
                field["enum"] = [0, 1]
            if statements and "$ref" in field.get("items", {}):
                field.update(minItems=statements, maxItems=statements)
    return tightened


class _Questions:
    """An embedder for ragas, which only compares questions."""

    def __init__(self, embedder: BaseEmbedding) -> None:
        self._embedder = embedder

    async def aembed_text(self, text: str) -> list[float]:
        """Embed one question."""
        vector: list[float] = await self._embedder.aget_query_embedding(text)
        return vector

    async def aembed_texts(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed several questions."""
        return [await self.aembed_text(text) for text in texts]
