"""For mkdocs: brings what pages link to outside of this folder onto the site, so that links hold here and there.

Pages link as they do in the repository, such as ``../benchmarks/README.md``. On the site this folder is the root, and
the others lie beside its pages.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
BROUGHT = (
    *("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"),
    *("benchmarks/README.md", "benchmarks/results/*", "examples/*", "examples/ci_gate/*", "training/LOG.md"),
    *("benchmarks/verification/*.md", "benchmarks/verification/*.jsonl", "benchmarks/gates/baselines/adapter.json"),
    *("deploy/*", "tests/unit/server/test_attacks.py"),
)
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)(?=[)#])")


def on_files(files: Files, *, config: Any) -> Files:
    """Adds the files of other folders."""
    for pattern in BROUGHT:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file():
                name = path.relative_to(ROOT).as_posix()
                files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Makes links that hold in the repository hold on the site."""
    name = page.file.src_uri
    path = name if (ROOT / name).exists() else f"docs/{name}"
    return _LINK.sub(lambda link: _on_site(link.group(1), path, name), markdown)


def _on_site(link: str, path: str, name: str) -> str:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    target = "index.md" if target == "README.md" else target.removeprefix("docs/")
    return posixpath.relpath(target, posixpath.dirname(name) or ".")
