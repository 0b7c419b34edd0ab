"""Attacks on a real server, each refused; the table of them is ``docs/server-attacks.md``."""

import hmac
import json
import re
import socket
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.datastructures import Headers

from llama_index_medqa.errors import UsageError
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.pubmed.record import AbstractSection, PubMedRecord
from llama_index_medqa.server.guards import sign_in
from llama_index_medqa.server.security import SecuritySettings
from llama_index_medqa.testing import ScriptedLLM
from tests.unit.server.serving import QUESTION, TOKEN, service_of, serving

REPOSITORY = Path(__file__).parents[3]
SCRIPT = "<script>alert(document.cookie)</script><img src=x onerror=alert(1)>"
JSON = {"Content-Type": "application/json"}
POST = b"POST /api/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
SETTINGS = SecuritySettings(most_body_bytes=20_000, body_seconds=1.0, head_seconds=1.0)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory, word_piece):
    """An index with a record that attacks whoever shows it."""
    from llama_index_medqa import PubMedIndex, TokenNodeParser
    from llama_index_medqa.testing import HashEmbedding
    from tests.conftest import RECORDS

    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=64, chunk_overlap=16)
    folder = str(tmp_path_factory.mktemp("index"))
    index = PubMedIndex.open(folder, embed_model=HashEmbedding(), node_parser=parser, create=True)
    hostile = PubMedRecord(
        pmid="500",
        title=f"Ginger {SCRIPT} and nausea\u202e.",
        sections=(AbstractSection("Ginger reduced nausea in 40 of 60 patients. ![x](http://evil.example/?q=1)"),),
        journal="Journal\r\nSet-Cookie: a=b",
    )
    index.ingest([to_document(record) for record in (*RECORDS, hostile)])
    return index


@pytest.fixture(scope="module")
def address(seeded):
    with serving(service_of(seeded), SETTINGS) as address:
        yield address


@pytest.fixture(scope="module")
def guarded(seeded):
    """The address of a server that wants a token."""
    with serving(service_of(seeded), replace(SETTINGS, token=TOKEN)) as address:
        yield address


@pytest.fixture
def client(address):
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


def ask(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post("/api/ask", json={"question": QUESTION}, headers=headers)


def code_of(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


def raw(address: str, data: bytes, *, more: bytes = b"", pause: float = 0.0) -> bytes:
    """What comes back for bytes that no client would send."""
    host, port = address.removeprefix("http://").split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(data)
        if more:
            time.sleep(pause)
            connection.sendall(more)
        try:
            while block := connection.recv(65536):
                received += block
        except ConnectionResetError:
            pass
    return received


def still_answers(client: httpx.Client) -> None:
    assert client.get("/healthz").text == "ok\n"


# ---- Names and pages ----


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil.example", "0x7f.evil.example"],
)
def test_a_name_that_was_made_to_point_here_is_refused(client, host):
    assert code_of(ask(client, Host=host)) == (421, "host")
    assert client.get("/", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    "host", ["", "10.0.0.1", "user@127.0.0.1", "127.0.0.1:8765@evil.example", "127.0.0.1:x", "[::1"]
)
def test_a_host_header_that_is_none_of_ours_is_refused(client, host):
    assert code_of(ask(client, Host=host)) == (421, "host")


def test_two_host_headers_are_refused(address):
    head = b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert re.match(rb"HTTP/1.1 4(00|21) ", raw(address, head))


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://evil.example", "null", "file://", "http://127.0.0.1:1"]
)
def test_a_page_of_another_site_is_refused(client, origin):
    assert code_of(ask(client, Origin=origin)) == (403, "origin")


def test_a_page_may_not_pass_by_two_origins(client, address):
    headers = [("Origin", address), ("Origin", "http://evil.example"), ("Content-Type", "application/json")]
    reply = client.post("/api/ask", content=json.dumps({"question": QUESTION}), headers=headers)
    assert code_of(reply) == (403, "origin")


def test_a_preflight_gets_no_leave(client):
    reply = client.options(
        "/api/ask", headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert reply.status_code == 405
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_no_reply_is_shared_with_other_sites(client):
    for reply in (ask(client), client.get("/"), client.get("/v1/models"), client.get("/api/records/500")):
        assert reply.status_code == 200
        assert not [name for name in reply.headers if name.startswith("access-control")]
        assert reply.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/status", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}),
        ("/api/status", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}),
        ("/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}),
        ("/metrics", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}),
    ],
)
def test_what_another_site_loads_without_an_origin_is_refused(client, path, headers):
    assert code_of(client.get(path, headers=headers)) == (403, "origin")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_a_form_of_another_site_could_send_is_refused(client, kind):
    reply = client.post("/api/ask", content=json.dumps({"question": QUESTION}), headers={"Content-Type": kind})
    assert code_of(reply) == (415, "content_type")


def test_the_page_cannot_be_framed_and_runs_no_code_but_its_own(client):
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy


# ---- Sizes and times ----


def test_a_large_body_is_refused(client):
    reply = client.post("/api/ask", json={"question": "x" * 30_000})
    assert code_of(reply) == (413, "too_large")
    still_answers(client)


def test_a_stated_size_is_refused_before_the_body(address):
    assert raw(address, POST + b"Content-Length: 99999999999\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_a_large_body_in_chunks_is_refused(client):
    def chunks():
        for _ in range(40):
            yield b" " * 1_000

    reply = client.post("/api/ask", content=chunks(), headers=JSON)
    assert code_of(reply) == (413, "too_large")
    still_answers(client)


def test_a_slow_body_is_refused(address):
    head = (
        b"POST /api/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    begin = time.monotonic()
    assert raw(address, head).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - begin >= 1.0


def test_a_slow_head_is_cut_off(address, client):
    begin = time.monotonic()
    assert raw(address, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", more=b"1\r\n", pause=0.3) == b""
    assert 1.0 <= time.monotonic() - begin < 15
    assert raw(address, b"") == b""
    still_answers(client)


def test_a_long_head_is_refused(address, client):
    head = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"x" * 200_000 + b"\r\n\r\n"
    assert b"HTTP/1.1 200" not in raw(address, head)
    still_answers(client)


def test_a_compressed_body_is_refused(client):
    reply = client.post("/api/ask", content=b"\x1f\x8b", headers={**JSON, "Content-Encoding": "gzip"})
    assert code_of(reply) == (415, "encoded_body")


# ---- What JSON can hold ----


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("[" * 9_000 + "]" * 9_000, "nested 9000 levels deep"),
        ('{"question":' * 1_000 + "1" + "}" * 1_000, "nested 1000 levels deep"),
        ("[" * 15_000, "nested 15000 levels deep"),
        ('{"question": "a", "question": "b"}', "the same key twice"),
        ('{"question": NaN}', "NaN is no JSON"),
        ('{"question": 1e999, "top_k": Infinity}', "Infinity is no JSON"),
        ('{"first_year": ' + "9" * 5_000 + "}", "a number that is too long"),
        ('{"question": "\\ud800"}', "half of a surrogate pair"),
        (b'{"question": "\xff"}', "not UTF-8"),
        (b"\xef\xbb\xbf{}", "is no JSON"),
        ('{"question": "a"} {"question": "b"}', "is no JSON"),
        ("", "is no JSON"),
    ],
)
def test_json_that_is_a_trap_is_refused(client, body, said):
    reply = client.post("/api/ask", content=body, headers=JSON)
    assert code_of(reply) == (400, "invalid_json")
    assert said in reply.json()["error"]["message"]
    still_answers(client)


@pytest.mark.parametrize(
    "fields",
    [
        {"top_k": 10**30},
        {"top_k": -1},
        {"first_year": 10**400},
        {"journals": ["x"] * 51},
        {"publication_types": "x" * 10},
        {"top_k": True},
    ],
)
def test_values_out_of_range_are_refused(client, fields):
    assert code_of(client.post("/api/search", json={"query": "tea", **fields})) == (422, "invalid_request")


# ---- What is opened ----


@pytest.mark.parametrize(
    "field",
    [
        "api_base",
        "base_url",
        "url",
        "model",
        "weights",
        "index",
        "embedder",
        "file",
        "path",
        "include_retracted",
        "__class__",
    ],
)
def test_no_server_address_or_path_of_a_request_is_opened(client, field, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("never read")
    for value in (f"file://{secret}", str(secret), "http://169.254.169.254/latest/meta-data/"):
        reply = client.post("/api/ask", json={"question": QUESTION, field: value})
        assert code_of(reply) == (422, "invalid_request")
        assert "never read" not in reply.text


def test_openais_api_opens_no_address_either(client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        inside = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        body = {"model": "medqa", "messages": [{"role": "user", "content": QUESTION}]}
        extra = {"api_base": inside, "base_url": inside, "callback_url": inside, "metadata": {"url": inside}}
        assert client.post("/v1/chat/completions", json={**body, **extra}).status_code == 200
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "....//etc/passwd",
        "file:///etc/passwd",
        "C:%5cwindows%5cwin.ini",
        "101%00",
        "PMID:101%23%30",
        "101%0d%0aSet-Cookie:%20a=b",
        "%F0%9F%92%89",
        "%ff%fe",
        "1" * 500,
        "'%20OR%201=1--",
        "{%22$ne%22:1}",
    ],
)
def test_an_id_is_no_path_and_no_query(client, name):
    reply = client.get(f"/api/records/{name}")
    assert reply.status_code == 404
    assert "root:" not in reply.text
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(
    "path", ["/static/../service.py", "/static/%2e%2e/service.py", "/static/..%2fservice.py", "//etc/passwd"]
)
def test_no_file_but_those_of_the_page_is_served(address, path):
    reply = raw(address, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    assert reply.startswith(b"HTTP/1.1 404 ")
    assert b"AnswerService" not in reply


# ---- What is shown ----


def test_a_script_in_a_question_or_record_stays_text(client):
    for reply in (
        client.post("/api/ask", json={"question": f"Does ginger reduce nausea? {SCRIPT}"}),
        client.post("/api/search", json={"query": "ginger nausea"}),
        client.get("/api/records/500"),
    ):
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["x-content-type-options"] == "nosniff"
    assert SCRIPT in client.get("/api/records/500").json()["title"]


def test_a_script_in_an_error_stays_text(client):
    for reply in (
        client.get(f"/api/records/{SCRIPT.replace('/', '')}"),
        client.get(f"/{SCRIPT.replace('/', '')}"),
        client.post("/api/ask", json={"question": QUESTION, SCRIPT: 1}),
        client.post("/v1/chat/completions", json={"model": SCRIPT, "messages": [{"role": "user", "content": "x"}]}),
    ):
        assert reply.status_code in {404, 422}
        assert reply.headers["content-type"] == "application/json"


def test_a_record_cannot_turn_or_hide_other_text(client):
    for reply in (client.get("/api/records/500"), client.post("/api/search", json={"query": "ginger nausea"})):
        assert "\u202e" not in reply.text
        assert "\ufffd" in reply.text


def test_what_a_model_writes_is_no_markdown_of_its_own(seeded):
    draft = f"Ginger reduced nausea in 40 of 60 patients {SCRIPT} ![x](http://evil.example/?q=1) [y](javascript:z)."
    with serving(service_of(seeded, ScriptedLLM([draft]))) as address:
        body = {"model": "medqa", "messages": [{"role": "user", "content": "Does ginger reduce nausea?"}]}
        content = httpx.post(f"{address}/v1/chat/completions", json=body, timeout=60).json()["choices"][0]["message"][
            "content"
        ]
    assert "ginger" in content.lower()
    assert not re.search(r"(?<!\\)<", content)
    assert not re.search(r"(?<!\\)!\[", content)
    links = re.findall(r"(?<!\\)\]\(([^)]*)\)", content)
    assert all(link.startswith("https://pubmed.ncbi.nlm.nih.gov/") for link in links)


def test_a_question_cannot_add_an_event_to_a_stream(client):
    question = f"{QUESTION}\n\nevent: finished\ndata: {{}}\n\n"
    reply = client.post("/api/ask", json={"question": question, "stream": True})
    names = [line for line in reply.text.split("\n") if line.startswith("event:")]
    assert names.count("event: finished") == 1
    assert names[-1] == "event: finished"


def test_a_question_with_control_characters_is_answered_without_them(client):
    reply = client.post("/api/ask", json={"question": f"{QUESTION}\u0000\u001b[2J\u202e"})
    assert reply.status_code == 200
    assert not re.search("[\u0000-\u0008\u001b\u202e]", reply.json()["question"])


def test_no_header_can_be_added(address, client):
    reply = client.get("/api/records/500")
    assert reply.json()["metadata"]["journal"].startswith("Journal")
    assert "set-cookie" not in reply.headers
    head = b"GET /healthz%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert b"set-cookie" not in raw(address, head).lower()


# ---- Protocol ----


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "CONNECT", "PROPFIND", "OPTIONS", "EVIL"])
def test_other_methods_are_refused(address, method):
    head = f"{method} /api/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    assert raw(address, head).startswith(b"HTTP/1.1 405 ")


def test_a_websocket_is_refused(address, client):
    head = (
        b"GET /api/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert raw(address, head).startswith(b"HTTP/1.1 405 ")
    assert raw(address, head.replace(b"/api/ask", b"/healthz")).startswith(b"HTTP/1.1 200 ")
    still_answers(client)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        b"Content-Length: -1\r\n\r\n{}",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_a_body_that_two_servers_would_cut_differently_is_refused(address, head):
    reply = raw(address, POST + b"Connection: close\r\n" + head)
    assert re.match(rb"HTTP/1.1 (4\d\d|501) ", reply)
    assert reply.count(b"HTTP/1.1 ") == 1


def test_garbage_is_refused(address, client):
    assert b"HTTP/1.1 400 " in raw(address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    still_answers(client)


def test_the_server_says_nothing_of_what_it_is_made_of(client):
    reply = client.get("/nothing")
    assert "server" not in reply.headers
    assert "uvicorn" not in reply.text.lower()


# ---- The token ----


def test_another_address_needs_a_token():
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(UsageError, match="give it a token"):
            SecuritySettings(host=host)


@pytest.mark.parametrize(
    "path", ["/", "/api/status", "/v1/models", "/metrics", "/openapi.json", "/api/docs", "/nothing"]
)
def test_nothing_is_given_without_the_token(guarded, path):
    reply = httpx.get(f"{guarded}{path}")
    if path == "/":
        assert (reply.status_code, reply.headers["location"]) == (303, "login")
    else:
        assert code_of(reply) == (401, "invalid_token")
        assert reply.headers["www-authenticate"] == "Bearer"


def test_the_token_lets_in(guarded):
    assert httpx.get(f"{guarded}/v1/models", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert httpx.get(f"{guarded}/healthz").status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
    ],
)
def test_what_is_not_the_token_does_not(seeded, given):
    with serving(service_of(seeded), replace(SETTINGS, token=TOKEN)) as address:
        assert code_of(httpx.get(f"{address}/api/status", headers={"Authorization": given})) == (401, "invalid_token")


def test_a_token_in_the_address_does_not_let_in(guarded):
    assert httpx.get(f"{guarded}/api/status", params={"token": TOKEN, "access_token": TOKEN}).status_code == 401


def test_guessing_is_slowed_down(seeded):
    with (
        serving(service_of(seeded), replace(SETTINGS, token=TOKEN)) as address,
        httpx.Client(base_url=address) as client,
    ):
        codes = [
            client.get("/api/status", headers={"Authorization": f"Bearer guess-{number}"}).status_code
            for number in range(12)
        ]
        assert codes == [401] * 10 + [429] * 2
        # Not even the right one, so that a guess tells nothing.
        right = client.get("/api/status", headers={"Authorization": f"Bearer {TOKEN}"})
        assert right.status_code == 429
        assert int(right.headers["retry-after"]) >= 1
        assert client.post("/login", data={"token": TOKEN}).status_code == 429


def test_tokens_are_compared_in_constant_time(monkeypatch):
    compared: list[tuple[bytes, bytes]] = []
    same = False

    def compare(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return same

    guard = sign_in.TokenGuard(TOKEN)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    guess = Headers({"authorization": "Bearer guess"})
    assert guard.refused(guess, "client") is not None
    assert (b"guess", TOKEN.encode()) in compared
    # It alone decides.
    same = True
    assert guard.refused(guess, "client") is None


def test_a_browser_signs_in_and_a_page_elsewhere_cannot(guarded):
    with httpx.Client(base_url=guarded) as client:
        assert "<script" not in client.get("/login").text
        foreign = client.post("/login", data={"token": TOKEN}, headers={"Origin": "http://evil.example"})
        assert code_of(foreign) == (403, "origin")
        assert client.post("/login", data={"token": "wrong"}).status_code == 401
        reply = client.post("/login", data={"token": TOKEN})
        assert (reply.status_code, reply.headers["location"]) == (303, "./")
        cookie = reply.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
        assert TOKEN not in cookie
        assert client.get("/").status_code == 200
        assert client.get("/api/status").status_code == 200
        assert client.get("/api/status", headers={"Origin": "http://evil.example"}).status_code == 403


def test_too_many_requests_of_one_client_are_refused(seeded):
    settings = replace(SETTINGS, requests_a_minute=5)
    with serving(service_of(seeded), settings) as address, httpx.Client(base_url=address) as client:
        codes = [client.get("/v1/models").status_code for _ in range(7)]
        assert codes == [200] * 5 + [429] * 2
        assert client.get("/healthz").status_code == 200
        # Whoever is no proxy that we trust cannot be somebody else.
        assert client.get("/v1/models", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 429


def test_an_answer_of_one_person_is_not_kept_by_a_cache(client):
    assert ask(client).headers["cache-control"] == "no-store"


# ---- The table ----


def test_the_table_names_every_test_here():
    table = (REPOSITORY / "docs" / "server-attacks.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", table))
    here = set(re.findall(r"^def (test_\w+)\(", Path(__file__).read_text(), re.MULTILINE))
    assert here - {"test_the_table_names_every_test_here"} == named
    assert len(named) >= 30
