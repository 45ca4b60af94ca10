"""Each step of the docs that creates something says how to undo it and what it costs."""

import re
from collections.abc import Iterator

import pytest

from deploy.checkout import REPOSITORY

PAGES = sorted(path.name for path in (REPOSITORY / "docs").glob("*.md"))
MAKES = re.compile(
    r"^(?!#).*\b(az [\w -]*?(create|attach|register)\b|(terraform|terraform -chdir=\S+) "
    r"apply\b|kubectl apply\b"
    r"|docker push\b|mlops rollout (?!.*--plan)|gh (variable set|api --method PUT)\b)",
    re.MULTILINE,
)
NUMBER = re.compile(r"(\d+) dollars")


def text(page: str) -> str:
    return (REPOSITORY / "docs" / page).read_text()


def steps(page: str) -> Iterator[tuple[str, str]]:
    """Return each block of commands that creates something, with the text up to the next block or
    heading."""
    blocks = list(re.finditer(r"```bash\n(.*?)```", page, re.DOTALL))
    making = [block for block in blocks if MAKES.search(block[1])]
    for block in making:
        rest = page[block.end() :]
        ends = [
            rest.find("\n## "),
            *(other.start() - block.end() for other in making if other.start() > block.end()),
        ]
        yield block[1], rest[: min((end for end in ends if end >= 0), default=len(rest))]


ALL = [(page, command, after) for page in PAGES for command, after in steps(text(page))]


def missing(after: str) -> list[str]:
    return [
        word
        for word in ("Undo", "Cost")
        if not re.search(rf"^\*\*{word}\*\*: ", after, re.MULTILINE)
    ]


def test_the_steps_are_found():
    """The check below has steps to check."""
    assert len(ALL) >= 10
    assert {page for page, _, _ in ALL} >= {
        "infrastructure.md",
        "deploy.md",
        "kubernetes.md",
        "observability.md",
    }


@pytest.mark.parametrize(
    ("page", "command", "after"),
    ALL,
    ids=[f"{page}-{MAKES.search(command)[1]}" for page, command, _ in ALL],
)
def test_a_step_that_makes_something_says_how_to_undo_it_and_what_it_costs(
    page: str, command: str, after: str
):
    """The text has a command, and a number or that it costs nothing."""
    assert missing(after) == [], f"{page}: {command}"
    undo = after.partition("**Undo**: ")[2].partition("**Cost**: ")[0]
    assert re.search(r"`[^`]*(delete|destroy|detach|archive|unregister)[^`]*`", undo, re.DOTALL), (
        undo
    )


def test_a_step_that_lacks_them_is_found():
    """The check above can fail."""
    page = (
        "```bash\naz group create --name rg # Azure\n```\n\nText.\n\n"
        "## Next\n\n**Undo**: x\n**Cost**: y\n"
    )
    assert [missing(after) for _, after in steps(page)] == [["Undo", "Cost"]]
    assert list(steps("```bash\naz account show\n```\n")) == []


def test_costs_are_those_of_the_table():
    """Costs are in dollars a month; those without a source of their own are in the table of
    infrastructure.md."""
    table = text("infrastructure.md").partition("## Cost")[2].partition("\n## ")[0]
    months = {int(number) for number in re.findall(r"\*?\*?(\d+)\*?\*? \|", table)}
    hours = [float(number) for number in re.findall(r"\| (0\.\d+) \|", table)]
    known = months | {round(hour * 730) for hour in hours}
    costs = [
        cost
        for page in PAGES
        for cost in re.findall(r"\*\*Cost\*\*: (.*?)(?:\n\n|\n\*\*|\Z)", text(page), re.DOTALL)
    ]
    stated = [cost for cost in costs if NUMBER.search(cost)]
    assert len(stated) >= 5
    for cost in stated:
        own_source = "samcogan" in cost or "an hour" in cost
        assert own_source or {int(number) for number in NUMBER.findall(cost)} <= known, cost
        assert own_source or "infrastructure.md#cost" in cost or "(#cost)" in cost, cost
