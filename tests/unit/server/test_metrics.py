"""What watches over the process sees, and what it must not see."""

import json
import logging
import re
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from llama_index_medqa.server.metrics import REQUESTS
from llama_index_medqa.server.service import AnswerService
from tests.unit.server.serving import QUESTION, service_of, serving

SECRET = "xylophone"


@pytest.fixture
def server(index, monkeypatch):
    """A service, the address of its server, and the lines of its log."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    monkeypatch.setattr(REQUESTS, "handlers", [Kept()])
    monkeypatch.setattr(REQUESTS, "level", logging.INFO)
    service = service_of(index)
    with serving(service) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield service, client, lines


def figures(client: httpx.Client) -> dict[tuple, float]:
    """The figures as Prometheus' own parser reads them: by name and labels."""
    text = client.get("/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, *sorted(sample.labels.items())): sample.value for sample in samples}


def test_requests_and_answers_are_counted(server):
    _, client, _ = server
    client.post("/api/ask", json={"question": QUESTION})
    client.post("/api/ask", json={"question": QUESTION})
    client.post("/api/ask", json={"question": QUESTION, "first_year": 2022})
    client.get("/api/records/101")
    client.get("/api/records/102")
    client.get("/api/records/999")
    client.get("/", headers={"Host": "evil.example"})
    found = figures(client)

    def requests(method: str, route: str, status: str) -> float:
        return found["medqa_requests_total", ("method", method), ("route", route), ("status", status)]

    assert requests("POST", "/api/ask", "200") == 3
    assert requests("GET", "/api/records/{document_id}", "200") == 2
    assert requests("GET", "/api/records/{document_id}", "404") == 1
    assert requests("GET", "/", "421") == 1
    assert found["medqa_answers_total", ("cached", "false"), ("outcome", "answer")] == 1
    assert found["medqa_answers_total", ("cached", "true"), ("outcome", "answer")] == 1
    assert found["medqa_answers_total", ("cached", "false"), ("outcome", "nothing_found")] == 1
    assert found["medqa_request_seconds_count", ("route", "/api/ask")] == 3
    assert found[("medqa_questions",)] == 0
    # The one that reads them.
    assert found[("medqa_open_requests",)] == 1


def test_what_a_client_makes_up_makes_no_new_figure(server):
    _, client, _ = server
    for number in range(20):
        client.get(f"/{SECRET}-{number}")
        client.request(f"MADEUP{number}", "/api/ask")
    found = figures(client)
    assert found["medqa_requests_total", ("method", "GET"), ("route", "other"), ("status", "404")] == 20
    assert found["medqa_requests_total", ("method", "other"), ("route", "/api/ask"), ("status", "405")] == 20
    assert not any(SECRET in str(key) or "MADEUP" in str(key) for key in found)


def test_every_request_is_a_line_of_json_without_what_was_asked(server):
    _, client, lines = server
    client.post("/api/ask", json={"question": f"Does {SECRET} heal?"})
    client.post("/v1/chat/completions", json={"model": "medqa", "messages": [{"role": "user", "content": SECRET}]})
    client.get(f"/api/records/{SECRET}", params={"q": SECRET}, headers={"Authorization": f"Bearer {SECRET}"})
    client.get(f"/{SECRET}")
    found = [json.loads(line) for line in lines]
    assert [(line["route"], line["status"]) for line in found] == [
        ("/api/ask", 200),
        ("/v1/chat/completions", 200),
        ("/api/records/{document_id}", 404),
        ("other", 404),
    ]
    assert all(set(line) == {"time", "event", "method", "route", "status", "seconds"} for line in found)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"]) for line in found)
    assert SECRET not in "".join(lines)


def wait_for(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_fault_of_ours_is_no_leak(server, monkeypatch, caplog):
    service, client, lines = server

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"The question was {SECRET}.")

    monkeypatch.setattr(AnswerService, "search", broken)
    reply = client.post("/api/search", json={"query": SECRET})
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "failed")
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert SECRET not in reply.text
    assert SECRET not in caplog.text
    assert "RuntimeError" in caplog.text
    # The line is written behind the reply.
    wait_for(lambda: lines)
    assert json.loads(lines[-1])["status"] == 500
    assert service.waiting == 0


def test_health_and_readiness(index, monkeypatch):
    service = service_of(index)
    monkeypatch.setattr(service, "warm_up", lambda: None)
    with serving(service) as address, httpx.Client(base_url=address, timeout=60) as client:
        assert (client.get("/healthz").status_code, client.get("/healthz").text) == (200, "ok\n")
        assert (client.get("/readyz").status_code, client.get("/readyz").text) == (503, "loading\n")
        AnswerService.warm_up(service)
        assert (client.get("/readyz").status_code, client.get("/readyz").text) == (200, "ready\n")


def test_an_index_that_cannot_be_read_is_not_ready(server, monkeypatch):
    from llama_index_medqa.errors import StorageError

    service, client, _ = server

    def damaged() -> None:
        raise StorageError("The database is damaged.")

    service.warm_up()
    monkeypatch.setattr(service, "status", damaged)
    assert (client.get("/readyz").status_code, client.get("/readyz").text) == (503, "StorageError\n")
    assert client.get("/healthz").status_code == 200
