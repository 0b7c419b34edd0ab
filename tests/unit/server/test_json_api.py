"""The JSON API over a real server."""

import asyncio
import json
import re

import httpx
import pytest

from llama_index_medqa.server.results import ServiceLimits
from tests.doubles.paused_llm import PausedLLM
from tests.unit.server.serving import DRAFT, QUESTION, service_of, serving

CITED = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water [PMID:101]."


@pytest.fixture
def api(index):
    with serving(service_of(index)) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture
def paused(index):
    llm = PausedLLM([DRAFT])
    service = service_of(index, llm, ServiceLimits(most_waiting=1))
    with serving(service) as address:
        yield service, llm, address


def events_of(text: str) -> list[tuple[str, dict]]:
    """Server-sent events, read as the standard has it."""
    found = []
    for block in filter(None, text.split("\n\n")):
        name, data = block.split("\n")
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_a_question_is_answered_with_spans(api, records):
    reply = api.post("/api/ask", json={"question": QUESTION})
    assert reply.status_code == 200
    data = reply.json()
    assert (data["question"], data["outcome"], data["answer"]) == (QUESTION, "answer", CITED)
    [sentence] = data["sentences"]
    [citation] = sentence["citations"]
    assert records[0].text[citation["start"] : citation["end"]] == citation["quote"]
    assert data["links"] == {"PMID:101": "https://pubmed.ncbi.nlm.nih.gov/101/"}
    assert data["notice"]
    assert not data["cached"]
    assert api.post("/api/ask", json={"question": QUESTION}).json()["cached"]


@pytest.mark.parametrize("how", [{"json": {"question": QUESTION, "stream": True}}, {"json": {"question": QUESTION}}])
def test_the_same_as_events(api, how):
    headers = {} if "stream" in how["json"] else {"Accept": "text/event-stream"}
    reply = api.post("/api/ask", headers=headers, **how)
    assert reply.headers["content-type"].startswith("text/event-stream")
    *pieces, (last, finished) = events_of(reply.text)
    assert {name for name, _ in pieces} == {"text"}
    assert "".join(data["text"] for _, data in pieces) == CITED
    assert (last, finished["answer"]) == ("finished", CITED)


@pytest.mark.parametrize("stream", [False, True])
def test_years_in_the_wrong_order_are_refused_before_a_stream_begins(api, stream):
    body = {"question": QUESTION, "first_year": 2022, "last_year": 2020, "stream": stream}
    reply = api.post("/api/ask", json=body)
    assert reply.status_code == 400
    assert "2022" in reply.json()["error"]["message"]


def test_filters_and_history_are_used(api):
    body = {"question": QUESTION, "first_year": 2022, "publication_types": ["Review"], "journals": []}
    data = api.post("/api/ask", json=body).json()
    assert data["outcome"] == "nothing_found"
    history = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": CITED}]
    assert api.post("/api/ask", json={"question": "And is it safe?", "history": history}).status_code == 200


def test_a_search(api, records):
    found = api.post("/api/search", json={"query": "green tea", "top_k": 1}).json()["records"]
    assert [record["document_id"] for record in found] == ["PMID:101"]
    assert records[0].text[found[0]["start"] : found[0]["end"]] == found[0]["passage"]
    assert api.post("/api/search", json={"query": "green tea", "first_year": 2022}).json() == {"records": []}


def test_sentences_are_verified(api, records):
    body = {"sentences": [DRAFT, "Tea grows on the moon."], "document_ids": ["101"]}
    tea, moon = api.post("/api/verify", json=body).json()["sentences"]
    assert (tea["verdict"], moon["verdict"]) == ("supported", "unsupported")
    [citation] = tea["citations"]
    assert records[0].text[citation["start"] : citation["end"]] == citation["quote"]
    text = "Ginger reduced nausea in 40 of 60 patients."
    [ginger] = api.post("/api/verify", json={"sentences": [text], "texts": {"mine": text}}).json()["sentences"]
    assert ginger["citations"][0]["document_id"] == "mine"


def test_a_record_and_the_status(api, records):
    record = api.get("/api/records/101").json()
    assert record["text"] == records[0].text
    assert record["metadata"]["publication_types"] == ["Randomized Controlled Trial"]
    assert api.get(f"/api/records/{records[3].document_id}").json()["text"] == records[3].text
    status = api.get("/api/status").json()
    assert (status["records"], status["drafter"], status["waiting"]) == (4, "scripted", 0)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/api/ask", {"question": ""}, 400, "invalid_input"),
        ("/api/ask", {"question": "", "stream": True}, 400, "invalid_input"),
        ("/api/ask", {"question": "x" * 2_001}, 413, "too_long"),
        ("/api/ask", {}, 422, "invalid_request"),
        ("/api/ask", {"question": QUESTION, "first_year": 2020, "last_year": 2010}, 400, "invalid_input"),
        ("/api/ask", {"question": QUESTION, "first_year": 99}, 422, "invalid_request"),
        ("/api/ask", {"question": QUESTION, "history": [{"role": "system", "content": "x"}]}, 422, "invalid_request"),
        ("/api/search", {"query": "tea", "top_k": 51}, 400, "invalid_input"),
        ("/api/verify", {"sentences": []}, 422, "invalid_request"),
        ("/api/verify", {"sentences": ["Tea."], "document_ids": ["999"]}, 404, "record_not_found"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_shape(api, path, body, status, code):
    reply = api.post(path, json=body)
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (status, code)
    assert error["type"] == "invalid_request_error"
    assert error["message"]


def test_an_error_in_the_middle_of_a_stream_is_an_event(index):
    service = service_of(index, PausedLLM([DRAFT]), ServiceLimits(most_answer_seconds=1))
    with serving(service) as address:
        reply = httpx.post(f"{address}/api/ask", json={"question": QUESTION, "stream": True}, timeout=60)
    [(name, data)] = events_of(reply.text)
    assert (name, data["error"]["code"]) == ("error", "timeout")
    assert data["message"] == data["error"]["message"]


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_stops_the_drafting(paused, stream):
    service, llm, address = paused
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        asking = asyncio.create_task(client.post("/api/ask", json={"question": QUESTION, "stream": stream}))
        await until(lambda: llm.begun == 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: llm.stopped == 1)
        await until(lambda: service.waiting == 0)
        llm.go_on()
        assert (await client.post("/api/ask", json={"question": QUESTION})).json()["answer"] == CITED


async def test_waiting_is_told_and_a_full_line_refused(paused):
    service, llm, address = paused
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        first = asyncio.create_task(client.post("/api/ask", json={"question": QUESTION}))
        await until(lambda: llm.begun == 1)
        waiting = asyncio.create_task(client.post("/api/ask", json={"question": f"{QUESTION} (2)", "stream": True}))
        await until(lambda: service.waiting == 2)
        refused = await client.post("/api/ask", json={"question": f"{QUESTION} (3)"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "busy")
        assert int(refused.headers["retry-after"]) >= 1
        stream = await client.post("/api/ask", json={"question": f"{QUESTION} (3)", "stream": True})
        assert (stream.status_code, stream.json()["error"]["code"]) == (503, "busy")
        llm.go_on()
        assert (await first).json()["answer"] == CITED
        events = events_of((await waiting).text)
    assert events[0] == ("waiting", {"position": 1, "seconds_estimate": None})
    assert events[-1][0] == "finished"


def test_the_description_names_every_endpoint_and_needs_no_other_host(api):
    schema = api.get("/openapi.json").json()
    assert schema["openapi"].startswith("3.")
    expected = {"/api/ask", "/api/search", "/api/verify", "/api/records/{document_id}", "/api/status"}
    assert expected | {"/v1/models", "/v1/models/{model}", "/v1/chat/completions"} == set(schema["paths"])
    properties = schema["components"]["schemas"]["AskBody"]["properties"]
    assert all(field.get("description") for field in properties.values())
    page = api.get("/api/docs").text
    assert all(path in page for path in schema["paths"])
    assert not re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", page)
    assert "<script" not in page
