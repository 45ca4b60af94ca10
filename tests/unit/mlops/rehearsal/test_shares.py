from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mlops.rehearsal.shares import Shares


@st.composite
def percents(draw: st.DrawFn) -> dict[str, int]:
    shares = draw(st.lists(st.integers(0, 100), max_size=4))
    left = 100
    given_out = {}
    for i, share in enumerate(shares):
        given_out[f"d{i}"] = min(share, left)
        left -= given_out[f"d{i}"]
    return given_out


@given(percents(), st.integers(0, 400))
def test_each_has_its_share_at_any_time(percent: dict[str, int], picks: int):
    """It is within one request of its share, whatever is missing to 100."""
    shares = Shares(percent)
    seen = Counter(shares.pick() for _ in range(picks))
    for name, share in percent.items():
        assert abs(seen[name] - picks * share / 100) <= len(percent) + 1
    assert abs(seen[None] - picks * (100 - sum(percent.values())) / 100) <= len(percent) + 1


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 400))
def test_two_are_never_off_by_a_whole_request(share: int, other: int, picks: int):
    """This holds for blue and green, whatever both leave to nobody."""
    percent = {"blue": share, "green": min(other, 100 - share)}
    shares = Shares(percent)
    seen = Counter(shares.pick() for _ in range(picks))
    assert all(abs(seen[name] - picks * each / 100) < 1 for name, each in percent.items())


@given(percents())
def test_a_hundred_picks_are_dealt_exactly(percent: dict[str, int]):
    """Nobody without a share gets one."""
    shares = Shares(percent)
    seen = Counter(shares.pick() for _ in range(100))
    assert {name: seen[name] for name in percent} == percent
