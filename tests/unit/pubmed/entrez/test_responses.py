"""Answers of any shape. Expected: a value or one of the errors that callers handle, never another."""

import json
import re

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llama_index_medqa.errors import EntrezError
from llama_index_medqa.pubmed.entrez.responses import (
    Scrubber,
    SearchResult,
    TransientProblemError,
    check_answer,
    read_citations,
    read_search,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("count", "idlist", "webenv", "querykey", "ERROR", "errorlist", "warninglist")
RESULTS = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON))
GOOD = {"count": "1", "idlist": ["5"]}
SCRUB = Scrubber("abcdef")
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> SearchResult | None:
    try:
        checked = check_answer(httpx.Response(status, headers=headers, content=body), SCRUB)
        read_citations_or_fail(checked)
        return read_search(checked, 0, 9_999, SCRUB)
    except (EntrezError, TransientProblemError) as error:
        check_message(str(error))
        return None


def read_citations_or_fail(body: bytes) -> None:
    try:
        read_citations(body, SCRUB)
    except TransientProblemError as error:
        check_message(str(error))


def check_message(message: str) -> None:
    assert "abcdef" not in message
    assert "\n" not in message


@patient
@given(st.binary(max_size=200), st.sampled_from([200, 302, 400, 429, 500]))
def test_any_bytes(body: bytes, status: int) -> None:
    assert read(body, status) is None


@patient
@given(RESULTS)
def test_any_result(result: dict[str, object]) -> None:
    read(json.dumps({"esearchresult": result}).encode())


@patient
@given(RESULTS)
def test_any_addition_to_a_good_result(result: dict[str, object]) -> None:
    outcome = read(json.dumps({"esearchresult": result | GOOD}).encode())
    assert outcome is None or outcome.pmids == ("5",)


@patient
@given(st.dictionaries(st.sampled_from(["error", "esearchresult", "abcdef"]), JSON))
def test_any_object(content: dict[str, object]) -> None:
    read(json.dumps(content).encode())


@patient
@given(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
)
def test_any_retry_after(value: str, day: str) -> None:
    with pytest.raises(TransientProblemError) as caught:
        check_answer(httpx.Response(429, headers={"Retry-After": value, "Date": day}), SCRUB)
    if not re.search(r"\d", value):
        assert caught.value.retry_after is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"esearchresult":' + b"[" * 100_000,
        b'{"esearchresult":{"count":1e400,"idlist":[]}}',
        b'{"esearchresult":{"count":"1","idlist":"5"' + b"}" * 2 + b"}",
        b'{"esearchresult":{"count":"1","idlist":["05"]}}',
        b'{"esearchresult":{"count":"1","idlist":[""]}}',
        b'{"esearchresult":{"ERROR":"\\ud800"}}',
        b"",
        b"null",
    ],
)
def test_shapes_that_break_careless_readers(body: bytes) -> None:
    assert read(body) is None
