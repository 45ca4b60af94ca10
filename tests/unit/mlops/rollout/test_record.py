"""The record of a rollout in an endpoint's tags."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.endpoint import Source
from mlops.rollout.record import (
    MAX_TAG_LENGTH,
    TAG_NAMES,
    Record,
    RolloutPhase,
    UnreadableTags,
    whoever,
)

values = st.text(min_size=1, max_size=MAX_TAG_LENGTH)
sources = st.builds(Source, *[st.text(max_size=MAX_TAG_LENGTH)] * 5)
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
records = st.builds(
    Record, values, st.sampled_from(RolloutPhase), values, values, values, times, sources
)
others = st.dictionaries(
    st.text().filter(lambda name: name.lower() not in TAG_NAMES), st.text(), max_size=3
)


@given(records, others)
def test_what_is_written_is_read(record: Record, tags: dict[str, str]):
    """Other people's tags stay, and Azure may change the case of a tag's name."""
    written = record.on(tags)
    assert Record.read(written, "credit") == record
    assert Record.read({name.upper(): value for name, value in written.items()}, "credit") == record
    assert tags.items() <= written.items()
    assert all(len(value) <= MAX_TAG_LENGTH for name, value in written.items() if name in TAG_NAMES)


@given(records, records)
def test_a_record_takes_the_place_of_the_one_before(one: Record, other: Record):
    """Nothing of it is left."""
    assert other.on(one.on({"team": "risk"})) == other.on({"team": "risk"})


@given(
    records,
    st.sampled_from(["run", "state", "old", "new", "by", "at"]),
    st.none() | st.text(max_size=5),
)
def test_tags_that_a_rollout_did_not_write_are_never_taken_for_none(
    record: Record, name: str, value: str | None
):
    """The sentence says what to do."""
    tags = record.on({})
    if value is None:
        del tags[f"rollout-{name}"]
    else:
        tags[f"rollout-{name}"] = value
    with suppress(UnreadableTags):
        assert Record.read(tags, "credit") is not None
        assert value is not None
        assert name not in ("state", "at")
        return
    with pytest.raises(UnreadableTags, match=r"mlops rollback credit --to NAME\.$"):
        Record.read(tags, "credit")


def test_without_tags_of_ours_there_is_no_record():
    """Tags of other people are none, also where they begin like ours."""
    assert Record.read({"team": "risk", "rollout-owner": "me"}, "credit") is None


def test_a_part_that_is_too_long_for_a_tag_is_left_out():
    """What matters for the way back is written all the same."""
    record = Record(
        "r",
        RolloutPhase.ROLLING,
        "blue",
        "green",
        "me",
        datetime(2026, 1, 1, tzinfo=UTC),
        Source(file="x" * 257),
    )
    assert Record.read(record.on({}), "credit") == Record(
        "r", RolloutPhase.ROLLING, "blue", "green", "me", record.at
    )


def test_a_rollback_finds_room_among_other_peoples_tags():
    """A resource may have fifty. Without a record there is nothing to roll back either; a rollout
    needs its own."""
    tags = {f"tag-{number}": "x" for number in range(45)}
    record = Record(
        "r", RolloutPhase.ROLLED_BACK, "blue", "red, " * 100, "me", datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert record.on(tags) == tags
    assert len(replace(record, phase=RolloutPhase.ROLLING).on(tags)) == 51
    assert max(map(len, record.on({}).values())) <= MAX_TAG_LENGTH


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_REPOSITORY": "us/credit"},
            "GitHub run 7/2 of us/credit",
        ),
        (
            {"BUILD_BUILDID": "9", "SYSTEM_TEAMPROJECT": "credit"},
            "Azure Pipelines build 9/1.1 of credit",
        ),
        (
            {"BUILD_BUILDID": "9", "SYSTEM_STAGEATTEMPT": "2"},
            "Azure Pipelines build 9/2.1 of unknown",
        ),
        ({}, "@"),
    ],
)
def test_whose_it_is_names_the_pipeline_run_or_the_user(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], said: str
):
    """Two attempts of a pipeline are two."""
    for name in (
        "GITHUB_RUN_ID",
        "BUILD_BUILDID",
        "SYSTEM_JOBATTEMPT",
        "SYSTEM_STAGEATTEMPT",
        "SYSTEM_TEAMPROJECT",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert said in whoever()
