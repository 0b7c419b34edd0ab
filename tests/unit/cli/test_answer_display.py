"""How an answer is laid out: links, wrapped text, quotes cut around what supports a sentence, progress."""

import io
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import TextColumn

from llama_index_medqa.cli.display import progress as progress_module
from llama_index_medqa.cli.display.console import SafeConsole
from llama_index_medqa.cli.display.excerpts import excerpt
from llama_index_medqa.cli.display.links import can_link, checked_pmids, linked
from llama_index_medqa.cli.display.progress import progress_bars, working
from llama_index_medqa.cli.display.text_flow import TextFlow

KITTY = {"TERM": "xterm-kitty", "COLORTERM": "truecolor"}


def console(width=40, *, is_terminal=True, environment=None):
    return SafeConsole(
        file=io.StringIO(),
        width=width,
        force_terminal=is_terminal,
        color_system="truecolor" if is_terminal else None,
        legacy_windows=False,
        _environ=KITTY if environment is None else environment,
    )


# Terminals by what they set; from their own documentation and https://github.com/Alhadis/OSC8-Adoption.
@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, True),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode"}, True),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, True),
        ({"TERM": "xterm-256color", "VTE_VERSION": "4804"}, False),
        ({"TERM": "xterm-256color", "VTE_VERSION": "unknown"}, False),
        ({"TERM": "xterm-256color", "WT_SESSION": "0"}, True),
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "tmux", "TERM_PROGRAM_VERSION": "3.4"}, True),
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "tmux", "TERM_PROGRAM_VERSION": "3.3a"}, False),
        ({"TERM": "screen-256color", "VTE_VERSION": "7600"}, False),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, False),
        ({"TERM": "linux"}, False),
        ({"TERM": "dumb", "VTE_VERSION": "7600"}, False),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600", "INSIDE_EMACS": "29.1,comint"}, False),
        ({"TERM": "xterm-256color", "FORCE_HYPERLINK": "1"}, True),
        ({**KITTY, "FORCE_HYPERLINK": "0"}, False),
    ],
)
def test_which_terminals_show_links(environment, expected):
    assert can_link(console(environment=environment), environment) is expected
    assert not can_link(console(is_terminal=False), environment)


def test_only_the_pmids_of_known_records_become_links():
    out = console(200)
    out.print(linked("Tea [PMID:101], not [PMID:999] nor PMID:1010.", {"101"}))
    shown = out.file.getvalue()
    assert re.findall(r"\x1b]8;[^;]*;([^\x1b]+)\x1b\\", shown) == ["https://pubmed.ncbi.nlm.nih.gov/101/"]


def test_a_pmid_that_is_none_is_no_link():
    assert checked_pmids(["101", 102, None, "", "1\x1b]8;;evil", "12345678901", "١٢"]) == {"101", "102"}


@given(st.text(st.sampled_from("ab \n[]PMID:10"), max_size=200), st.integers(8, 60))
def test_wrapped_text_keeps_its_words_and_its_width(text, width):
    out = console(width)
    flow = TextFlow(out)
    flow.write(text)
    flow.end()
    shown = out.file.getvalue()
    assert shown.split() == text.split()
    for line in shown.split("\n"):
        assert len(line) <= width or len(line.split()) == 1


@given(st.lists(st.text(st.sampled_from("ab \n"), max_size=12), max_size=12))
def test_pieces_are_written_as_their_whole(pieces):
    shown = []
    for texts in (pieces, ["".join(pieces)]):
        out = console(20)
        flow = TextFlow(out)
        for text in texts:
            flow.write(text)
        flow.end()
        shown.append("".join(out.file.getvalue().split()))
    assert shown[0] == shown[1]


def test_in_a_pipe_a_sentence_stays_on_its_line():
    out = console(20, is_terminal=False)
    flow = TextFlow(out, {"101"})
    sentence = "Green tea lowered the resting heart rate by 3.5 beats per minute [PMID:101]."
    flow.write("Answer: ", "bold")
    flow.write(sentence)
    flow.end()
    assert out.file.getvalue() == f"Answer: {sentence}\n"


def test_a_link_that_is_wrapped_is_whole():
    out = console(24)
    flow = TextFlow(out, {"101"})
    flow._pmids = {"101"}
    flow.write("Green tea lowered it in adults [PMID:101].")
    flow.end()
    plain = re.sub(r"\x1b(?:]8;[^\x1b]*\x1b\\|\[[0-9;]*m)", "", out.file.getvalue())
    assert plain == "Green tea lowered it in\nadults [PMID:101].\n"


QUOTE = (
    "We enrolled 120 adults of both sexes in three towns and gave them tea or water for twelve weeks in the winter. "
    "Measurements were taken at home by trained nurses who did not know what had been drunk, twice a week at noon. "
    "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water in these adults. "
    "Nobody left the study early, and the towns did not differ in any way that was looked at by the investigators."
)


def test_the_supporting_clause_is_seen():
    shown = excerpt(QUOTE, "Green tea lowers the resting heart rate compared with water.", 120)
    assert "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water" in shown
    assert shown.startswith("…Green tea")
    assert len(shown) <= 120


@given(st.text(st.sampled_from("ab,. \n"), max_size=300), st.text(max_size=40), st.integers(8, 120))
def test_an_excerpt_is_a_piece_of_the_quote(quote, claim, most):
    shown = excerpt(quote, claim, most)
    assert len(shown) <= most
    assert shown.strip("…") in quote
    if len(quote) <= most:
        assert shown == quote


def test_in_a_pipe_what_is_done_is_a_line_every_few_seconds(monkeypatch):
    monkeypatch.setattr(progress_module, "SECONDS_BETWEEN_LINES", 0.05)
    out = console(is_terminal=False)
    with working(out, "Loading the models"):
        time.sleep(0.3)
    lines = out.file.getvalue().splitlines()
    assert len(lines) >= 2
    assert all(re.fullmatch(r"  Loading the models: \d+ s", line) for line in lines)
    quiet = console(is_terminal=False)
    with working(quiet, "Starting", in_pipes=False):
        time.sleep(0.15)
    assert quiet.file.getvalue() == ""


def test_in_a_pipe_a_bar_is_a_line_with_its_total_and_the_time_left(monkeypatch):
    monkeypatch.setattr(progress_module, "SECONDS_BETWEEN_LINES", 0.0)
    out = console(80, is_terminal=False)
    with progress_bars(out, TextColumn("{task.description}")) as bars:
        task = bars.add_task("Answering", total=None)
        bars.update(task, completed=1, total=4)
    assert re.fullmatch(r"  Answering: 1 of 4, about \d+ s left\n", out.file.getvalue())


def test_a_short_wait_in_a_pipe_is_silent():
    out = console(is_terminal=False)
    with working(out, "Loading"), progress_bars(out, TextColumn("x")) as bars:
        bars.update(bars.add_task("x", total=2), completed=1)
    assert out.file.getvalue() == ""


def test_a_spinner_on_a_terminal_says_what_is_done():
    out = console(80)
    with working(out, "Loading the models"):
        time.sleep(0.3)
    assert "Loading the models" in out.file.getvalue()
    assert "0:00:00" in out.file.getvalue()
