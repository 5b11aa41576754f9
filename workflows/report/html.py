"""How do a report's parts become one self-contained HTML page?"""

import base64
import math
from collections.abc import Collection, Iterable, Mapping
from html import escape

from workflows.report.live import Live, asset
from workflows.report.product import Exhibit


def page(title: str, sections: Mapping[str, str], live: Live | None = None, printed: Collection[str] = ()) -> str:
    """The page.

    Args:
        title: of the page.
        sections: by heading, each content is HTML.
        live: what scripts fill; it stands after the first section.
        printed: headings of what is hidden where scripts show more of the same.
    """
    title = escape(title)
    parts = [_section(f"s{n}", *pair, pair[0] in printed) for n, pair in enumerate(sections.items())]
    if live:
        parts.insert(1, live.body)
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{live.in_head if live else ''}<title>{title}</title><style>{asset('page.css')}</style>"
    )
    body = f"<h1>{title}</h1>{_links(sections, live, printed)}\n<main>{''.join(parts)}</main>"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>{body}\n'
        f"{live.at_end if live else ''}</body></html>\n"
    )


def _section(name: str, heading: str, content: str, printed: bool) -> str:
    return f'<section id="{name}"{_shown(printed)}><h2>{escape(heading)}</h2>{content}</section>\n'


def _shown(printed: bool) -> str:
    return ' class="printed"' if printed else ""


def _links(sections: Iterable[str], live: Live | None, printed: Collection[str]) -> str:
    links = [f'<a href="#s{n}"{_shown(heading in printed)}>{escape(heading)}</a>' for n, heading in enumerate(sections)]
    more = [f'<a class="live" href="#{name}">{escape(text)}</a>' for name, text in (live.links if live else {}).items()]
    theme = '<button type="button" id="theme" class="live">light or dark</button>' if live else ""
    return f"<nav>{' '.join([*links[:1], *more, *links[1:]])}{theme}</nav>"


def figure(exhibit: Exhibit, folder: str = "") -> str:
    """An exhibit's picture, caption and the names of its files, which lie in `folder` beside the page.

    Pictures of plots turn dark with the page; of volumes the colours stay.
    """
    source = f"data:image/png;base64,{base64.b64encode(exhibit.png).decode()}"
    image = f'<img src="{source}" alt="{escape(exhibit.alt_text)}">'
    files = ", ".join(f'<a href="{escape(folder + file.name)}">{escape(file.name)}</a>' for file in exhibit.files)
    plain = ' class="plain"' if exhibit.plain else ""
    return f"<figure{plain}>{image}<figcaption>{escape(exhibit.caption)} {files}</figcaption></figure>"


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table of values; all of it is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_text(v))}</td>' for v in row)}</tr>\n" for row in rows)
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(value: object) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def pairs(values: Mapping[str, object]) -> str:
    """A table of names and values."""
    return table(("name", "value"), values.items()) if values else ""
