"""Do the unit tests notice when the verifier's rules, thresholds or factors are broken?

    python -m benchmarks.verification.mutations [--limit N] [--module NAME ...] [--journal FILE] [--again]
        [--report]

Breaks, one at a time, each number (a threshold, a factor of a unit, a place), each comparison, each boolean operator
and each regular expression in the modules of ``verification/`` and in those of ``text/`` that read quantities, in a
copy of the package; and runs the three test files of ``tests/unit/verification`` and ``tests/unit/text`` on it that are
nearest to the module, its own first, until one test fails. A mutant that none of them notices survives. What runs into
a limit of time or memory is noticed.

``--limit`` takes N mutants at random, always the same. ``--module`` names modules such as ``verification.windows``.
What was found is kept in FILE (by default ``.medqa/mutations.jsonl``): the same command goes on where it was stopped;
``--again`` runs the survivors anew, after tests were added; ``--report`` runs nothing. A mutant's record holds as long
as its module is unchanged.

``surviving_mutants.jsonl`` holds why a survivor may stay: {module, text, before, after, reason}, where the text is the
line that it stands in. Linux; about a second of one core a mutant.
"""

import argparse
import contextlib
import hashlib
import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.provenance import ROOT, provenance, write_results
from benchmarks.verification.mutants import Mutant, mutants_of
from benchmarks.verification.mutation_runs import PACKAGE, copied_tree, notices, preload, seconds_allowed

PATTERNS = (
    "verification/*.py",
    "text/quantities/*.py",
)
REASONS = Path(__file__).with_name("surviving_mutants.jsonl")
SEED = 18


@dataclass(frozen=True)
class MutantRun:
    """A mutant of a module.

    Attributes:
        module: ``verification.windows``.
        mutant: the change.
        line: the number of the line that it stands in.
        text: that line, stripped.
        source_sha: of the module, first 12 digits.
    """

    module: str
    mutant: Mutant
    line: int
    text: str
    source_sha: str

    @property
    def key(self) -> str:
        """Return the key in the journal."""
        return f"{self.module} {self.source_sha} {self.mutant.start} {self.mutant.after}"

    @property
    def file(self) -> str:
        """Return the module's file in the repository."""
        return f"{PACKAGE}/{self.module.replace('.', '/')}.py"


def modules() -> list[str]:
    """Return the names of all modules that are broken."""
    package = ROOT / PACKAGE
    files = [file for pattern in PATTERNS for file in package.glob(pattern) if file.name != "__init__.py"]
    return sorted(".".join(file.relative_to(package).with_suffix("").parts) for file in files)


def tasks(names: Iterable[str], limit: int | None) -> list[MutantRun]:
    """Return the mutants of some modules, or a random sample."""
    found = []
    for name in names:
        source = (ROOT / PACKAGE / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")
        lines, sha = source.splitlines(), hashlib.sha256(source.encode()).hexdigest()[:12]
        for mutant in mutants_of(source):
            number = mutant.line(source)
            found.append(MutantRun(name, mutant, number, lines[number - 1].strip(), sha))
    if limit is not None and limit < len(found):
        found = random.Random(SEED).sample(found, limit)
    return found


def run(todo: Sequence[MutantRun], journal: Path) -> None:
    """Run the tests on each mutant, and store each result at once."""
    seconds: dict[str, int] = {}
    with journal.open("a", encoding="utf-8") as stream, copied_tree() as copy:
        preload(modules())
        for number, task in enumerate(todo, start=1):
            source = (copy / task.file).read_text(encoding="utf-8")
            if task.module not in seconds:
                seconds[task.module] = seconds_allowed(task.module, source)
            noticed = notices(task.module, task.mutant.applied(source), seconds[task.module])
            stream.write(json.dumps({"key": task.key, "noticed": noticed}) + "\n")
            stream.flush()
            told = "noticed" if noticed else f"SURVIVES: {task.mutant.before} -> {task.mutant.after}"
            print(f"{number} of {len(todo)}: {task.module}:{task.line} {told}", file=sys.stderr, flush=True)


def read_journal(journal: Path) -> dict[str, bool]:
    """Return whether each mutant was noticed, by key.

    The last word holds; a line that was broken off is left out.
    """
    found: dict[str, bool] = {}
    for line in journal.read_text(encoding="utf-8").split("\n") if journal.exists() else ():
        with contextlib.suppress(json.JSONDecodeError, KeyError):
            row = json.loads(line)
            found[row["key"]] = row["noticed"]
    return found


def report(chosen: Sequence[MutantRun], noticed: dict[str, bool], reasons: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Return the shares noticed, and the survivors with reasons.

    In all, and by module and kind.
    """
    known = {(row["module"], row["text"], row["before"], row["after"]): row["reason"] for row in reasons}
    waiting = sum(task.key not in noticed for task in chosen)
    chosen = [task for task in chosen if task.key in noticed]
    groups: dict[str, list[bool]] = defaultdict(list)
    for task in chosen:
        for group in ("all", task.module, task.mutant.kind):
            groups[group].append(noticed[task.key])
    survivors = [task for task in chosen if not noticed[task.key]]
    return {
        "mutants": len(chosen),
        "not_run": waiting,
        "noticed": {name: round(sum(some) / len(some), 4) for name, some in groups.items()},
        "counts": {name: len(some) for name, some in groups.items()},
        "survivors": [
            {
                "module": task.module,
                "line": task.line,
                "text": task.text,
                **{name: value for name, value in asdict(task.mutant).items() if name in ("kind", "before", "after")},
                "reason": known.get((task.module, task.text, task.mutant.before, task.mutant.after)),
            }
            for task in survivors
        ],
    }


def main() -> None:
    """Run the mutants and writes ``results/verification_mutations.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="so many mutants, drawn at random")
    parser.add_argument("--module", nargs="+", choices=modules(), default=modules())
    parser.add_argument("--journal", type=Path, default=ROOT / ".medqa" / "mutations.jsonl")
    parser.add_argument("--again", action="store_true", help="run the survivors anew")
    parser.add_argument("--report", action="store_true", help="run nothing: tell what the journal holds")
    options = parser.parse_args()
    options.journal.parent.mkdir(parents=True, exist_ok=True)
    chosen = tasks(options.module, options.limit)
    known = read_journal(options.journal)
    todo = [task for task in chosen if task.key not in known or (options.again and not known[task.key])]
    if todo and not options.report:
        run(todo, options.journal)
    reasons = (
        [json.loads(line) for line in REASONS.read_text(encoding="utf-8").splitlines()] if REASONS.exists() else []
    )
    found = report(chosen, read_journal(options.journal), reasons)
    print(json.dumps(found, indent=1, ensure_ascii=False))
    if options.module == modules():
        files = [ROOT / PACKAGE / f"{name.replace('.', '/')}.py" for name in modules()]
        write_results(
            "verification_mutations", {**found, "seed": SEED, "provenance": provenance(files, ["pytest", "hypothesis"])}
        )


if __name__ == "__main__":
    main()
