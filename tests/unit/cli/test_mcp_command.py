"""``medqa mcp`` before it serves; sessions are in ``tests/integration/test_mcp_server.py``."""

import sys

import pytest


def test_the_missing_extra_is_named(medqa, monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    code, out, err = medqa("mcp")
    assert (code, out) == (1, "")
    assert err == (
        "Error: medqa mcp needs the extra 'server'. Install it with: pip install \"llama-index-medqa[server]\"\n"
    )


def test_a_missing_index_is_told_before_anything_is_served(medqa):
    code, out, err = medqa("mcp", "--index", "nowhere")
    assert (code, out) == (1, "")
    assert err == "Error: There is no index in nowhere: build one first, with `medqa index FILE`.\n"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--strictness", "lax", "choose strict, balanced, open"),
        ("--policy", "lenient", "choose strict, mark, report"),
        ("--llm", "gpt", "choose extractive, local, server"),
        ("--retrieval", "sparse", "choose hybrid, dense, lexical"),
    ],
)
def test_misuse_is_told(medqa, option, value, message):
    code, out, err = medqa("mcp", option, value)
    assert (code, out) == (2, "")
    assert message in err
