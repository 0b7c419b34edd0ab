"""Makes the README's pictures from real runs on records that were written for this repository.

Needs the extras ``local`` and ``dev``, and Chromium (``apt-get install chromium``). Each picture is what the command
prints or writes, untouched; run it again when that changes: ``python docs/make_pictures.py``.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs/pictures"
QUESTION = "Is vitrification safer than slow freezing for ovarian tissue?"
# Quotes, which are the same on every machine; a model's draft looks alike.
LLM = ("--llm", "extractive")
COLUMNS = 100
# The candidate's retriever returns the abstracts of another question for one in five.
PLANTED = "benchmarks.gates.extractive:planted_regression"


def medqa(*arguments: str) -> str:
    """What the command prints, colours included; a gate that fails has exit code 1."""
    command = [sys.executable, "-c", "from llama_index_medqa.cli.command import main; main()", *arguments]
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"medqa {' '.join(arguments)} ended with {done.returncode}")
    return done.stdout


def terminal(shown: str, typed: Sequence[str], path: Path) -> None:
    """A terminal as an SVG that loads no fonts from elsewhere."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text(f"$ {' '.join(typed)}", style="bold"))
        console.print(Text.from_ansi(shown))
        svg = console.export_svg(title="medqa")
    path.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL))


def photograph(page: Path, path: Path, width: int, height: int) -> None:
    """The upper part of a page as a browser shows it."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        raise SystemExit("make_pictures needs Chromium: apt-get install chromium")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{height}"]
    subprocess.run(
        [browser, *options, f"--screenshot={path}", page.as_uri()], check=True, capture_output=True, timeout=300
    )


def main() -> None:
    """Makes the three pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        index, answer, candidate, report = (str(work / name) for name in ("index", "a.html", "c.json", "g.html"))
        medqa("index", "examples/papers.jsonl", "--index", index)
        shown = medqa("ask", QUESTION, "--index", index, "--top-k", "3", *LLM, "--html", answer)
        terminal(shown, ["medqa", "ask", f'"{QUESTION}"', *LLM, "--html", "answer.html"], PICTURES / "terminal.svg")
        photograph(Path(answer), PICTURES / "answer.png", 1100, 620)
        terms = ("--terms", "benchmarks/gates/suite/terms.txt")
        medqa("evaluate", "benchmarks/gates/suite/cases.jsonl", "--engine", PLANTED, *terms, "--output", candidate)
        margins = ("--margins", "benchmarks/gates/suite/margins.toml")
        medqa("gate", "benchmarks/gates/baselines/suite.json", candidate, *margins, "--html", report)
        photograph(Path(report), PICTURES / "gate.png", 1100, 760)


if __name__ == "__main__":
    main()
