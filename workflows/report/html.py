"""How do a report's parts become one self-contained HTML page?"""

import base64
import math
from collections.abc import Iterable, Mapping
from html import escape

from workflows.report.product import Exhibit

_STYLE = """
:root { color-scheme: light dark;
  --ink: #1b1f24; --paper: #fff; --line: #d0d7de; --faint: #57606a; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --faint: #9198a1; --card: #161b22; }
}
body { color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif; max-width: 64rem;
  margin: 2rem auto; padding: 0 1rem; }
h2 { border-bottom: 1px solid var(--line); padding-bottom: .2rem; margin-top: 2.5rem; }
nav a { margin-right: 1rem; } a { color: inherit; }
.numbers { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .8rem; }
.numbers div { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem; }
.numbers dt { color: var(--faint); font-size: .85rem; }
.numbers dd { margin: 0; font-size: 1.25rem; font-weight: 600; }
figure { margin: 1rem 0; } figcaption, .note { color: var(--faint); font-size: .9rem; }
figure img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: left; }
td { font-variant-numeric: tabular-nums; } th, pre { background: var(--card); }
pre { padding: .8rem; overflow-x: auto; font-size: .8rem; }
@media print {
  :root { --ink: #000; --paper: #fff; --line: #bbb; --faint: #333; --card: #fff; }
  body { max-width: none; margin: 0; font-size: 11pt; } nav { display: none; }
  figure, tr { break-inside: avoid; } h2 { break-after: avoid; } pre { white-space: pre-wrap; }
  .wide { overflow: visible; } table { font-size: 7.5pt; }
}
"""


def page(title: str, sections: Mapping[str, str]) -> str:
    """The page; a section for each heading, whose content is HTML."""
    title = escape(title)
    links = "".join(f'<a href="#s{i}">{escape(heading)}</a> ' for i, heading in enumerate(sections))
    body = "".join(
        f'<section id="s{i}"><h2>{escape(heading)}</h2>{content}</section>\n'
        for i, (heading, content) in enumerate(sections.items())
    )
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<style>{_STYLE}</style>"
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body><h1>{title}</h1><nav>{links}</nav>\n'
        f"{body}</body></html>\n"
    )


def figure(exhibit: Exhibit, folder: str = "") -> str:
    """An exhibit's picture, caption and the names of its files, which lie in `folder` beside the page."""
    source = f"data:image/png;base64,{base64.b64encode(exhibit.png).decode()}"
    image = f'<img src="{source}" alt="{escape(exhibit.alt_text)}">'
    files = ", ".join(f'<a href="{escape(folder + file.name)}">{escape(file.name)}</a>' for file in exhibit.files)
    return f"<figure>{image}<figcaption>{escape(exhibit.caption)} {files}</figcaption></figure>"


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table of values; all of it is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_text(v))}</td>' for v in row)}</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(value: object) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def pairs(values: Mapping[str, object]) -> str:
    """A table of names and values."""
    return table(("name", "value"), values.items()) if values else ""
