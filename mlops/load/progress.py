"""Shows a run: in a terminal the last second, and a line for each stage at the end."""

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
        self._is_terminal = sys.stderr.isatty()
        self._last_second: list[SentRequest] = []
        self._left = sum(stage.requests for stage in stages)

    def __call__(self, request: SentRequest) -> None:
        """Show ``request``. Requests come in the order of their answers, so a slow one may have
        been due seconds before."""
        self._left -= 1
        self._last_second.append(request)
        if self._is_terminal and int(request.due_s) > int(self._last_second[0].due_s):
            stage = self._stages[request.stage]
            figures = summary(figures_of(self._last_second))
            line = f"{request.due_s:5.0f} s  {stage}  {figures}  {self._left} to go"
            click.echo(f"\r\x1b[K{line}", nl=False, err=True)
            self._last_second = [request]

    def over(self, requests: Sequence[SentRequest]) -> None:
        if self._is_terminal:
            click.echo("\r\x1b[K", nl=False, err=True)
        for place, stage in enumerate(self._stages):
            of_stage = [request for request in requests if request.stage == place]
            if of_stage:
                click.echo(f"{stage!s:>10}  {summary(figures_of(of_stage))}")


def summary(figures: Figures) -> str:
    failed = round(figures.error_rate * figures.requests)
    return (
        f"{figures.requests} requests, P50 {figures.p50_ms:.1f} P95 {figures.p95_ms:.1f} P99 "
        f"{figures.p99_ms:.1f} ms, {failed} failed"
    )
