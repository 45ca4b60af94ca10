"""A run as it goes: in a terminal the second that passed, and a line for each stage once it is
over."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from mlops.load.figures import Figures, figures_of
from mlops.load.run import SentRequest
from mlops.load.stages import Stage


class Progress:
    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages
        self._lives = sys.stdout.isatty()
        self._second: list[SentRequest] = []
        self._left = sum(stage.requests for stage in stages)

    def __call__(self, request: SentRequest) -> None:
        """Answers come in the order in which they were given, so a slow one may be of a second long
        past."""
        self._left -= 1
        self._second.append(request)
        if self._lives and int(request.due_s) > int(self._second[0].due_s):
            stage = self._stages[request.stage]
            line = f"{request.due_s:5.0f} s  {stage}  {said(figures_of(self._second))}  {self._left} to go"
            click.echo(f"\r\x1b[K{line}", nl=False)
            self._second = [request]

    def over(self, requests: Sequence[SentRequest]) -> None:
        if self._lives:
            click.echo("\r\x1b[K", nl=False)
        for place, stage in enumerate(self._stages):
            of_stage = [request for request in requests if request.stage == place]
            if of_stage:
                click.echo(f"{stage!s:>10}  {said(figures_of(of_stage))}")


def said(figures: Figures) -> str:
    failed = round(figures.error_rate * figures.requests)
    return (
        f"{figures.requests} requests, P50 {figures.p50_ms:.1f} P95 {figures.p95_ms:.1f} P99 "
        f"{figures.p99_ms:.1f} ms, "
        f"{failed} failed"
    )
