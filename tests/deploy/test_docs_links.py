"""The links of the docs."""

import re
from pathlib import Path

import pytest

from deploy.checkout import REPOSITORY

PAGES = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")]


def prose(page: Path) -> str:
    """Return the text of a page without commands."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """Return the links of a page to files and headings that do not exist."""
    links = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [link for link in links if "://" not in link and not exists(page, link)]


def exists(page: Path, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = page.parent / file if file else page
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_each_link_leads_somewhere(page: Path):
    """The file and the heading of each link exist."""
    assert broken(page) == []


def test_a_broken_link_is_found(tmp_path: Path):
    """The test above can fail."""
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b`, c\n\n[x](#a-b-c) [y](#other) [z](none.md) [w](https://example.com/)\n"
    )
    assert broken(page) == ["#other", "none.md"]
