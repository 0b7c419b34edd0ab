"""Conversations over a real index with a scripted model: questions, commands, a terminal and a pipe."""

import io
import json
import stat
import sys
import webbrowser
from dataclasses import replace

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input.defaults import create_pipe_input
from prompt_toolkit.output import DummyOutput

from llama_index_medqa import MedQAQueryEngine
from llama_index_medqa.cli.asking import AnsweredWith, Opened
from llama_index_medqa.cli.chat.completion import ChatCompleter
from llama_index_medqa.cli.chat.line_reading import history_file, lines_of_terminal
from llama_index_medqa.cli.chat.session import ChatSession
from llama_index_medqa.cli.display.terminal import Terminal
from llama_index_medqa.errors import InputError, MissingExtraError, ServerError, UsageError
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.retrieval.paper_filter import PaperFilter
from llama_index_medqa.testing import ScriptedLLM

QUESTION = "What did green tea do to the resting heart rate?"
TRUE = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water."
SAFE = "No serious adverse events occurred."
REWRITTEN = "What adverse events occurred with green tea?"
FALSE = "Green tea cures every cancer."


class StoppedLLM(ScriptedLLM):
    """Is interrupted, as by Ctrl-C, in the middle of its first answer."""

    def stream_complete(self, prompt, formatted=False, **kwargs):
        stream = super().stream_complete(prompt, formatted, **kwargs)
        if len(self.prompts) > 1:
            return stream

        def deltas():
            yield next(stream)
            raise KeyboardInterrupt

        return deltas()


class FailingLLM(ScriptedLLM):
    """Its server does not answer the first time."""

    def stream_complete(self, prompt, formatted=False, **kwargs):
        stream = super().stream_complete(prompt, formatted, **kwargs)
        if len(self.prompts) == 1:
            raise ServerError("No server answers. Start it.")
        return stream


@pytest.fixture
def begin(index, tmp_path, monkeypatch):
    """Begins a conversation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def started(llm="extractive", *, is_interactive=True, papers=None):
        kind = "extractive" if llm == "extractive" else "server"
        profile = replace(EMBEDDED, llm=kind, api_base="http://me:secret@127.0.0.1:9/v1")
        engine = MedQAQueryEngine.from_index(index, llm, streaming=True)
        return ChatSession(
            Opened(engine, llm, index),
            AnsweredWith(profile, "my_index"),
            Terminal(),
            papers or PaperFilter(),
            is_interactive=is_interactive,
        )

    return started


def lines(*texts):
    """What a person types, then Ctrl-D."""
    left = list(texts)

    def read():
        if not left:
            raise EOFError
        return left.pop(0)

    return read


def test_a_question_and_a_follow_up(begin, capsys):
    llm = ScriptedLLM([TRUE, REWRITTEN, SAFE])
    assert begin(llm).run(lines(QUESTION, "And is it safe?")) is True
    out = capsys.readouterr().out
    assert "by 3.5 beats per minute compared with water [PMID:101]." in out
    assert f"Understood as: {REWRITTEN}" in out
    assert "No serious adverse events occurred [PMID:101]." in out
    assert QUESTION in llm.prompts[1]
    assert "Question:" not in out


def test_a_new_conversation_forgets_the_old_one(begin, capsys):
    llm = ScriptedLLM([TRUE, SAFE])
    session = begin(llm)
    assert session.run(lines(QUESTION, "/new", "Is it safe?", "/new", "/sources")) is False
    out, err = capsys.readouterr()
    assert "Understood as" not in out
    assert err == "Error: There is no answer yet, or the last one was not finished: ask a question first.\n"


def test_sources_are_numbered_and_opened(begin, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda link: opened.append(link) or True)
    assert begin(ScriptedLLM([TRUE])).run(lines(QUESTION, "/sources", "/open 1")) is True
    out = capsys.readouterr().out
    cells = [[cell.strip() for cell in line.split("│")] for line in out.splitlines() if line.startswith("│")]
    assert ["1", "PMID:101", "2021", "Journal of Invented Trials"] in [row[1:5] for row in cells]
    assert next(row for row in cells if row[1:3] == ["1", "PMID:101"])[6] == "cited"
    assert opened == ["https://pubmed.ncbi.nlm.nih.gov/101/"]


def test_without_a_browser_the_address_is_shown(begin, capsys, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda link: False)
    session = begin(ScriptedLLM([TRUE]))
    session.run(lines(QUESTION, "/open 1"))
    assert "There is no browser here to open https://pubmed.ncbi.nlm.nih.gov/101/" in capsys.readouterr().out
    with pytest.raises(UsageError, match="none has the number 99"):
        session.take("/open 99")


def test_a_filter_holds_for_follow_ups_until_it_is_cleared(begin, capsys):
    session = begin("extractive")
    session.run(lines('/filter from=2022 type="Randomized Controlled Trial"', QUESTION))
    out = capsys.readouterr().out
    assert "Only papers with year >= 2022 and publication_types" in out
    assert "I cannot answer this from the indexed literature." in out
    session.run(lines("/filter from=2021", QUESTION))
    assert "3.5 beats per minute" in capsys.readouterr().out
    session.run(lines("/filter clear", "/filter"))
    assert capsys.readouterr().out == "All papers may answer.\n" * 2


def test_options_filter_from_the_beginning(begin, capsys):
    begin("extractive", papers=PaperFilter(last_year=2019)).run(lines(QUESTION, "/filter"))
    out = capsys.readouterr().out
    assert "I cannot answer this" in out
    assert "Only papers with year <= 2019." in out


def test_an_answer_is_saved_and_nothing_is_overwritten(begin, capsys, tmp_path):
    (tmp_path / "mine.md").write_text("my notes")
    session = begin(ScriptedLLM([TRUE]))
    for suffix in ("html", "md", "json"):
        session.run(lines(QUESTION, f"/save answer.{suffix}", f"/save answer.{suffix}"))
    assert "by 3.5 beats per minute compared with water.</mark>" in (tmp_path / "answer.html").read_text()
    assert "[PMID:101](https://pubmed.ncbi.nlm.nih.gov/101/)" in (tmp_path / "answer.md").read_text()
    saved = json.loads((tmp_path / "answer.json").read_text())
    assert (saved["question"], saved["citations"][0]["pmid"]) == (QUESTION, "101")
    capsys.readouterr()
    assert session.run(lines("/save mine.md", "/save missing/answer.html")) is False
    assert (tmp_path / "mine.md").read_text() == "my notes"
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "Error: mine.md is there already: choose another name, or remove it."
    assert "answer.html cannot be written" in err[1]


def test_papers_for_a_reference_manager(begin, capsys, tmp_path):
    session = begin(ScriptedLLM([TRUE]))
    session.run(lines(QUESTION, "/cite bibtex", "/cite ris papers.ris"))
    out = capsys.readouterr().out
    assert "@article{PMID101," in out
    assert "Written to papers.ris." in out
    assert "TI  - Green tea and resting heart rate: a randomized trial." in (tmp_path / "papers.ris").read_text()


def test_why_names_what_was_left_out(begin, capsys):
    begin(ScriptedLLM([f"{TRUE} {FALSE}"])).run(lines(QUESTION, "/why"))
    out = capsys.readouterr().out
    assert "Drafted by scripted: " in out
    assert f"Left out: “{FALSE}”" in out


def test_model_and_help_say_what_there_is_and_show_no_key(begin, capsys):
    begin(ScriptedLLM([TRUE])).run(lines("/model", "/help"))
    out = capsys.readouterr().out
    assert "Drafts: scripted (server at http://[removed]@127.0.0.1:9/v1, profile embedded)" in out
    assert "Searches: my_index, hybrid, 24 chunks, embedded by HashEmbedding:hash" in out
    assert "secret" not in out
    assert "/open NUMBER" in out


def test_ctrl_c_stops_the_answer_and_not_the_session(begin, capsys):
    session = begin(StoppedLLM([TRUE, TRUE]))
    assert session.run(lines(QUESTION)) is True
    assert "Stopped." in capsys.readouterr().out
    with pytest.raises(InputError, match="was not finished"):
        session.take("/sources")
    session.take(QUESTION)
    out = capsys.readouterr().out
    assert "3.5 beats per minute compared with water [PMID:101]." in out
    # What was stopped is no part of the conversation.
    assert "Understood as" not in out


def test_ctrl_c_at_the_prompt_gives_up_the_line(begin, capsys):
    typed = [KeyboardInterrupt, "/help", EOFError]

    def read():
        next_ = typed.pop(0)
        if isinstance(next_, str):
            return next_
        raise next_

    assert begin().run(read) is True
    assert "/sources" in capsys.readouterr().out


def test_in_a_pipe_an_interrupt_ends_it(begin):
    with pytest.raises(KeyboardInterrupt):
        begin(StoppedLLM([TRUE]), is_interactive=False).run(lines(QUESTION, QUESTION))


def test_a_failure_ends_an_answer_and_not_the_session(begin, capsys):
    assert begin(FailingLLM([TRUE, TRUE])).run(lines(QUESTION, "/nonsense", "/why now", QUESTION)) is False
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "Error: No server answers. Start it.",
        "Error: There is no command /nonsense: /help lists them.",
        "Error: /why takes nothing behind it: leave the rest out.",
    ]
    assert "3.5 beats per minute" in out


# --- the lines of a terminal ------------------------------------------------------------------------------------------


@pytest.fixture
def typed():
    """What a person types at prompt_toolkit's prompt."""
    with create_pipe_input() as pipe:
        yield pipe


def test_lines_are_edited_and_kept(typed, tmp_path):
    history = tmp_path / "state" / "chat_history"
    read = lines_of_terminal(history, input=typed, output=DummyOutput())
    typed.send_text("Does tea hepl\x7f\x7flp?\r")
    assert read() == "Does tea help?"
    typed.send_text("/cite ris\r")
    assert read() == "/cite ris"
    assert "+Does tea help?\n" in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    again = lines_of_terminal(history, input=typed, output=DummyOutput())
    # The line before the last, by the arrow keys.
    typed.send_text("\x1b[A\x1b[A\r")
    assert again() == "Does tea help?"


def test_the_line_is_completed_where_the_cursor_stands():
    [found] = ChatCompleter().get_completions(Document("/cite b", 7), CompleteEvent(completion_requested=True))
    assert (found.text, found.start_position) == ("bibtex", -1)
    assert not list(ChatCompleter().get_completions(Document("Does tea", 8), CompleteEvent()))


def test_ctrl_c_and_ctrl_d_at_the_prompt(typed):
    read = lines_of_terminal(None, input=typed, output=DummyOutput())
    typed.send_text("half a line\x03")
    with pytest.raises(KeyboardInterrupt):
        read()
    typed.send_text("\x04")
    with pytest.raises(EOFError):
        read()


def test_a_history_that_cannot_be_written_names_the_option(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Run medqa chat --no-history"):
        lines_of_terminal(tmp_path / "file" / "chat_history")


def test_history_lies_in_the_folder_for_state(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert history_file() == tmp_path / "llama-index-medqa" / "chat_history"


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def opened_index(index, monkeypatch):
    """The index, in place of one that is opened with packaged weights."""
    monkeypatch.setattr("llama_index_medqa.components.open_embedder", lambda *arguments: None)
    monkeypatch.setattr("llama_index_medqa.components.open_index", lambda *arguments: index)
    return index


def test_a_pipe_is_answered_line_by_line(medqa, opened_index, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{QUESTION}\n\n/sources\n"))
    monkeypatch.setitem(sys.modules, "prompt_toolkit", None)
    code, out, err = medqa("chat", "--llm", "extractive", "--index", tmp_path, "--quiet")
    assert (code, err) == (0, "")
    assert out.startswith(f"Question: {QUESTION}\nAnswer: ")
    assert "3.5 beats per minute" in out
    assert "Journal of Invented Trials" in out
    monkeypatch.setattr(sys, "stdin", io.StringIO("/sorces\n/help\n"))
    code, out, err = medqa("chat", "--llm", "extractive", "--index", tmp_path)
    assert (code, "did you mean /sources?" in err, "/cite" in out) == (3, True, True)


def test_a_terminal_needs_the_extra(medqa, monkeypatch):
    monkeypatch.setattr("llama_index_medqa.cli.chat.line_reading.is_interactive", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("llama_index_medqa.components.open_embedder", lambda *_: pytest.fail("the embedder was loaded"))
    code, out, err = medqa("chat")
    assert (code, out) == (1, "")
    assert 'pip install "llama-index-medqa[chat]"' in err


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    from llama_index_medqa.cli.chat import line_reading

    line_reading.require_line_editing()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="needs the extra 'chat'"):
        line_reading.require_line_editing()


def test_a_missing_index_is_told_before_anything_is_loaded(medqa):
    code, out, err = medqa("chat", "--index", "nowhere")
    assert (code, out) == (1, "")
    assert "/nowhere: build one first" in err
