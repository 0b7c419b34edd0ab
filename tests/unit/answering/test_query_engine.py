"""The engine over a real index with a scripted model."""

import contextlib
import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.prompts import PromptTemplate
from llama_index.llms.openai_like import OpenAILike

from llama_index_medqa import MedQAQueryEngine, VllmLora
from llama_index_medqa.answering.drafting import Piece
from llama_index_medqa.answering.query_engine import MedQAStreamingResponse
from llama_index_medqa.answering.response import FINDINGS_LEAD
from llama_index_medqa.errors import InputError, ServerError
from llama_index_medqa.prompts import ABSTENTION
from llama_index_medqa.testing import ScriptedLLM
from tests.doubles.vllm_double import closes, vllm_double

QUESTION = "What does green tea do to the resting heart rate?"
HARMS = "How often did serious adverse events occur with green tea?"
TRUE = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water [PMID:102]."
INVENTED = "It also prevents strokes in diabetic patients [PMID:101]."
SAFE = "No serious adverse events occurred."
ANSWER = (
    "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water [PMID:101]. "
    "No serious adverse events occurred [PMID:101]."
)


def engine(index, answer, **kwargs) -> MedQAQueryEngine:
    llm = answer if answer == "extractive" else ScriptedLLM([answer])
    return MedQAQueryEngine.from_index(index, llm, **kwargs)


def test_every_sentence_is_tied_to_its_paper_and_span(index, documents):
    response = engine(index, f"{TRUE} {INVENTED} {SAFE}").query(QUESTION)
    assert str(response) == ANSWER
    assert [sentence.text for sentence in response.dropped] == ["It also prevents strokes in diabetic patients."]
    texts = {document.id_: document.text for document in documents}
    for citation in response.citations:
        assert texts[citation.document_id][citation.start : citation.end] == citation.quote
    assert response.abstained is None
    assert response.answered_by == "scripted"
    assert json.loads(json.dumps(response.metadata))["citations"][0]["pmid"] == "101"


async def test_sync_async_and_streams_agree(index):
    answer = f"{TRUE} {INVENTED} {SAFE}"
    plain, streaming = engine(index, answer), engine(index, answer, streaming=True)
    assert str(await plain.aquery(QUESTION)) == ANSWER
    stream = streaming.query(QUESTION)
    assert isinstance(stream, MedQAStreamingResponse)
    deltas = list(stream.response_gen)
    assert deltas == [ANSWER[: ANSWER.index(". ") + 1], ANSWER[ANSWER.index(". ") + 1 :]]
    assert str(stream.get_response()) == ANSWER
    assert str(streaming.query(QUESTION)) == ANSWER
    asynchronous = await streaming.aquery(QUESTION)
    assert "".join([delta async for delta in asynchronous.async_response_gen()]) == ANSWER
    assert (await asynchronous.get_response()).citations == stream.get_response().citations


@pytest.mark.parametrize(
    ("answer", "reason", "explanation"),
    [
        (ABSTENTION, "model_declined", "scripted found no answer in what it was shown."),
        (
            "The passages do not say whether green tea lowers the resting heart rate.",
            "model_declined",
            "scripted found no answer in what it was shown.",
        ),
        (
            "Green tea cures cancer of the pancreas.",
            "nothing_supported",
            "scripted drafted 1 sentence, of which none could be verified.",
        ),
        ("", "nothing_drafted", "scripted drafted no sentence of an answer."),
        (f"<think>{SAFE}</think>", "nothing_drafted", "scripted drafted no sentence of an answer."),
        (
            f"{SAFE} {ABSTENTION}",
            "model_declined",
            "scripted found no answer in what it was shown. What it drafted besides, 1 sentence, is left out.",
        ),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_without_a_verified_answer_findings_are_quoted(index, documents, answer, reason, explanation, streaming):
    response = engine(index, answer, streaming=streaming).query(QUESTION)
    text = str(response)
    response = response.get_response() if streaming else response
    assert (response.outcome, response.abstained, response.explanation) == ("findings", reason, explanation)
    assert (response.sentences, response.citations) == ([], [])
    assert text.endswith(str(response))
    assert str(response).startswith(f"{FINDINGS_LEAD}\n“Green tea lower")
    texts = {document.id_: document.text for document in documents}
    for finding in response.findings:
        assert texts[finding.document_id][finding.start : finding.end] == finding.quote
    assert response.metadata["outcome"] == "findings"
    assert response.metadata["findings"][0]["pmid"] == "101"


@pytest.mark.parametrize("streaming", [False, True])
def test_nothing_is_quoted_where_the_papers_do_not_speak_of_it(index, streaming):
    question = "What is the capital of Mongolia?"
    response = engine(index, "Ulaanbaatar is the capital of Mongolia.", streaming=streaming).query(question)
    assert str(response) == ABSTENTION
    response = response.get_response() if streaming else response
    assert (response.outcome, response.abstained) == ("nothing_found", "no_evidence")
    assert (response.citations, response.findings, response.draft) == ([], [], "")
    assert response.searched == [question]
    assert response.source_nodes


def test_without_evidence_the_model_is_not_asked(index):
    llm = ScriptedLLM(["Ulaanbaatar."])
    MedQAQueryEngine.from_index(index, llm).query("What is the capital of Mongolia?")
    assert llm.prompts == []


def test_the_model_is_shown_each_record_once_with_its_identifier(index):
    llm = ScriptedLLM([SAFE])
    MedQAQueryEngine.from_index(index, llm).query(QUESTION)
    [prompt] = llm.prompts
    assert prompt.count("[PMID:101] Green tea and resting heart rate: a randomized trial.") == 1
    assert prompt.count("Green tea lowers the resting heart rate slightly.") == 1
    assert QUESTION in prompt
    assert "Magnet bracelets" not in prompt


def test_evidence_is_kept_within_its_budget(index):
    llm = ScriptedLLM([SAFE])
    MedQAQueryEngine.from_index(index, llm, evidence_tokens=40).query(QUESTION)
    assert "[PMID:101]" in llm.prompts[0]
    assert "Green tea lowers the resting heart rate slightly." in llm.prompts[0]
    assert "compared with water" not in llm.prompts[0]


def test_extractive_answers_are_quotes(index, documents):
    response = engine(index, "extractive").query(QUESTION)
    assert response.answered_by == "extractive"
    assert response.sentences
    text = documents[0].text
    for sentence in response.sentences:
        assert sentence.text in text
        assert sentence.citations[0].pmid == "101"
    assert "To evaluate" not in str(response)
    assert str(engine(index, "extractive").query("What is the capital of Mongolia?")) == ABSTENTION


def test_prompts_can_be_read_and_changed(index):
    llm = ScriptedLLM([SAFE])
    changed = MedQAQueryEngine.from_index(index, llm)
    assert "{context_str}" in changed.get_prompts()["answer"].get_template()
    changed.update_prompts({"answer": PromptTemplate("Evidence: {context_str} Question: {query_str}")})
    changed.query(QUESTION)
    assert llm.prompts[0].startswith("Evidence: [PMID:101]")


@pytest.mark.parametrize("streaming", [False, True])
def test_events_reach_a_handler(index, streaming):
    handler = LlamaDebugHandler(print_trace_on_end=False)
    watched = engine(index, SAFE, callback_manager=CallbackManager([handler]), streaming=streaming)
    str(watched.query(HARMS))
    [(_, end)] = handler.get_event_pairs(CBEventType.SYNTHESIZE)
    assert str(end.payload["response"]) == "No serious adverse events occurred [PMID:101]."


def test_a_word_that_is_no_model_is_refused(index):
    with pytest.raises(InputError, match="'gpt'"):
        MedQAQueryEngine(index.as_retriever(), "gpt")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 200), max_size=30))
def test_how_the_draft_is_cut_does_not_change_the_answer(index, cuts):
    text = f"{TRUE} [PMID:1] {INVENTED}\n{SAFE} Drugs, e.g. Aspirin, were stopped."
    nodes = index.as_retriever(similarity_top_k=6).retrieve(QUESTION)
    from llama_index_medqa._common.timer import StageTimer
    from llama_index_medqa.answering.context import AnswerContext
    from llama_index_medqa.answering.draft_verification import DraftVerifier
    from llama_index_medqa.answering.response import AnswerIdentity
    from llama_index_medqa.testing import ScriptedEntailment
    from llama_index_medqa.verification.passages import passages_of
    from llama_index_medqa.verification.verifier import ClaimVerifier

    passages, verifier = passages_of(nodes), ClaimVerifier(ScriptedEntailment())

    def said(pieces):
        draft = DraftVerifier(
            AnswerContext(QUESTION, nodes, passages, passages),
            lambda sentence: verifier.verify([sentence], passages)[0],
            AnswerIdentity("scripted", None, "strict"),
            timer=StageTimer(),
        )
        emitted = "".join(part for piece in pieces for part in draft.feed(Piece(piece))) + "".join(draft.finish())
        assert emitted == str(draft.response())
        return emitted, [sentence.text for sentence in draft.response().dropped]

    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert said([text[a:b] for a, b in itertools.pairwise(edges)]) == said([text])


def test_words_of_any_subject_do_not_carry_a_question():
    from llama_index_medqa.answering.answerability import question_coverage
    from llama_index_medqa.verification.passages import Passage

    def coverage(text: str) -> float:
        question = "How should migraine in children be treated?"
        return question_coverage(question, [Passage("PMID:1", "", text, 0, ())])

    assert coverage("Children with fever were treated at home.") < 0.5
    assert coverage("Migraine was rare.") > 0.5
    assert coverage("Children with migraine were treated at home.") == pytest.approx(1.0)


def from_server(*script, window: int = 5000, **more):
    """A model behind a loopback server, and the server."""
    double = vllm_double(*script, window=window)
    server = double.__enter__()
    settings = {"verify_first": False, "max_retries": 0, "max_tokens": 50, **more}
    return VllmLora("base", "adapter", api_base=server.api_base, **settings), double, server


def writes(text: str, reason: str | None):
    """A server that streams a text in two pieces."""

    def step(handler):
        handler.begin_stream()
        handler.send_event(handler.answer(text[:50], None))
        handler.send_event(handler.answer(text[50:], reason))
        handler.send_event("[DONE]")

    return step


@pytest.mark.parametrize("chat", [False, True])
async def test_the_last_sentence_of_a_cut_answer_is_left_out(index, chat):
    # Cut inside "3.5", and yet a whole sentence by its looks.
    text = f"{SAFE} Green tea lowered the resting heart rate by 3."
    llm, double, _ = from_server(*[writes(text, "length")] * 2, writes(f"{SAFE} {SAFE}", "stop"), is_chat_model=chat)
    with contextlib.ExitStack() as stack:
        stack.push(double.__exit__)
        asked = MedQAQueryEngine.from_index(index, llm)
        for response in (asked.query(HARMS), await asked.aquery(HARMS)):
            assert [sentence.text for sentence in response.sentences] == [SAFE]
            assert [sentence.text for sentence in response.dropped] == [text.removeprefix(f"{SAFE} ")]
            assert response.cut_off
            assert response.metadata["cut_off"]
        assert not asked.query(HARMS).cut_off


@pytest.mark.parametrize("chat", [False, True])
async def test_a_broken_stream_is_no_answer(index, chat):
    llm, double, _ = from_server(*[closes] * 2, *[writes(f"{SAFE} {SAFE}", None)] * 2, is_chat_model=chat)
    # LlamaIndex's own client does not tell whether a stream ended in order.
    plain = OpenAILike(model="base", api_base=llm.api_base, api_key="none", is_chat_model=chat, max_retries=0)
    with contextlib.ExitStack() as stack:
        stack.push(double.__exit__)
        for model in (llm, plain):
            asked = MedQAQueryEngine.from_index(index, model)
            with pytest.raises(ServerError, match="broke off its answer"):
                asked.query(QUESTION)
            with pytest.raises(ServerError, match="broke off its answer"):
                await asked.aquery(QUESTION)


@pytest.mark.parametrize("chat", [False, True])
async def test_a_stream_that_ends_in_order_needs_no_reason(index, chat):
    cut = f"{SAFE} Green tea lowered the resting heart"
    llm, double, _ = from_server(*[writes(SAFE, None)] * 2, writes(cut, None), is_chat_model=chat)
    with contextlib.ExitStack() as stack:
        stack.push(double.__exit__)
        asked = MedQAQueryEngine.from_index(index, llm)
        for response in (asked.query(HARMS), await asked.aquery(HARMS)):
            assert [sentence.text for sentence in response.sentences] == [SAFE]
            assert not response.cut_off
        # Nobody says whether the model ended here, and it does not look so.
        response = asked.query(HARMS)
        assert [sentence.text for sentence in response.sentences] == [SAFE]
        assert response.cut_off


def test_evidence_is_shortened_to_the_model_s_window_and_the_question_is_kept(index):
    whole = f"{SAFE} {SAFE}"
    llm, double, server = from_server(writes(whole, "stop"), writes(whole, "stop"), window=5000)
    with contextlib.ExitStack() as stack:
        stack.push(double.__exit__)
        full = MedQAQueryEngine.from_index(index, llm).query(QUESTION)
        asked_in_full = server.requests[-1][1]["prompt"]
        # The double counts words; this leaves room for all but some evidence.
        server.window = len(asked_in_full.split()) + 50 - 12
        small = VllmLora("base", "adapter", api_base=llm.api_base, verify_first=False, max_tokens=50)
        response = MedQAQueryEngine.from_index(index, small).query(QUESTION)
        asked = server.requests[-1][1]["prompt"]
        assert response.evidence_left_out > full.evidence_left_out
        assert f"Question: {QUESTION}\nAnswer:" in asked
        assert len(asked.split()) + 50 <= server.window < len(asked_in_full.split()) + 50
        assert asked.partition("Passages:")[0] == asked_in_full.partition("Passages:")[0]
        server.window = 60
        tiny = VllmLora("base", "adapter", api_base=llm.api_base, verify_first=False, max_tokens=50)
        with pytest.raises(InputError, match=r"tokens too long for the context window of 'adapter' \(60 tokens\)"):
            MedQAQueryEngine.from_index(index, tiny).query(QUESTION)
