"""ragas' own metrics behind a canned judge: scores by hand, by ragas' own client, and every failure counted."""

import json
import math
import sys

import httpx
import openai
import pytest
from llama_index.core.base.embeddings.base import BaseEmbedding

from llama_index_medqa.errors import InputError, MissingExtraError
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.judges import ragas as ragas_judge
from llama_index_medqa.evaluation.judges.model_calls import JudgeServer, ModelCalls
from llama_index_medqa.evaluation.judges.ragas import RagasJudge, load_ragas
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.measures.ragas import RAGAS_NAMES
from llama_index_medqa.evaluation.score import Score
from tests.doubles.judge_double import completion, filled, prompt, transport

SERVER = JudgeServer("http://judge.test/v1", "canned-judge")
# The double calls a statement true when the context has all of its words.
CASE = EvaluationCase("1", "Does tea slow the heart?", ("PMID:1",), ("Tea slows heart. Milk does nothing. Tea helps",))
ANSWER = Answer(
    "Tea slows heart. Tea helps. Tea cures cancer.",
    (Evidence("PMID:1", "Tea helps and slows any heart."), Evidence("PMID:2", "Magnets."), Evidence("PMID:3", "")),
)


class ByWords(BaseEmbedding):
    """Vectors whose cosines are known: a question that begins with "What of" lies at 60 degrees to others."""

    def _get_text_embedding(self, text):
        raise AssertionError("a question is no passage")

    def _get_query_embedding(self, query):
        return [0.5, math.sqrt(0.75)] if query.startswith("What of") else [1.0, 0.0]

    async def _aget_query_embedding(self, query):
        return self._get_query_embedding(query)


async def scores(tmp_path, names=tuple(RAGAS_NAMES), case=CASE, answer=ANSWER, via=None, **settings):
    async with ModelCalls.open(SERVER, tmp_path / "judge.jsonl", timeout=1.0, transport=via or transport()) as calls:
        measures = measures_of(names, ragas=RagasJudge(calls, ByWords(), **settings))
        return [await measure.ascore(case, answer) for measure in measures]


async def test_scores_are_those_of_a_calculation_by_hand(tmp_path):
    found = dict(zip(RAGAS_NAMES, await scores(tmp_path), strict=True))
    values = {name: score.value for name, score in found.items()}
    assert values == {
        "Faithfulness(ragas)": pytest.approx(2 / 3, abs=1e-9),  # of the cure, no context tells
        "ContextPrecision(ragas)": 0.0,  # no context holds the whole reference
        "ContextRecall(ragas)": pytest.approx(2 / 3, abs=1e-9),  # of milk, no context tells
        "AnswerRelevancy(ragas)": pytest.approx(0.5, abs=1e-9),
        "FactualCorrectness(ragas)": 0.67,  # precision 2/3, recall 2/3; ragas rounds
    }
    # The second of two contexts is useful: the average precision is that of rank 2.
    case = EvaluationCase("1", "Magnets?", ("PMID:2",), ("Magnets",))
    precision = (await scores(tmp_path, ["contextprecision(RAGAS)"], case))[0].value
    assert precision == pytest.approx(1 / 2, abs=1e-6)


async def test_ragas_own_client_comes_to_the_same(tmp_path):
    from ragas.llms import llm_factory

    metrics = load_ragas()
    client = openai.AsyncOpenAI(
        api_key="none", base_url=SERVER.api_base, http_client=httpx.AsyncClient(transport=transport(by_prompt))
    )
    model = llm_factory(SERVER.model, client=client)
    contexts = [piece.text for piece in ANSWER.evidence if piece.text]
    question, reference, response = CASE.question, CASE.gold_answers[0], ANSWER.text
    theirs = [
        await metrics.Faithfulness(llm=model).ascore(question, response, contexts),
        await metrics.ContextRecall(llm=model).ascore(question, contexts, reference),
        await metrics.FactualCorrectness(llm=model).ascore(response, reference),
    ]
    ours = await scores(tmp_path, ["Faithfulness(ragas)", "ContextRecall(ragas)", "FactualCorrectness(ragas)"])
    assert [score.value for score in ours] == [float(result.value) for result in theirs]
    await client.close()


def by_prompt(body):
    """The double for ragas' own client, which tells the schema in the prompt only."""
    text = next(message["content"] for message in body["messages"] if "same with the following" in message["content"])
    text = text[: text.index("\nOutput: ", text.index("same with the following")) + len("\nOutput: ")]
    words = {
        "into one or more fully understandable": "StatementGeneratorOutput",
        "judge the faithfulness": "NLIStatementOutput",
        "attributed to the given context": "ContextRecallOutput",
    }
    name = next((name for part, name in words.items() if part in text), "ClaimDecompositionOutput")
    messages = [{"role": "user", "content": text}]
    return completion(json.dumps(filled({"response_format": {"json_schema": {"name": name}}, "messages": messages})))


async def test_the_schema_binds_a_judge_to_what_the_prompt_asks_for(tmp_path):
    seen = []
    await scores(tmp_path, ["Faithfulness(ragas)"], via=transport(seen=seen), max_tokens=77)
    first, second = (body["response_format"]["json_schema"] for body in seen)
    assert [body["max_tokens"] for body in seen] == [77, 77]
    assert [body["temperature"] for body in seen] == [0.0, 0.0]
    assert first["schema"]["additionalProperties"] is False
    statements = second["schema"]["properties"]["statements"]
    assert (statements["minItems"], statements["maxItems"]) == (3, 3)
    assert second["schema"]["$defs"]["StatementFaithfulnessAnswer"]["properties"]["verdict"]["enum"] == [0, 1]
    assert prompt(seen[0]).startswith("Given a question and an answer, analyze the complexity")


def answering(**texts):
    """A judge that fills the schemas named as told, a text or a function of the request, and the others by rule."""

    def answer(body):
        told = texts.get(body["response_format"]["json_schema"]["name"])
        if isinstance(told, httpx.Response):
            return told
        return completion(json.dumps(filled(body)) if told is None else told)

    return transport(answer)


VERDICT = {"statement": "x", "reason": "", "verdict": 1}


@pytest.mark.parametrize(
    ("measure", "told", "reason"),
    [
        ("Faithfulness", {"StatementGeneratorOutput": '{"statements": []}'}, "no statements"),
        ("Faithfulness", {"StatementGeneratorOutput": '{"statements": ["x"'}, "judge invalid JSON"),
        ("Faithfulness", {"StatementGeneratorOutput": '{"claims": ["x"]}'}, "judge invalid JSON"),
        ("Faithfulness", {"StatementGeneratorOutput": ""}, "judge said nothing"),
        ("Faithfulness", {"NLIStatementOutput": json.dumps({"statements": []})}, "no statements"),
        ("Faithfulness", {"NLIStatementOutput": json.dumps({"statements": [VERDICT] * 2})}, "judge miscounted"),
        (
            "Faithfulness",
            {"NLIStatementOutput": json.dumps({"statements": [{**VERDICT, "verdict": 2}] * 3})},
            "judge invalid JSON",
        ),
        ("Faithfulness", {"NLIStatementOutput": httpx.Response(500, text="out of memory")}, "judge HTTP 500"),
        ("ContextRecall", {"ContextRecallOutput": '{"classifications": []}'}, "no statements"),
        ("ContextPrecision", {"ContextPrecisionOutput": '{"reason": "", "verdict": -1}'}, "judge invalid JSON"),
        # Left to itself, ragas gives 0 for these two.
        ("FactualCorrectness", {"ClaimDecompositionOutput": '{"claims": []}'}, "no statements"),
        ("AnswerRelevancy", {"AnswerRelevanceOutput": '{"question": "", "noncommittal": 0}'}, "no statements"),
    ],
)
async def test_a_failure_is_counted_and_never_a_number(tmp_path, measure, told, reason):
    (score,) = await scores(tmp_path, [f"{measure}(ragas)"], via=answering(**told))
    assert (score.value, score.reason, score.applicable) == (None, reason, True)


async def test_a_cut_answer_and_a_number_that_is_none_are_failures_too(tmp_path):
    cut = transport(lambda body: completion('{"statements": ["x", "x", "x"', "length"))
    (score,) = await scores(tmp_path, ["Faithfulness(ragas)"], via=cut)
    assert score.reason == "judge truncated"

    class Nowhere(ByWords):
        def _get_query_embedding(self, query):
            return [0.0, 0.0]

    async with ModelCalls.open(SERVER, tmp_path / "nan.jsonl", transport=transport()) as calls:
        (measure,) = measures_of(["AnswerRelevancy(ragas)"], ragas=RagasJudge(calls, Nowhere()))
        with pytest.warns(RuntimeWarning, match="invalid value"):
            score = await measure.ascore(CASE, ANSWER)
    assert (score.reason, score.detail) == ("not a number", "ragas gave nan")


async def test_what_ragas_itself_raises_is_an_outcome(tmp_path, monkeypatch):
    async def broken(self, **inputs):
        raise KeyError("a bug\nof ragas")

    monkeypatch.setattr(load_ragas().Faithfulness, "ascore", broken)
    (score,) = await scores(tmp_path, ["Faithfulness(ragas)"])
    assert (score.reason, score.detail) == ("ragas failed", "KeyError: 'a bug\\nof ragas'")


async def test_measures_say_nothing_where_there_is_nothing_to_judge(tmp_path):
    bare = EvaluationCase("1", "Does tea slow the heart?", ("PMID:1",))
    silent = Answer("I cannot answer.", ANSWER.evidence, abstained="no_evidence")
    reasons = {}
    for told, case, answer in (
        ("bare", bare, ANSWER),
        ("silent", CASE, silent),
        ("blind", CASE, Answer("Tea.", (Evidence("PMID:1"),))),
    ):
        found = await scores(tmp_path, case=case, answer=answer)
        reasons[told] = [score.reason for score in found]
        assert not any(score.value is None and score.applicable for score in found)
    assert reasons == {
        "bare": ["", *["no gold answer"] * 2, "", "no gold answer"],
        "silent": ["abstained", "", "", "abstained", "abstained"],
        "blind": [*["no evidence text"] * 3, "", ""],
    }
    (empty,) = await scores(tmp_path, ["Faithfulness(ragas)"], answer=Answer(" ", ANSWER.evidence))
    assert empty == Score.unscored("empty answer")


async def test_repeats_are_drawn_anew_and_only_once(tmp_path):
    seen = []

    def drawn(body):
        data = filled(body)
        if body["response_format"]["json_schema"]["name"] == "ContextRecallOutput" and body["seed"] > 1_000:
            data["classifications"][0]["attributed"] ^= 1
        return completion(json.dumps(data))

    for _ in range(2):
        names = ["ContextRecall(ragas)", "AnswerRelevancy(ragas)"]
        options = {"temperature": 0.7, "repeats": 3}
        found = await scores(tmp_path, names, via=transport(drawn, seen), **options)
        assert found[0].repeats == pytest.approx((2 / 3, 1 / 3, 1 / 3))
        assert found[0].value == pytest.approx(4 / 9)
        assert Score.from_data(json.loads(json.dumps(found[0].as_data()))) == found[0]
    # One answer for each repeat, and of relevancy one for each of ragas' three questions too.
    assert sorted(body["seed"] for body in seen) == sorted(
        [1, 1001, 2001, *(base + number for base in (0, 1000, 2000) for number in (1, 2, 3))]
    )
    failed = Score.of_repeats([Score.of(1), Score.unscored("judge timeout"), Score.of(1)])
    assert failed == Score.unscored("judge timeout")


async def test_the_judge_is_named_with_all_that_decides_its_scores(tmp_path):
    async with ModelCalls.open(SERVER, tmp_path / "judge.jsonl", transport=transport()) as calls:
        judge = RagasJudge(calls, ByWords(model_name="by-words"), max_tokens=5)
        recall, relevancy = measures_of(["ContextRecall(ragas)", "AnswerRelevancy(ragas)"], ragas=judge)
        with pytest.raises(InputError, match="give RagasJudge an embedder"):
            await measures_of([relevancy.name], ragas=RagasJudge(calls))[0].ascore(CASE, ANSWER)
    asked = {"judge": "ragas", "ragas": "0.4.3", "model": "canned-judge", "max_tokens": 5, "temperature": 0.0}
    assert recall.judge == {**asked, "repeats": 1}
    assert relevancy.judge == {**asked, "repeats": 1, "embedder": "by-words"}


def test_telemetry_is_off_and_measures_are_by_name_only():
    load_ragas()
    from ragas._analytics import do_not_track

    assert do_not_track()
    assert not {measure.name for measure in measures_of()} & set(RAGAS_NAMES)
    with pytest.raises(InputError, match=r"^Faithfulness\(ragas\) asks a language model"):
        measures_of(["faithfulness(ragas)"])
    with pytest.raises(InputError, match=r"choose among .*ContextRecall"):
        measures_of(["bleu"])


@pytest.fixture
def fresh_load():
    load_ragas.cache_clear()
    yield
    load_ragas.cache_clear()


@pytest.mark.usefixtures("fresh_load")
def test_a_missing_or_broken_ragas_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "ragas.llms.base", None)
    with pytest.raises(InputError, match=r"installed but cannot be imported \(ModuleNotFoundError: .*medqa\[eval\]"):
        load_ragas()
    monkeypatch.setattr(ragas_judge.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install \"llama-index-medqa\[eval\]\""):
        load_ragas()
    assert [measure.name for measure in measures_of(["Accuracy"])] == ["Accuracy"]
