"""Tables and examples of the pages in docs/, for tests that compare them with the program."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_EXAMPLE = re.compile(r"^```(?:python|toml)\n# (\w+\.(?:py|toml))\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    """The text of a page."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def examples(text: str) -> dict[str, str]:
    """The examples of a page by the name of their file, which their first line tells."""
    return {name: f"# {name}\n{body}" for name, body in _EXAMPLE.findall(text)}


def table(text: str, heading: str) -> dict[str, list[str]]:
    """The rows of the table whose first column has a heading, by their first cell without its quotes."""
    (found,) = re.findall(rf"^\| {re.escape(heading)} \|.*\n\| ---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in found.splitlines()]
    names = [row[0].strip("`") for row in rows]
    assert len(set(names)) == len(names), f"a row of the table '{heading}' is there twice"
    return {name: row[1:] for name, row in zip(names, rows, strict=True)}


def files_named(text: str) -> set[str]:
    """The files and folders of the project that a page names."""
    plain = text.replace("\\_", "_")
    return set(re.findall(r"(?<![\w./])((?:phantoms|fusedtomo|workflows|tests|configs|docs)/[\w./]*\w)", plain))


def matched(found: set[str], named: set[str]) -> tuple[set[str], set[str]]:
    """What was found and is not named, and what is named and was not found; a name may hold ``<anything>``."""
    patterns = {name: re.compile(re.sub(r"<[^>]*>", "[^/@]+", re.escape(name))) for name in named}
    unnamed = {one for one in found if not any(each.fullmatch(one) for each in patterns.values())}
    return unnamed, {name for name, each in patterns.items() if not any(each.fullmatch(one) for one in found)}
