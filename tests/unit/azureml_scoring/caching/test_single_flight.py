import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.caching.single_flight import SingleFlight


def test_of_equal_keys_one_leads_and_the_others_get_what_it_lands():
    """A key is computed once, however many threads claim it meanwhile."""
    flights, leading, all_there = SingleFlight(), threading.Event(), threading.Barrier(5)

    def lead() -> None:
        with flights.claim([b"key"]) as claim:
            leading.set()
            all_there.wait(30)
            claim.land({b"key": b"[1]"})

    def follow() -> dict[bytes, bytes]:
        with flights.claim([b"key"]) as claim:
            assert not claim.mine
            all_there.wait(30)
            return claim.wait(30)

    with ThreadPoolExecutor() as threads:
        leader = threads.submit(lead)
        leading.wait(30)
        assert [f.result() for f in [threads.submit(follow) for _ in range(4)]] == [
            {b"key": b"[1]"}
        ] * 4
        leader.result()


def test_a_failed_leader_releases_the_others():
    """They get nothing, at once, and the key is free again."""
    flights = SingleFlight()
    with ThreadPoolExecutor() as threads:
        leader = flights.claim([b"key"])
        leader.__enter__()
        with flights.claim([b"key"]) as follower:
            waiting = threads.submit(follower.wait, 30)
        leader.__exit__(None, None, None)
        assert waiting.result() == {}
    with flights.claim([b"key"]) as claim:
        assert claim.mine


def test_waiting_ends_when_the_time_is_over():
    """It ends whatever the leader does."""
    flights = SingleFlight()
    with flights.claim([b"a", b"b"]) as leader, flights.claim([b"a", b"b", b"c"]) as follower:
        assert set(follower.mine) == {b"c"}
        leader.land({b"a": b"[1]"})
        assert follower.wait(0) == {b"a": b"[1]"}


@given(st.lists(st.sets(st.sampled_from([b"a", b"b", b"c", b"d"])), max_size=8))
def test_each_key_has_one_leader_at_a_time(claims: list[set[bytes]]):
    """Sets of keys may overlap in any way, and nothing is left behind."""
    flights = SingleFlight()
    open_claims = [flights.claim(keys) for keys in claims]
    entered = [
        (keys, claim, claim.__enter__()) for keys, claim in zip(claims, open_claims, strict=True)
    ]
    led = [key for _, _, claim in entered for key in claim.mine]
    assert len(led) == len(set(led))
    assert set(led) == set().union(*claims)
    assert all(set(claim.mine) | set(claim.theirs) == keys for keys, _, claim in entered)
    for _, manager, _ in entered:
        manager.__exit__(None, None, None)
    with flights.claim([b"a", b"b", b"c", b"d"]) as claim:
        assert not claim.theirs
