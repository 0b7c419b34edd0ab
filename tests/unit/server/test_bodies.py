"""Which bodies are sound JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.server.guards.bodies import DEEPEST, json_problem

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab[]{}\"\\"), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(VALUES, st.booleans())
def test_what_python_writes_is_taken(value, ascii_only):
    assert json_problem(json.dumps(value, ensure_ascii=ascii_only).encode()) == ""


@given(st.binary(max_size=200))
def test_any_bytes_are_judged_as_python_judges_them(body):
    try:
        json.loads(body.decode("utf-8"), parse_constant=lambda _: 1 / 0)
        is_json = True
    except (ValueError, ZeroDivisionError):
        is_json = False
    assert not json_problem(body) or not is_json or "twice" in json_problem(body) or "surrogate" in json_problem(body)
    assert is_json or json_problem(body)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_counted_outside_of_texts(opening, closing):
    assert json_problem((opening * DEEPEST + "1" + closing * DEEPEST).encode()) == ""
    assert "nested" in json_problem((opening * (DEEPEST + 1) + "1" + closing * (DEEPEST + 1)).encode())
    assert json_problem(json.dumps({"text": opening * 100 + '\\"' + "[" * 100}).encode()) == ""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"a": 1, "a": 2}', "An object of the body has the same key twice."),
        (b'[{"b": {"a": 1, "\\u0061": 2}}]', "An object of the body has the same key twice."),
        (b"[-Infinity]", "-Infinity is no JSON."),
        (b'"\\udc00"', "A text in the body holds half of a surrogate pair."),
        (b"[1" + b"0" * 5_000 + b"]", "The body holds a number that is too long."),
        (b"{'a': 1}", "The body is no JSON: Expecting property name enclosed in double quotes at character 1."),
    ],
)
def test_each_problem_is_said(body, problem):
    assert json_problem(body) == problem


def test_a_pair_of_surrogates_is_a_character():
    assert json_problem(b'"\\ud83d\\ude00"') == ""
