"""The official MCP client asks the real server, over stdio and HTTP, about abstracts of the packaged sample."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from itertools import islice

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import McpError

from llama_index_medqa.cli.demo import demo_documents

pytestmark = pytest.mark.integration

DOCUMENTS = 12
COMMAND = ["-c", "from llama_index_medqa.cli.command import main; main()", "mcp", "--llm", "extractive"]
ENVIRONMENT = {"HF_HUB_OFFLINE": "1"}
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from llama_index_medqa.components import open_embedder, open_index
    from llama_index_medqa.profiles import EMBEDDED

    folder = str(tmp_path_factory.mktemp("mcp") / "index")
    open_index(EMBEDDED, folder, open_embedder(EMBEDDED), create=True).ingest(islice(demo_documents(), DOCUMENTS))
    return folder


@pytest.fixture(scope="module")
def texts():
    return {document.metadata["pmid"]: document.text for document in islice(demo_documents(), DOCUMENTS)}


@asynccontextmanager
async def over_stdio(folder):
    # The client gives its server few variables of the environment: what it needs is named.
    named = {name: value for name, value in os.environ.items() if name.startswith(("MEDQA_", "XDG_"))}
    parameters = StdioServerParameters(
        command=sys.executable, args=[*COMMAND, "--index", folder], env={**named, **ENVIRONMENT}
    )
    async with stdio_client(parameters) as (received, sent), ClientSession(received, sent) as client:
        yield client


@contextmanager
def served(folder):
    """The address of MCP in the application that ``medqa app`` serves."""
    import uvicorn

    from llama_index_medqa.components import open_embedder, open_engine, open_index
    from llama_index_medqa.profiles import EMBEDDED
    from llama_index_medqa.server.application import create_app
    from llama_index_medqa.server.service import AnswerService
    from llama_index_medqa.verification.verifier import ClaimVerifier

    index = open_index(EMBEDDED, folder, open_embedder(EMBEDDED))
    service = AnswerService(index, open_engine(EMBEDDED, index, "extractive"), ClaimVerifier())
    server = uvicorn.Server(uvicorn.Config(create_app(service), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.should_exit = True
        thread.join(30)


@asynccontextmanager
async def over_http(folder):
    with served(folder) as address:
        async with (
            streamable_http_client(address) as (received, sent, _),
            ClientSession(received, sent) as client,
        ):
            yield client


async def data(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert not result.isError, result.content
    return result.structuredContent


def require_spans(quotes, texts):
    assert quotes
    for quote in quotes:
        assert texts[quote["pmid"]][quote["start"] : quote["end"]] == quote["quote"]


@pytest.mark.parametrize("connected", [over_stdio, over_http])
async def test_every_tool_answers_and_every_span_is_true(connected, folder, texts):
    pmid = next(pmid for pmid, text in texts.items() if "PPI values lower than 0.70" in text)
    start = texts[pmid].index("PPI values lower than 0.70")
    claim = texts[pmid][start : texts[pmid].index(". ", start) + 1]
    told = []

    async def progress(done, total, message):
        told.append(message)

    async with connected(folder) as client:
        assert "[PMID:123]" in (await client.initialize()).instructions
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert tools == {"ask_pubmed", "search_pubmed", "verify_claim", "get_record", "index_status"}

        status = await data(client, "index_status")
        assert (status["records"], status["drafter"]) == (DOCUMENTS, "extractive")

        record = await data(client, "get_record", pmid=pmid)
        assert record["text"] == texts[pmid]
        [content] = (await client.read_resource(f"pubmed://record/{pmid}")).contents
        assert content.text == texts[pmid]
        with pytest.raises(McpError, match="does not hold PMID:1;"):
            await client.read_resource("pubmed://record/1")

        found = await data(client, "search_pubmed", query="perfusion index of newborns", top_k=3)
        assert found["papers"][0]["pmid"] == pmid
        require_spans([{**paper, "quote": paper["passage"]} for paper in found["papers"]], texts)

        verified = await data(client, "verify_claim", claim=claim, pmids=[pmid])
        assert verified["verdict"] == "supported"
        [citation] = verified["sentences"][0]["citations"]
        assert (citation["start"], citation["end"], citation["quote"]) == (start, start + len(claim), claim)
        altered = claim.replace("0.70", "0.30")
        assert (await data(client, "verify_claim", claim=altered, pmids=[pmid]))["verdict"] != "supported"
        by_text = await data(client, "verify_claim", claim=claim, text=texts[pmid])
        assert by_text["sentences"][0]["citations"][0]["start"] == start
        missing = await client.call_tool("verify_claim", {"claim": claim, "pmids": ["1"]})
        assert missing.isError
        assert 'medqa index --query "1[pmid]"' in missing.content[0].text

        question = {"question": "Do PPI values lower than 0.70 indicate illness?"}
        result = await client.call_tool("ask_pubmed", question, progress_callback=progress)
        answer = result.structuredContent
        assert json.loads(result.content[0].text) == answer
        assert answer["outcome"] in ("answer", "findings")
        cited = [quote for sentence in answer["sentences"] for quote in sentence["citations"]]
        require_spans([*cited, *answer["findings"]], texts)
        assert pmid in [quote["pmid"] for quote in (*cited, *answer["findings"])]
        assert told


async def test_llama_index_s_own_client_finds_the_tools_and_calls_them(folder, texts):
    """``llama-index-tools-mcp``: the tools as an agent of LlamaIndex gets them."""
    from llama_index.tools.mcp import BasicMCPClient, McpToolSpec

    pmid = next(pmid for pmid, text in texts.items() if "PPI values lower than 0.70" in text)
    start = texts[pmid].index("PPI values lower than 0.70")
    claim = texts[pmid][start : texts[pmid].index(". ", start) + 1]
    with served(folder) as address:
        tools = await McpToolSpec(client=BasicMCPClient(address)).to_tool_list_async()
        by_name = {tool.metadata.name: tool for tool in tools}
        assert set(by_name) == {"ask_pubmed", "search_pubmed", "verify_claim", "get_record", "index_status"}
        assert "claim" in by_name["verify_claim"].metadata.get_parameters_dict()["properties"]
        output = await by_name["verify_claim"].acall(claim=claim, pmids=[pmid])
        assert not output.is_error
        verified = output.raw_output.structuredContent
        assert verified["verdict"] == "supported"
        require_spans(verified["sentences"][0]["citations"], texts)
        found = (await by_name["search_pubmed"].acall(query="perfusion index of newborns")).raw_output
        assert found.structuredContent["papers"][0]["pmid"] == pmid


def started(folder):
    """The server, to which lines of the protocol can be written."""
    return subprocess.Popen(
        [sys.executable, *COMMAND, "--index", folder],
        env={**os.environ, **ENVIRONMENT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def send(process, method, number=None, **parameters):
    message = {"jsonrpc": "2.0", "method": method, "params": parameters}
    line = json.dumps(message if number is None else {**message, "id": number})
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def test_standard_output_is_the_protocol_alone(folder):
    """A whole session, line by line; the server ends by itself when its input is closed."""
    process = started(folder)
    send(process, "initialize", 1, **HELLO)
    assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"] == "pubmed"
    send(process, "notifications/initialized")
    send(process, "tools/call", 2, name="index_status", arguments={})
    assert json.loads(process.stdout.readline())["result"]["structuredContent"]["records"] == DOCUMENTS
    process.stdin.close()
    assert process.stdout.read() == ""
    assert process.wait(60) == 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to(folder, sent):
    process = started(folder)
    send(process, "initialize", 1, **HELLO)
    assert process.stdout.readline()
    process.send_signal(sent)
    assert process.wait(60) == -sent


def test_an_index_that_is_not_there_is_told_at_once(tmp_path):
    done = subprocess.run(
        [sys.executable, *COMMAND, "--index", "nowhere"],
        check=False,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: There is no index in nowhere: build one first, with `medqa index FILE`.\n"
