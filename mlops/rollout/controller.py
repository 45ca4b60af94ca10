"""Takes the steps of a plan, each proven before the next. If anything goes wrong, all traffic goes
back to the old deployment.

The endpoint says what is in force, the journal what was proven, so a rollout can be killed at any
point and run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace

from mlops.endpoint import Endpoint, EndpointError, State, Status, Traffic, same
from mlops.rollout.claim import EndpointClaim, Overtaken
from mlops.rollout.ending import end
from mlops.rollout.finding import Standing, breaches
from mlops.rollout.hold import Decision, undecided
from mlops.rollout.journal import Event, Journal, RolloutOutcome
from mlops.rollout.judge import predictions
from mlops.rollout.plan import COMPARING_ACTIONS, Action, Inconclusive, Plan, Step, not_checked
from mlops.rollout.questions import Questions, require
from mlops.rollout.record import Record, new_run
from mlops.rollout.rules import Rules
from mlops.rollout.same_rows import SameRows
from mlops.rollout.start_check import start_check
from mlops.rollout.watch import Look, Watch
from mlops.rollout.way_back import note_overtaken, put_back

LOOK_S = 10
"""Time between looks at a step's requests, unless the step is held for less."""


class Breach(Exception):
    """The new deployment failed a check; the message says which."""


class Undecided(Exception):
    """Nothing speaks against the new deployment, but it could not be judged in time. The message
    says what would decide it."""


class Interrupted(BaseException):
    """The rollout must end. A BaseException, so that nothing catches it by accident."""


class Rollout:
    def __init__(
        self,
        endpoint: Endpoint,
        plan: Plan,
        rules: Rules,
        questions: Questions,
        journal: Journal,
        *,
        key: str,
        run: str | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare a rollout.

        ``key``: the same for the same new deployment, whose steps proven lately are not repeated.
        ``run``: identifies this rollout at the endpoint. ``clock``: that of the endpoint's
        observations, which may be set meanwhile; ``timer`` may not.
        """
        self._endpoint = endpoint
        self._plan = plan
        self._rules = rules
        self._questions = questions
        self._journal = journal
        self._key = f"{endpoint.name}: {plan.old} to {plan.new}, {key}"
        self._claim = EndpointClaim(endpoint, run or new_run(), clock)
        self._clock = clock
        self._timer = timer
        self._sleep = sleep
        self._watch = Watch(endpoint, rules)
        self._same_rows: SameRows | None = None
        self._compared = False

    def run(self) -> RolloutOutcome:
        """Take all steps and return how it ended. Raises EndpointError if it can't begin; then
        nothing was changed."""
        status = self._endpoint.status()
        earlier = self._earlier(status)
        runs = {self._claim.run, self._journal.run()}
        check = start_check(self._endpoint.name, self._plan, runs, earlier)
        check(status)
        done = [event for event in earlier if event["event"] == "proven"]
        self._check_questions(done)
        begun = {"key": self._key, "run": self._claim.run, "endpoint": self._endpoint.name}
        self._journal.write("started", **begun, plan=asdict(self._plan))
        steps = self._plan.steps[: self._plan.steps.index(self._plan.last)]
        try:
            self._claim.take(self._plan, check)
            for step in steps:
                if any(event["step"] == asdict(step) for event in done):
                    self._proven(step)
                else:
                    self._take(step)
            # Even if it was proven before: it sets the traffic that is to stay.
            self._take(self._plan.last)
        except Overtaken as other:
            return note_overtaken(self._journal, other)
        except Breach as breach:
            return self._put_back(str(breach), RolloutOutcome.ROLLED_BACK)
        except Undecided as doubt:
            if self._plan.inconclusive is Inconclusive.HOLD:
                return self._end(str(doubt), RolloutOutcome.INCONCLUSIVE)
            return self._put_back(str(doubt), RolloutOutcome.INCONCLUSIVE)
        except BaseException as error:  # any at all: nobody else would put the traffic back
            return self._put_back(str(error) or type(error).__name__, RolloutOutcome.INTERRUPTED)
        waived = f"; {not_checked(self._plan.unchecked)}" if self._plan.unchecked else ""
        return self._end(f"every step was proven{waived}")

    def _earlier(self, status: Status) -> list[Event]:
        """Return the events of an earlier rollout to continue. None are left if its new deployment
        is gone, or if somebody has rolled out or back since, as it may be another one by now."""
        record = Record.read(status.tags, self._endpoint.name)
        last = record is not None and record.run == self._journal.run()
        there = last and self._endpoint.deployments().get(self._plan.new) is State.READY
        return self._journal.continued(self._key) if there else []

    def _put_back(self, reason: str, outcome: RolloutOutcome) -> RolloutOutcome:
        return put_back(
            self._endpoint,
            self._plan,
            self._journal,
            reason,
            outcome,
            claim=self._claim,
            timer=self._timer,
            sleep=self._sleep,
        )

    def _end(self, reason: str, outcome: RolloutOutcome | None = None) -> RolloutOutcome:
        return end(self._endpoint, self._plan, self._journal, self._claim, reason, outcome=outcome)

    def _check_questions(self, done: Sequence[Event]) -> None:
        """Let the old deployment answer the rows. Raises EndpointError if a check has nothing to
        ask.

        If an earlier step has compared them, the old one may have died since, and the new one is
        the way out.
        """
        require(self._questions, self._plan.unchecked, self._rules.agreement)
        if not self._questions.rows:
            return
        same_rows = SameRows(self._questions, self._endpoint, self._plan.new, self._plan.old)
        try:
            same_rows.ask_old(self._rules.agreement)
        except EndpointError:
            if not any(event["step"]["action"] in COMPARING_ACTIONS for event in done):
                raise
        else:
            self._same_rows = same_rows

    def _take(self, step: Step) -> None:
        """Take a step and return once it is proven. Raises Breach."""
        self._journal.write("step", step=asdict(step))
        if step.action is Action.DEPLOY:
            self._deploy()
        elif step.action is Action.GOLDEN:
            self._ask_golden_rows()
        else:
            self._hold(step)
        self._proven(step)

    def _proven(self, step: Step) -> None:
        self._journal.write("proven", step=asdict(step))

    def _deploy(self) -> None:
        new = self._plan.new
        self._claim.check()
        self._endpoint.deploy(new)
        if self._endpoint.deployments().get(new) is not State.READY:
            lines = self._endpoint.logs(new).strip().splitlines()
            raise Breach(
                f"{new} did not get ready; its last line is: {lines[-1] if lines else 'none'}"
            )

    def _ask_golden_rows(self) -> None:
        wrong = self._questions.wrong(self._endpoint, self._plan.new)
        if wrong:
            raise Breach(
                f"{self._plan.new} answers its golden rows differently than when it was packaged: "
                f"{wrong}"
            )

    def _compare_all(self) -> None:
        """Compare all predictions once, before clients meet the new deployment. Raises Breach, and
        Undecided if these rows can't tell: waiting does not change them."""
        if self._same_rows is None or self._compared:
            return
        agreement = self._same_rows.look()
        finding = predictions(agreement, self._rules)
        text = f"before {self._plan.new} has any traffic: {finding.text}"
        if finding.standing is Standing.BREACH:
            raise Breach(text)
        if finding.standing is Standing.OPEN and not agreement.silent:
            raise Undecided(text)
        self._compared = True

    def _hold(self, step: Step) -> None:
        wanted = self._plan.traffic(step)
        self._claim.check()
        self._compare_all()
        self._endpoint.copy_autoscale(self._plan.old, self._plan.new, floor=True)
        self._claim.direct(wanted)
        share = wanted.live.get(self._plan.new, 0)
        self._journal.write(
            "traffic", share=share, live=dict(wanted.live), mirror=dict(wanted.mirror)
        )
        hold = self._plan.hold(step)
        begun = self._timer()
        for elapsed in self._looks(begun, hold.least_s):
            look = self._look(elapsed, wanted)
            decision = hold.decide(look.findings, elapsed)
            if decision is Decision.BREACH:
                raise Breach(f"at {step}: {'; '.join(breaches(look.findings))}")
            if decision is Decision.PROVEN:
                return
            if decision is Decision.INCONCLUSIVE:
                doubt = undecided(look.findings, look.fewest, self._rules.requests, elapsed)
                raise Undecided(f"at {step}, after {elapsed:.0f} s, this is not decided: {doubt}")
            if look.old_is_out and self._plan.is_control(wanted):  # clients must not suffer for it
                self._plan = replace(self._plan, control=0)
                self._hold(step)
                return

    def _looks(self, begun: float, least: float) -> Iterator[float]:
        """Sleep between looks; yield the seconds since ``begun``."""
        while True:
            self._sleep(min(LOOK_S, max(least / 5, 0.2)))
            yield self._timer() - begun

    def _look(self, elapsed: float, wanted: Traffic) -> Look:
        """Judge both deployments by their requests since the step began. Raises Breach if somebody
        else has directed the traffic: the next step must not overrule that."""
        since = self._clock() - elapsed
        traffic = self._claim.check()
        if not same(traffic, wanted):
            raise Breach(
                f"somebody else has directed the traffic: live {traffic.live}, "
                f"mirror {traffic.mirror}"
            )
        agreed = self._same_rows.look() if self._same_rows else None
        look = self._watch.look(self._plan, since, agreed, controlled=self._plan.old in wanted.live)
        self._journal.write(
            "look",
            findings=[asdict(finding) for finding in look.findings],
            new=look.new.figures(),
            old=look.old.figures(),
        )
        return look
