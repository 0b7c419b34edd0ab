"""`medqa chat` as a person uses it: a pseudo terminal, a small index of real abstracts, real embedder and verifier."""

import codecs
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

pytestmark = pytest.mark.integration

COMMAND = (sys.executable, "-c", "from llama_index_medqa.cli.command import main; main()")
FITNESS = "Does cardiorespiratory fitness predict cardiovascular mortality?"
FITNESS_PMID = "32428619"
LIRAGLUTIDE = "Does liraglutide increase myocardial glucose oxidation?"
LIRAGLUTIDE_PMID = "32640211"
# The paper of the first question is of 2021; nothing in the index is of this year.
LATER = 2026
ESCAPES = re.compile(r"\x1b(?:\][^\x1b\x07]*(?:\x1b\\|\x07)|\[[0-9;?<>=]*[A-Za-z]|[=>()][0-9A-Z]?)")
# prompt_toolkit takes pasted text as one while it reads a line.
PROMPT_BEGINS, PROMPT_ENDS = "\x1b[?2004h", "\x1b[?2004l"
SECONDS = 200
COLUMNS = 90
LINKED = f"\x1b]8;id=\\d+;https://pubmed.ncbi.nlm.nih.gov/{FITNESS_PMID}/\x1b\\\\"


class TerminalProcess:
    """A command on a terminal of its own, as a person sees and types at it."""

    def __init__(self, arguments, folder, environment, columns=COLUMNS):
        self.raw = ""
        # What is read at once may end inside a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._read_up_to = 0
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            # A parent in the background may have had it ignored.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.chdir(folder)
            os.execve(arguments[0], arguments, environment)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

    def type(self, text):
        os.write(self._terminal, text.encode())

    def expect(self, text):
        """Waits until a text is shown, and gives what a person saw from the last one to this."""
        deadline = time.monotonic() + SECONDS
        while (found := self.raw.find(text, self._read_up_to)) < 0:
            assert self._wait(deadline), f"{text!r} did not come:\n{self._seen(len(self.raw))}"
        seen = self._seen(found + len(text))
        self._read_up_to = found + len(text)
        return seen

    def answered(self, line):
        """What a line brings, up to the next prompt."""
        self.type(f"{line}\r")
        self.expect(PROMPT_ENDS)
        return self.expect(PROMPT_BEGINS)

    def end(self):
        """The exit code."""
        deadline = time.monotonic() + SECONDS
        while self._wait(deadline):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _seen(self, end):
        return ESCAPES.sub("", self.raw[self._read_up_to : end]).replace("\r", "")

    def _wait(self, deadline):
        """Reads what has come; false at the end."""
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))
        try:
            new = os.read(self._terminal, 65536) if ready else b""
        except OSError:  # Linux says so when the other side is closed
            new = b""
        self.raw += self._decoder.decode(new)
        return bool(new)


@pytest.fixture(scope="module")
def folder(sample_index):
    """A folder with an index of 40 abstracts of the packaged sample."""
    return sample_index.parent


@pytest.fixture
def environment(tmp_path):
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("COLUMNS", "LINES", "VTE_", "NO_C"))
    }
    # A kitty shows links; nobody answers where the cursor is.
    return {
        **own,
        "TERM": "xterm-kitty",
        "FORCE_HYPERLINK": "1",
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "HF_HUB_OFFLINE": "1",
    }


def test_a_conversation_on_a_terminal(folder, environment, tmp_path):
    chat = TerminalProcess([*COMMAND, "chat", "--llm", "extractive"], folder, environment)
    chat.expect("extractive drafts, every sentence is verified.")
    chat.expect(PROMPT_BEGINS)
    first = chat.answered(FITNESS)
    assert "Answer: " in first
    assert f"[PMID:{FITNESS_PMID}]" in first
    assert re.search(LINKED, chat.raw)
    second = chat.answered(LIRAGLUTIDE)
    assert f"[PMID:{LIRAGLUTIDE_PMID}]" in second
    assert "Understood as" not in second
    listed = chat.answered("/sources")
    assert re.search(rf"│ +1 │ PMID:{LIRAGLUTIDE_PMID} │ 2021", listed)
    filtered = chat.answered(f"/filter from={LATER}")
    assert f"Only papers with year >= {LATER}." in filtered
    nothing = chat.answered(FITNESS)
    assert "I cannot answer this from the indexed literature." in nothing
    assert "All papers may answer." in chat.answered("/filter clear")
    interrupt(chat)
    again = chat.answered(FITNESS)
    assert f"[PMID:{FITNESS_PMID}]" in again
    assert "Written to answer.json." in chat.answered("/save answer.json")
    chat.type("\x04")
    assert chat.end() == 0
    saved = json.loads((folder / "answer.json").read_text())
    assert FITNESS_PMID in {citation["pmid"] for citation in saved["citations"]}
    history = (tmp_path / "state" / "llama-index-medqa" / "chat_history").read_text()
    assert f"+{FITNESS}\n" in history
    # No line is wider than the terminal, so that none was broken within a word.
    for line in first[first.index("Answer: ") :].splitlines():
        assert len(line) <= COLUMNS


def interrupt(chat):
    """Stops an answer by Ctrl-C; on a quick machine one may be done before, and is asked again."""
    for _ in range(20):
        chat.type(f"{FITNESS}\r")
        chat.expect("Reading the evidence")
        chat.type("\x03")
        if "Stopped." in chat.expect(PROMPT_BEGINS):
            return
    pytest.fail("no answer was stopped")


def test_a_conversation_in_a_pipe(folder, environment):
    lines = f"{FITNESS}\n/sources\n/cite bibtex\n/quit\n{LIRAGLUTIDE}\n"
    done = subprocess.run(
        [*COMMAND, "chat", "--llm", "extractive", "--no-history"],
        cwd=folder, env=environment, input=lines, capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Question: {FITNESS}\nAnswer: ")
    assert f"@article{{PMID{FITNESS_PMID}," in done.stdout
    assert LIRAGLUTIDE not in done.stdout
    assert "\x1b" not in done.stdout


def test_a_list_that_is_killed_and_resumed(folder, environment):
    (folder / "questions.txt").write_text(f"{FITNESS}\n{LIRAGLUTIDE}\nWhat is the capital of Mongolia?\n")
    arguments = [*COMMAND, "ask", "--questions", "questions.txt", "--output", "answers.jsonl", "--llm", "extractive"]
    answers = folder / "answers.jsonl"
    running = subprocess.Popen(arguments, cwd=folder, env=environment)
    deadline = time.monotonic() + SECONDS
    while not (answers.exists() and answers.read_bytes().count(b"\n")) and time.monotonic() < deadline:
        time.sleep(0.01)
    running.kill()
    running.wait()
    kept = answers.read_bytes()
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    assert answers.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    assert [row["question"] for row in rows] == [FITNESS, LIRAGLUTIDE, "What is the capital of Mongolia?"]
    assert [row["outcome"] for row in rows] == ["answer", "answer", "nothing_found"]
    assert FITNESS_PMID in rows[0]["pmids"]
