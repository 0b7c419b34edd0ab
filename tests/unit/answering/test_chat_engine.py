"""Conversations over a real index with a scripted model."""

import pytest
from llama_index.core.base.llms.types import ChatMessage, MessageRole

from llama_index_medqa import MedQAQueryEngine
from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.retrieval.paper_filter import PaperFilter
from llama_index_medqa.testing import ScriptedLLM

QUESTION = "What does green tea do to the resting heart rate?"
TRUE = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water."
HARMS = "How often did serious adverse events occur with green tea?"
SAFE = "No serious adverse events occurred."


def test_a_follow_up_is_made_a_question_that_stands_alone(index):
    rewritten = "Is green tea safe for the resting heart rate?"
    llm = ScriptedLLM([TRUE, rewritten, SAFE])
    chat = MedQAQueryEngine.from_index(index, llm).as_chat_engine()
    assert str(chat.chat(QUESTION)).endswith("[PMID:101].")
    answer = chat.chat("And is it safe?")
    assert str(answer) == "No serious adverse events occurred [PMID:101]."
    assert isinstance(answer.sources[0].raw_output, MedQAResponse)
    assert answer.source_nodes
    condensing, answering = llm.prompts[1:]
    assert QUESTION in condensing
    assert "Last question: And is it safe?" in condensing
    assert f"Question: {rewritten}" in answering
    assert [item.role for item in chat.chat_history] == [MessageRole.USER, MessageRole.ASSISTANT] * 2


def test_a_message_that_stands_alone_costs_no_rewriting(index):
    llm = ScriptedLLM([TRUE])
    chat = MedQAQueryEngine.from_index(index, llm).as_chat_engine()
    chat.chat(QUESTION)
    chat.chat("Does sleep duration change blood pressure in nurses?")
    assert len(llm.prompts) == 2


def test_without_a_model_the_question_before_is_put_in_front(index):
    chat = MedQAQueryEngine.from_index(index, "extractive").as_chat_engine()
    chat.chat(QUESTION)
    answer = chat.chat("Is it safe?")
    assert answer.sources[0].raw_input == {"query": f"{QUESTION} Is it safe?"}


def test_an_earlier_answer_is_no_evidence(index):
    history = [
        ChatMessage("What cures cancer?", role=MessageRole.USER),
        ChatMessage("Ulaanbaatar moss cures cancer.", role=MessageRole.ASSISTANT),
    ]
    llm = ScriptedLLM(["Does Ulaanbaatar moss cure cancer?", "Ulaanbaatar moss cures cancer."])
    answer = MedQAQueryEngine.from_index(index, llm).as_chat_engine().chat("Does it really?", chat_history=history)
    assert not answer.sources[0].raw_output.sentences
    assert "Ulaanbaatar" not in str(answer)


async def test_streams_and_async_say_the_same(index):
    expected = "No serious adverse events occurred [PMID:101]."

    def chat():
        return MedQAQueryEngine.from_index(index, ScriptedLLM([SAFE])).as_chat_engine()

    assert str(await chat().achat(HARMS)) == expected
    streaming = chat()
    stream = streaming.stream_chat(HARMS)
    assert "".join(stream.response_gen) == expected
    assert stream.response == expected
    assert [str(item.content) for item in streaming.chat_history] == [HARMS, expected]
    asynchronous = await streaming.astream_chat(HARMS)
    assert "".join([delta async for delta in asynchronous.async_response_gen()]) == expected
    streaming.reset()
    assert streaming.chat_history == []


async def test_a_filter_holds_for_every_message_until_another_is_set(index):
    def outcome(reply):
        return reply.sources[0].raw_output.outcome

    chat = MedQAQueryEngine.from_index(index, "extractive").as_chat_engine(papers=PaperFilter(first_year=2022))
    assert outcome(chat.chat(QUESTION)) == "nothing_found"
    chat.papers = PaperFilter(first_year=2021)
    assert outcome(chat.chat(HARMS)) == "answer"
    assert outcome(await chat.achat("And with green tea, is it safe?")) == "answer"
    chat.papers = PaperFilter(last_year=2019)
    assert outcome(await chat.achat(HARMS)) == "nothing_found"
    stream = chat.stream_chat(HARMS)
    assert "I cannot answer this from the indexed literature." in "".join(stream.response_gen)


CHAIN = ["Does green tea lower the heart rate in adults?", "And in women?", "And what of coffee?"]


def history_of(questions):
    return [
        ChatMessage(text, role=role)
        for question in questions
        for text, role in ((question, MessageRole.USER), ("It does.", MessageRole.ASSISTANT))
    ]


def test_a_chain_of_follow_ups_keeps_what_the_first_asked(index):
    chat = MedQAQueryEngine.from_index(index, "extractive").as_chat_engine()
    answer = chat.chat(CHAIN[2], chat_history=history_of(CHAIN[:2]))
    assert answer.sources[0].raw_input == {"query": " ".join(CHAIN)}
    # A question that stands alone begins a chain of its own.
    alone = ["Does sleep duration change blood pressure in nurses?", *CHAIN[:1]]
    answer = chat.chat("And in women?", chat_history=history_of(alone))
    assert answer.sources[0].raw_input == {"query": f"{CHAIN[0]} And in women?"}


def test_other_people_take_the_place_of_those_before(index):
    chat = MedQAQueryEngine.from_index(index, "extractive").as_chat_engine()
    answer = chat.chat("And in children?", chat_history=history_of(CHAIN[:2]))
    assert answer.sources[0].raw_input == {"query": f"{CHAIN[0]} And in children?"}


@pytest.mark.parametrize(
    ("rewritten", "asked"),
    [
        ("Does green tea lower the heart rate in women?", "Does green tea lower the heart rate in women?"),
        ("Is the female heart rate lower with green tea?", "Is the female heart rate lower with green tea?"),
        # The model left the population out, or said nothing.
        (CHAIN[0], " ".join(CHAIN[:2])),
        ("", " ".join(CHAIN[:2])),
    ],
)
async def test_a_rewritten_follow_up_holds_the_population_that_is_asked_for(index, rewritten, asked):
    papers = PaperFilter(first_year=2001)
    for ask in ("chat", "achat"):
        llm = ScriptedLLM([rewritten, TRUE])
        chat = MedQAQueryEngine.from_index(index, llm).as_chat_engine(papers=papers)
        history = history_of(CHAIN[:1])
        answer = chat.chat(CHAIN[1], history) if ask == "chat" else await chat.achat(CHAIN[1], history)
        assert answer.sources[0].raw_input == {"query": asked}
        assert chat.papers == papers
