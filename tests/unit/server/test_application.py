"""What the application is made of, and how it starts and stops."""

import logging

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from llama_index_medqa.errors import StorageError
from llama_index_medqa.server.security import SecuritySettings
from tests.unit.server.serving import QUESTION, TOKEN, service_of, serving


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_agents_find_the_tools_over_http(index, token):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    settings = SecuritySettings(token=token)
    with serving(service_of(index), settings) as address:
        async with (
            httpx.AsyncClient(headers=headers, timeout=60) as client,
            streamable_http_client(f"{address}/mcp", http_client=client) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name for tool in (await session.list_tools()).tools}
            assert {"ask_pubmed", "search_pubmed", "verify_claim", "get_record", "index_status"} <= tools
            answer = await session.call_tool("ask_pubmed", {"question": QUESTION})
    assert not answer.isError
    assert "PMID:101" in str(answer.structuredContent)


def test_agents_meet_the_same_gate(index):
    with serving(service_of(index), SecuritySettings(token=TOKEN)) as address:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        headers = {"Accept": "application/json, text/event-stream"}
        assert httpx.post(f"{address}/mcp", json=body, headers=headers).status_code == 401
        for name, value, status in (("Host", "evil.example", 421), ("Origin", "http://evil.example", 403)):
            reply = httpx.post(f"{address}/mcp", json=body, headers={**headers, name: value})
            assert reply.status_code == status


def test_the_service_is_warm_after_the_start_and_closed_after_the_end(index):
    service = service_of(index)
    closed = []
    close = service.close
    service.close = lambda: (closed.append(True), close())
    with serving(service) as address, httpx.Client(base_url=address, timeout=60) as client:
        while client.get("/readyz").status_code != 200:
            pass
        assert service.is_warm
        assert not closed
    assert closed


def test_models_that_cannot_be_loaded_are_said_in_the_log(index, monkeypatch, caplog):
    service = service_of(index)

    def broken() -> None:
        raise StorageError("The database is damaged.")

    monkeypatch.setattr(service, "warm_up", broken)
    with caplog.at_level(logging.ERROR), serving(service) as address, httpx.Client(base_url=address) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
    assert "The models could not be loaded: The database is damaged." in caplog.text
