"""How does a page become one to explore? Numbers, plotly.js and our scripts go into it; nothing else is loaded.

The scripts are plain files in assets/, put into the page one after the other; each begins with the question that it
answers. Numbers go in as JSON, and reach the page's elements as text, never as HTML.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_COMMON = ("page.js", "volume.js", "surface.js", "solid.js")
_SCRIPTED = 'document.documentElement.classList.add("scripted")'


@dataclass(frozen=True)
class Live:
    """What a page to explore has beside its sections.

    Attributes:
        body: HTML that its scripts fill; hidden where scripts do not run, and in print.
        links: where headings of it are, as text by the id of an element.
        numbers: what it shows; numbers are finite.
        scripts: names of files in assets/, in the order in which they run.
    """

    body: str
    links: dict[str, str]
    numbers: dict[str, Any]
    scripts: tuple[str, ...]

    @property
    def in_head(self) -> str:
        """Says to the style sheet that scripts run; no other script than ours may run, and nothing may be loaded."""
        hashes = " ".join(f"'sha256-{_digest(script)}'" for script in (_SCRIPTED, *self._all()))
        policy = f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {hashes}"
        return f'<meta http-equiv="Content-Security-Policy" content="{policy}"><script>{_SCRIPTED}</script>'

    @property
    def at_end(self) -> str:
        """The numbers and all scripts."""
        content = json.dumps(self.numbers, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        content = content.replace("<", "\\u003c")  # "</script>" in a text would end it
        scripts = "".join(f"<script>{script}</script>\n" for script in self._all())
        return f'<script type="application/json" id="numbers">{content}</script>\n{scripts}'

    def _all(self) -> Iterator[str]:
        yield plotly_js()
        for name in (*_COMMON, *self.scripts):
            yield asset(name)


@cache
def plotly_js() -> str:
    """The library that draws, as the plotly package brings it."""
    from plotly.offline import get_plotlyjs  # not needed by other commands

    return str(get_plotlyjs())


def asset(name: str) -> str:
    """The text of a file in assets/."""
    return (files("workflows.report") / "assets" / name).read_text(encoding="utf-8")


def volumes_template() -> str:
    """The HTML of slices and surfaces, of which scripts make one copy."""
    return f'<template id="volumes-template">{asset("volumes.html")}</template>'


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
