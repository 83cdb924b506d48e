"""How `make docs` builds the site. Sphinx reads the same Markdown that a forge shows, with the same anchors."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

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


def link_within_the_site(_app: Sphinx, _path: Path, _parent: str, content: list[str]) -> None:
    """Let the links between the files beside README.md lead to their pages here."""
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        content[0] = content[0].replace(f"]({name}", f"]({name.lower()}")


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
