"""Keys leave no error, log or report, wherever they stood and whoever repeats them."""

import asyncio
import base64
import contextlib
import json
import logging
import pickle
import traceback
from urllib.parse import quote

import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage

from llama_index_medqa import VllmLora, errors, redaction
from llama_index_medqa.cli.command import main
from llama_index_medqa.errors import (
    AdapterNotActive,
    InputError,
    JudgeError,
    MedQAError,
    MissingExtraError,
    ServerError,
)
from llama_index_medqa.evaluation.judges.model_calls import JudgeServer, ModelCalls
from llama_index_medqa.llms.vllm_api import ServerApi
from llama_index_medqa.pubmed.entrez.responses import Scrubber
from llama_index_medqa.redaction import (
    REMOVED,
    keep_address_secret,
    keep_environment_secret,
    keep_secret,
    logger_of,
    redacted,
    redacted_data,
)
from tests.conftest import REPOSITORY
from tests.doubles.vllm_double import breaks, closes, garbage, refuses, stalls, vllm_double

KEY = "p4ss/w0rd+Zebra"
FORMS = (KEY, quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode())


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests(monkeypatch):
    monkeypatch.setattr(redaction, "_secrets", set())


BY_CONTEXT = {
    "user and password": (
        f"at http://me:{KEY.replace('/', '')}@host:8000/v1 now",
        "at http://[removed]@host:8000/v1 now",
    ),
    "a token as user": ("at https://abc123@host/v1", "at https://[removed]@host/v1"),
    "a parameter": ("GET http://host/v1?a=1&api_key=abc123&b=2", "GET http://host/v1?a=1&api_key=[removed]&b=2"),
    "a key by its short name": ("http://host/?key=abc123", "http://host/?key=[removed]"),
    "a header": ("Authorization: Bearer abc12345", "Authorization: [removed]"),
    "a header of another kind": ("Authorization: Token abc", "Authorization: [removed]"),
    "headers as Python shows them": ("{'authorization': 'Bearer abc12345'}", "{'authorization': '[removed]'}"),
    "a subscription": ("Ocp-Apim-Subscription-Key: abc", "Ocp-Apim-Subscription-Key: [removed]"),
    "a private token": ("PRIVATE-TOKEN: abc", "PRIVATE-TOKEN: [removed]"),
    "a cookie": ("Cookie: session=abc; theme=dark", "Cookie: [removed]"),
    "a cookie that is set": ("Set-Cookie: sid=abc; Path=/\nDate: x", "Set-Cookie: [removed]\nDate: x"),
    "a cookie in a mapping": ("{'cookie': 'sid=abc', 'a': 'b'}", "{'cookie': '[removed]', 'a': 'b'}"),
    "an environment variable": ("NCBI_API_KEY=abc MEDQA_TOKEN='abc'", "NCBI_API_KEY=[removed] MEDQA_TOKEN='[removed]'"),
    "a secret variable": ("AWS_SECRET_ACCESS_KEY: abc", "AWS_SECRET_ACCESS_KEY: [removed]"),
    "an option": ("medqa app --token abcdef123 --port 1", "medqa app --token [removed] --port 1"),
    "a token": ('{"token": "abcdef123"}', '{"token": "[removed]"}'),
    "a refresh token": ('"refresh_token": "abc"', '"refresh_token": "[removed]"'),
    "a client's secret": ("client_secret=abc&x=1", "client_secret=[removed]&x=1"),
    "a fragment": ("http://host/v1#access_token=abc", "http://host/v1#access_token=[removed]"),
    "a store's address": ("milvus://root:abc@host:19530", "milvus://[removed]@host:19530"),
    "a web token": ("no eyJhbGciOiJI.eyJzdWIiOiIx.abc here", "no [removed] here"),
    "a bearer": ("refused Bearer abc12345.def", "refused Bearer [removed]"),
    "named by a server": ("Incorrect API key provided: abc123.", "Incorrect API key provided: [removed]"),
    "in JSON": ('{"api_key": "abc123"}', '{"api_key": "[removed]"}'),
    "by its shape": ("no such key sk-abcdefghijklmnop1234", "no such key [removed]"),
}


@pytest.mark.parametrize("context", BY_CONTEXT)
def test_a_key_is_known_by_its_context(context):
    text, expected = BY_CONTEXT[context]
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "No language-model server answers at http://127.0.0.1:8000/v1 (refused).",
        "PMID:123 and a@b.org; see http://host/a?page=2",
        "Basic research on the bearer of the gene; tokens: 512; the key finding = 3",
        "'my-model' is not served; it serves 'ollama', 'none'.",
        "max_tokens=512, token: 5; a cookie: chocolate; key: value; secretin=5 ng/ml; the SECRET trial (NCT01): it",
    ],
)
def test_other_texts_stay(text):
    keep_secret("none", "ollama", None, "", "abc")
    assert redacted(text) == text


@pytest.mark.parametrize("form", FORMS)
def test_a_kept_secret_is_removed_in_all_its_forms(form):
    keep_secret(KEY)
    assert redacted(f"you sent {form}!") == f"you sent {REMOVED}!"


def test_keys_in_the_environment_are_kept_secret():
    environment = {
        "NCBI_API_KEY": "abcdefghij",
        "MEDQA_TOKEN": "klmnopqrst",
        "SHORT_KEY": "on",
        "TOKEN_FILE": "/etc/token-of-it",
        "SSH_KEY": "~/.ssh/id",
        "KEYBOARD": "qwertzuiop",
    }
    keep_environment_secret(environment)
    assert redacted(" ".join(environment.values())) == "[removed] [removed] on /etc/token-of-it ~/.ssh/id qwertzuiop"


class Kept(logging.Handler):
    """Keeps what a plain formatter makes of each record."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append(logging.Formatter("%(message)s").format(record))


def test_no_handler_of_a_log_sees_a_key():
    keep_secret(KEY)
    kept = Kept()
    logger = logger_of("llama_index_medqa.made_up")
    logger.addHandler(kept)
    logger.warning("it said %s (%s)", KEY, {"cookie": "sid=abcdef"})
    logger.error("failed", exc_info=ValueError(f"bad {KEY}"))
    assert kept.texts[0] == "it said [removed] ({'cookie': '[removed]'})"
    assert "ValueError: bad [removed]" in kept.texts[1]
    assert not [text for text in kept.texts if KEY in text]


def test_every_logger_of_the_package_removes_keys():
    """Python's own function would give one that does not."""
    other = [
        f"{path.name}: {line}"
        for path in (REPOSITORY / "llama_index_medqa").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "getLogger(__name__)" in line
    ]
    assert other == []


def test_data_is_redacted_in_every_depth():
    keep_secret(KEY)
    data = {"index": f"http://me:{KEY}@host", "rows": [{"said": (KEY, 5, None)}]}
    assert redacted_data(data) == {"index": "http://[removed]@host", "rows": [{"said": ["[removed]", 5, None]}]}


@pytest.mark.parametrize("command", [["info"], ["verify", "Tea helps.", "--pmid", "1"], ["ask", "Does tea help?"]])
def test_no_command_shows_the_key_of_an_index_address(monkeypatch, capsys, command):
    monkeypatch.setattr("sys.argv", ["medqa", *command, "--index", f"http://me:{quote(KEY, safe='')}@127.0.0.1:1"])
    with pytest.raises(SystemExit) as end:
        main()
    shown = capsys.readouterr()
    assert end.value.code == 1
    assert not [form for form in FORMS if form in shown.out + shown.err]


def test_the_key_of_e_utilities_is_removed_wherever_it_is_repeated():
    scrub = Scrubber("abc123def456")
    assert scrub('{"error":"API key invalid","api-key":"x y"} abc123def456') == (
        '{"error":"API key invalid","api-key":"[removed]"} [removed]'
    )
    assert redacted("abc123def456") == REMOVED


def test_what_an_address_holds_is_kept_secret():
    keep_address_secret(f"http://me:{quote(KEY, safe='')}@host/v1?sig=abcdef&x=uvwxyz")
    assert redacted(f"{KEY} abcdef uvwxyz me") == f"{REMOVED} {REMOVED} {REMOVED} me"
    keep_address_secret("http://[broken")


def test_every_error_of_ours_is_without_keys():
    keep_secret(KEY)
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MedQAError)]
    assert len(kinds) > 10
    for kind in kinds:
        if kind is AdapterNotActive:
            error = kind("canaries", KEY, KEY)
        elif kind in (JudgeError, MissingExtraError):
            error = kind(KEY, KEY)
        else:
            error = kind(f"it said {KEY}")
        assert KEY not in f"{error} {error!r} {vars(error)}", kind
        assert KEY not in "".join(traceback.format_exception(error))
    assert str(pickle.loads(pickle.dumps(InputError("plain")))) == "plain"


# --- all error paths of a model behind a server -----------------------------------------------------------------------

ECHO = f"Invalid key {KEY} of http://me:{quote(KEY, safe='')}@host"
FAULTS = {
    "refused": refuses(401, ECHO),
    "busy": refuses(429, ECHO),
    "broken": refuses(500, ECHO),
    "too long": refuses(400, f"maximum model length exceeded, {ECHO}"),
    "not JSON": garbage(ECHO, "application/json"),
    "a page": garbage(ECHO, "text/html"),
    "an error in place of an answer": garbage(json.dumps({"error": ECHO}), "application/json"),
    "cut": breaks,
    "closed": closes,
    "slow": stalls(1.0),
}
WAYS = {
    "complete": lambda llm: llm.complete("x"),
    "acomplete": lambda llm: asyncio.run(llm.acomplete("x")),
    "stream": lambda llm: list(llm.stream_complete("x")),
    "chat": lambda llm: list(llm.stream_chat([ChatMessage("x")])),
}


def address(api_base: str) -> str:
    return api_base.replace("http://", f"http://me:{quote(KEY, safe='')}@")


def shown(error: BaseException) -> str:
    """All that Python shows of an error, its causes included."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "closed"])
def test_no_failure_of_a_model_shows_a_key(fault, way):
    with vllm_double(FAULTS[fault]) as double:
        settings = {"verify_first": False, "max_retries": 0, "timeout": 0.3, "api_key": KEY}
        llm = VllmLora("base", "adapter", api_base=address(double.api_base), **settings)
        with pytest.raises(ServerError) as caught:
            WAYS[way](llm)
    assert not [form for form in FORMS if form in shown(caught.value)]


def test_a_dead_server_shows_no_key():
    for api_base in (f"http://me:{quote(KEY, safe='')}@127.0.0.1:1/v1", f"http://{KEY}@127.0.0.1:1/v1"):
        llm = VllmLora("base", api_base=api_base, max_retries=0, api_key=KEY)
        with pytest.raises(ServerError) as caught:
            llm.complete("x")
        with pytest.raises(MedQAError) as asked:
            ServerApi(api_base, api_key=KEY).models()
        assert not [form for form in FORMS if form in shown(caught.value) + shown(asked.value)]


@contextlib.contextmanager
def without_keys():
    """Every error that passes is looked at."""
    try:
        yield
    except ServerError as error:
        if found := [form for form in FORMS if form in shown(error)]:
            pytest.fail(f"{found} in {error}")
        raise


def echoing(status: int, **content: object) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(status, **content)))


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (401, {"json": {"error": {"message": ECHO}}}),
        (404, {"json": {"error": ECHO}}),
        (500, {"text": ECHO}),
        (200, {"text": ECHO, "headers": {"content-type": "application/json"}}),
        (200, {"json": {"error": f"Unexpected endpoint, {ECHO}"}}),
        (200, {"json": {"data": [{"no id": ECHO}]}}),
    ],
)
def test_no_question_to_a_server_shows_a_key(status, content):
    api = ServerApi(address("http://host/v1"), api_key=KEY, client=echoing(status, **content))
    for ask in (
        api.models,
        lambda: api.token_ids("m", "x"),
        lambda: api.score("m", "x"),
        lambda: api.load_adapter("a", "b"),
    ):
        with contextlib.suppress(ServerError), without_keys():
            ask()


def test_an_address_with_parameters_is_refused_without_them():
    with pytest.raises(InputError, match="MEDQA_API_KEY") as caught:
        ServerApi("http://host/v1?api_key=abcdef")
    assert "abcdef" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 401])
async def test_no_failure_of_a_judge_shows_a_key(tmp_path, status):
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text=ECHO))
    server = JudgeServer(address("http://host/v1"), "m", KEY)
    async with ModelCalls.open(server, tmp_path / "journal.jsonl", transport=transport) as calls:
        with pytest.raises(JudgeError) as caught:
            await calls.ask("chat/completions", {})
    assert not [form for form in FORMS if form in shown(caught.value) + caught.value.detail]


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["dead", "parameters"])
def test_the_command_shows_no_key(medqa, documents, word_piece, monkeypatch, tmp_path, fault):
    from llama_index_medqa import PubMedIndex, TokenNodeParser
    from llama_index_medqa.testing import HashEmbedding

    monkeypatch.setenv("MEDQA_API_KEY", KEY)
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=64, chunk_overlap=16)
    PubMedIndex.open("medqa_index", embed_model=HashEmbedding(), node_parser=parser, create=True).ingest(documents)
    address = f"http://me:{quote(KEY, safe='')}@127.0.0.1:1/v1" + ("?api_key=abcdef" if fault == "parameters" else "")
    for arguments in (("ask", "Does tea help?", "--api-base", address), ("doctor", "--api-base", address)):
        code, out, err = medqa(*arguments)
        assert code == 1
        assert not [form for form in (*FORMS, "abcdef") if form in out + err]
