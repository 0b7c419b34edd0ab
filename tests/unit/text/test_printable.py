"""No control character reaches a terminal or a page; all else stays as it is."""

import json
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.text.printable import REPLACEMENT, PrintableFormatter, printable, printable_json

# By their names in Unicode, each with what a terminal or a reader would make of it.
DANGEROUS = {
    "ESCAPE": "\x1b",
    "CONTROL SEQUENCE INTRODUCER": "\x9b",
    "OPERATING SYSTEM COMMAND": "\x9d",
    "BELL": "\x07",
    "BACKSPACE": "\b",
    "CARRIAGE RETURN": "\r",
    "DELETE": "\x7f",
    "RIGHT-TO-LEFT OVERRIDE": "\u202e",
    "LEFT-TO-RIGHT ISOLATE": "\u2066",
    "POP DIRECTIONAL ISOLATE": "\u2069",
    "RIGHT-TO-LEFT MARK": "\u200f",
    "LINE SEPARATOR": "\u2028",
    "TAG LATIN SMALL LETTER A": "\U000e0061",
    "ZERO WIDTH NO-BREAK SPACE": "\ufeff",
    "a lone surrogate": "\ud800",
}
HARMLESS = "Naïve 5 µg/mL ± 2 %, α-synuclein, 日本, עברית, 👩‍⚕️, a\tb\nc, soft\u00adhyphen"


@pytest.mark.parametrize("name", DANGEROUS)
def test_what_is_dangerous_is_replaced(name):
    assert printable(f"a{DANGEROUS[name]}b") == f"a{REPLACEMENT}b"


def test_what_is_harmless_stays():
    assert printable(HARMLESS) == HARMLESS


@given(st.text(alphabet=st.characters()))
def test_no_control_is_left_and_no_place_moves(text):
    shown = printable(text)
    assert len(shown) == len(text)
    assert not {unicodedata.category(character) for character in shown if character not in "\t\n"} & {"Cc", "Cs"}
    assert not any(unicodedata.bidirectional(character) in BIDI_CONTROLS for character in shown)
    assert printable(shown) == shown


BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_json_keeps_the_data_and_shows_no_control(text):
    written = printable_json({"text": text})
    assert json.loads(written) == {"text": text}
    assert printable(written) == written


def test_logged_texts_are_safe_too():
    record = logging.LogRecord("x", logging.WARNING, "x.py", 1, "%s is no record", ("\x1b[2J.xml",), None)
    assert PrintableFormatter().format(record) == f"{REPLACEMENT}[2J.xml is no record"
