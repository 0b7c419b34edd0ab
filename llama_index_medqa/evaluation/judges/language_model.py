"""Language models as judges, by token chances or by written verdict."""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from llama_index_medqa.errors import JudgeError
from llama_index_medqa.evaluation.judges.model_calls import ModelCalls, written_text
from llama_index_medqa.evaluation.score import Score

# Part of every identity: another number where the prompt or the reading of answers changes.
PROMPT_VERSION = 1
_INSTRUCTIONS = (
    "Read the evidence, then judge the claim. Answer with one word: Yes when the evidence supports the claim, "
    "No when it contradicts the claim, Maybe when it does not say."
)
_ZINC = (
    "The trial compared zinc with placebo in 212 adults. Zinc shortened colds by 1.6 days (p = 0.01), and nausea was "
    "more frequent."
)
_OBESITY = "Obesity was associated with severe influenza in a cohort of 3,100 patients."
_EXAMPLES = (
    (_ZINC, "Zinc makes colds last longer.", "No"),
    (_ZINC, "Colds are shorter with zinc.", "Yes"),
    (_ZINC, "Zinc lowers the risk of pneumonia.", "Maybe"),
    (
        "Mice that lacked the receptor had fewer plaques. No difference was seen in memory tests.",
        "Loss of the receptor impairs memory in mice.",
        "No",
    ),
    (_OBESITY, "Vaccination protects obese people from influenza.", "Maybe"),
    (_OBESITY, "People with obesity get sicker from flu.", "Yes"),
)
_VERDICTS = ("supported", "contradicted", "not said")
_TASK = (
    "Read the evidence, then judge the claim. Answer with JSON: "
    + ", ".join(json.dumps({"verdict": verdict}) for verdict in _VERDICTS[:-1])
    + f" or {json.dumps({'verdict': _VERDICTS[-1]})}."
)
_FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "verdict",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"verdict": {"type": "string", "enum": list(_VERDICTS)}},
            "required": ["verdict"],
            "additionalProperties": False,
        },
    },
}
_MOST_VERDICT_TOKENS = 32
_MOST_LIKELY_TOKENS = 20
# What a word has at most that is not among the most likely ones.
_NEVER = 1e-6


class Opinion(NamedTuple):
    """A model's three chances for a claim, which add up to 1.

    Attributes:
        supports: that the evidence supports it.
        contradicts: that the evidence contradicts it.
        silent: that it does not say.
    """

    supports: float
    contradicts: float
    silent: float


def messages(claim: str, evidence: str) -> list[dict[str, str]]:
    """Build the chat that asks for one word.

    Claims with the same evidence share all but the end of the prompt.
    """
    chat = [{"role": "system", "content": _INSTRUCTIONS}]
    for text, said, answer in _EXAMPLES:
        chat += [{"role": "user", "content": _question(said, text)}, {"role": "assistant", "content": answer}]
    return [*chat, {"role": "user", "content": _question(claim, evidence)}]


def _question(claim: str, evidence: str) -> str:
    return f"Evidence: {evidence}\n\nClaim: {claim}"


class _ModelJudge:
    """A judge that asks a language model.

    Args:
        calls: asks the model.
    """

    name: str

    def __init__(self, calls: ModelCalls) -> None:
        self._calls = calls

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return the identity of the model and the prompt."""
        return {"judge": self.name, "prompt": PROMPT_VERSION, **self._calls.server.identity}


class LogOddsJudge(_ModelJudge):
    """A judge by the chance of "Yes" as the next word.

    It is compared with "No" and "Maybe" in one pass over the prompt; nothing is written.

    Args:
        calls: asks the model. Its server must give log-probabilities of chats, as llama.cpp and vLLM do.
    """

    name = "log-odds"

    async def score_all(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """Return the chance that each claim is supported."""
        opinions = await self.opinions([(claim, "\n".join(evidence)) for claim in claims])
        return [one if isinstance(one, Score) else Score.of(one.supports) for one in opinions]

    async def opinions(self, questions: Sequence[tuple[str, str]]) -> list[Opinion | Score]:
        """Return an opinion on each claim and its evidence.

        A failed request gives a score with the reason.
        """
        return list(await asyncio.gather(*(self._opinion(*question) for question in questions)))

    async def _opinion(self, claim: str, evidence: str) -> Opinion | Score:
        body = {"messages": messages(claim, evidence), "max_tokens": 1, "temperature": 0}
        body |= {"logprobs": True, "top_logprobs": _MOST_LIKELY_TOKENS}
        try:
            return opinion_of(await self._calls.ask("chat/completions", body))
        except JudgeError as error:
            return Score.unscored(error.reason, error.detail)


def opinion_of(answer: Mapping[str, Any]) -> Opinion:
    """Read the chances of the first token.

    Raises:
        JudgeError: there are none, or none is of a verdict.
    """
    try:
        tokens = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        likely = [(str(token["token"]).strip().casefold(), math.exp(float(token["logprob"]))) for token in tokens]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise JudgeError("judge without log-probabilities", f"{error!r}: judge with --judge verdict") from error
    chances = [sum(chance for word, chance in likely if word == wanted) for wanted in ("yes", "no", "maybe")]
    if not sum(chances):
        likeliest = ", ".join(word for word, _ in likely[:3])
        raise JudgeError("judge without verdict", f"the likeliest words are {likeliest}")
    kept = [max(chance, _NEVER) for chance in chances]
    return Opinion(*(chance / sum(kept) for chance in kept))


class VerdictJudge(_ModelJudge):
    """A judge by a verdict that the model writes as JSON.

    The score is 1 for "supported", else 0. For servers without log-probabilities.

    Args:
        calls: asks the model. Its server is asked to keep to a JSON schema, as llama.cpp, vLLM and OpenAI can.
    """

    name = "verdict"

    async def score_all(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """Score claims 1 if called supported, else 0."""
        return list(await asyncio.gather(*(self._score(claim, "\n".join(evidence)) for claim in claims)))

    async def _score(self, claim: str, evidence: str) -> Score:
        chat = [{"role": "system", "content": _TASK}, {"role": "user", "content": _question(claim, evidence)}]
        body = {"messages": chat, "max_tokens": _MOST_VERDICT_TOKENS, "temperature": 0, "response_format": _FORMAT}
        try:
            return _verdict(written_text(await self._calls.ask("chat/completions", body)))
        except JudgeError as error:
            return Score.unscored(error.reason, error.detail)


def _verdict(text: str) -> Score:
    try:
        verdict = json.loads(text)["verdict"]
    except (ValueError, KeyError, TypeError) as error:
        raise JudgeError("judge invalid JSON", text[:200]) from error
    if verdict not in _VERDICTS:
        raise JudgeError("judge without verdict", str(verdict)[:200])
    return Score.of(verdict == _VERDICTS[0])
