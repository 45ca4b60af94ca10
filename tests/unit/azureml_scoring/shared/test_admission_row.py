import pytest

from azureml_scoring.errors import OverloadReason
from azureml_scoring.shared.admission_row import LOAD_MEMORY_S, REASONS, AdmissionRow, offered_load


def busy(load: float, *, slots: int, until: float = 120.0) -> AdmissionRow:
    """A worker that is offered so many times what it can do, in requests of 20 ms."""
    row, work_s = AdmissionRow(slots=slots), 0.02
    interval = work_s / slots / load
    for i in range(int(until / interval)):
        row.offer(i * interval, work_s)
    return row


@pytest.mark.slow
@pytest.mark.parametrize("load", [0.1, 1.0, 5.0])
def test_the_load_is_the_work_that_arrives_by_what_can_be_done(load: float):
    """1 is capacity, whatever the number of slots, of one worker or of two."""
    row, other = busy(load, slots=1), busy(load, slots=4)
    assert offered_load([row], 120.0) == pytest.approx(load, rel=0.02)
    assert offered_load([row, other], 120.0) == pytest.approx(load, rel=0.02)
    assert row.offered_s == pytest.approx(120 * load, rel=0.001)


def test_the_load_decays_when_nothing_arrives():
    """Nobody has to write it: a scrape computes it."""
    row = busy(2.0, slots=1)
    assert offered_load([row], 120.0 + LOAD_MEMORY_S) == pytest.approx(2 / 2.718, rel=0.02)
    assert offered_load([row], 120.0 + 10 * LOAD_MEMORY_S) < 0.001


def test_without_slots_there_is_no_load():
    """Before a worker has loaded its model nothing is divided by zero."""
    assert offered_load([], 0.0) == offered_load([AdmissionRow()], 0.0) == 0.0


def test_each_reason_has_its_count():
    """They stand in the order of the list of reasons."""
    row = AdmissionRow()
    row.refuse(OverloadReason.WAITED)
    assert dict(zip(REASONS, row.refusals, strict=True)) == dict.fromkeys(OverloadReason, 0) | {
        OverloadReason.WAITED: 1
    }
