"""Does every relative link of the pages lead to a file that exists, and to a heading that exists?"""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]
_CODE = re.compile(r"^```.*?^```$|^ {4}[^\n]*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_NAMED = re.compile(r"(?<![\w./-])((?:docs|tests|configs|workflows|fusedtomo|phantoms|benchmarks)/[\w/.-]*\w)")
_PAGE = re.compile(r"(?<![\w./])docs/[\w-]+\.md")


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        found[anchor] = found.get(anchor, -1) + 1
    return {f"{anchor}-{n}" if n else anchor for anchor, last in found.items() for n in range(last + 1)}


def broken(page: Path) -> list[str]:
    """The relative links of a page that lead nowhere."""
    text = page.read_text(encoding="utf-8")
    links = _LINK.findall(_CODE.sub("", text))
    return [link for link in links if "://" not in link and not link.startswith("mailto:") and not _leads(page, link)]


def _leads(page: Path, link: str) -> bool:
    name, _, anchor = unquote(link).partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or (target.suffix == ".md" and anchor in anchors(target.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert broken(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_that_are_named_exist(page):
    named = {name for name in _NAMED.findall(page.read_text(encoding="utf-8")) if name.endswith(".md")}
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_broken_links_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.test_links.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A page: of `code`\n\n## Again\n\n## Again\n\n[a](#a-page-of-code) [b](#again-1) [c](page.md#again) [d](https://x.y)\n"
        "[e](none.md) [f](#nowhere) [g](page.md#nowhere) `[h](none.md)`\n\n    [i](none.md)\n\n[j](never.md)\n"
    )
    assert broken(page) == ["none.md", "#nowhere", "page.md#nowhere", "never.md"]


def test_pages_that_the_code_names_exist():
    folders = ("fusedtomo", "phantoms", "workflows", "benchmarks", "tests", "configs", "jobscripts")
    files = [
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".toml", ".sh"}
    ]
    named = {(path, page) for path in files for page in _PAGE.findall(path.read_text(encoding="utf-8"))}
    assert len(named) > 10
    assert [f"{path}: {page}" for path, page in sorted(named) if not (ROOT / page).is_file()] == []
