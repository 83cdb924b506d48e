"""How `make docs` builds the site. Sphinx reads the same Markdown that a forge shows, with the same anchors."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

PROJECT = Path(__file__).resolve().parents[1]
# Files from elsewhere in the project, and the pages that include them.
INCLUDED = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "sql/README.md": "why/sql.md"}

project = "pgreprise"
html_title = "pgreprise"
html_theme = "furo"
html_copy_source = False
html_show_sphinx = False
extensions = ["myst_parser"]
exclude_patterns = ["*.dot"]
# Blocks without a language are transcripts.
highlight_language = "none"
# Headings get the anchors that a forge gives them, so a link works in both places and is checked here.
myst_heading_anchors = 4


def link_within_the_site(app: Sphinx, path: Path, _parent: str, content: list[str]) -> None:
    """Let the links of a file that a page includes lead to pages of the site."""
    pages = {PROJECT / name: Path(app.srcdir, page) for name, page in INCLUDED.items()}
    included = Path(app.srcdir, path).resolve()

    def led(link: re.Match[str]) -> str:
        target = (included.parent / link[1]).resolve()
        return f"]({os.path.relpath(pages.get(target, target), pages[included].parent)}{link[2]})"

    content[0] = re.sub(r"\]\((?!\w+:)([^)#\s]+)(|#[^)\s]*)\)", led, content[0])


def refuse_other_hosts(app: Sphinx, exception: Exception | None) -> None:
    """Fail when a page of the site would make a browser ask another host for something."""
    if exception is not None or app.builder.name != "html":
        return
    loads = re.compile(
        r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(?:https?:)?//|<link\b[^>]*\bhref=\"(?:https?:)?//"
    )
    imports = re.compile(r"url\([\"']?(?:https?:)?//|@import")
    asking = [
        str(path)
        for path in sorted(Path(app.outdir).rglob("*"))
        for pattern in ({".html": loads, ".css": imports}.get(path.suffix),)
        if pattern is not None and pattern.search(path.read_text(encoding="utf-8"))
    ]
    if asking:
        raise SphinxError(f"These files ask another host for something: {', '.join(asking)}")


def setup(app: Sphinx) -> None:
    """Add what is particular to these pages."""
    app.connect("include-read", link_within_the_site)
    app.connect("build-finished", refuse_other_hosts)
