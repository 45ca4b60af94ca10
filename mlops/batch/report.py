"""What came of a job, from the summaries of its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from azureml_scoring.models.baseline import Baseline
from mlops import drift
from mlops.batch.inputs import InputFile, Summary, summary
from mlops.batch.run import Outcome
from mlops.drift import FeatureDrift


@dataclass(frozen=True)
class Report:
    """``distribution``: of the predictions, against those for the sample of packaging; empty where
    the model was packaged without."""

    files: int
    rows: int
    predictions: int
    reasons: dict[str, int]
    failed: dict[str, str]
    retries: int
    stopped: bool
    distribution: Sequence[FeatureDrift]

    @classmethod
    def of(
        cls, files: Sequence[InputFile], out: Path, outcome: Outcome, baselines: Sequence[Baseline]
    ) -> Report:
        found = {file.name: summary(out, file.name) for file in files}
        whole = [one for name, one in found.items() if one and name not in outcome.failed]
        reasons = Counter[str]()
        for one in found.values():
            reasons.update(one["reasons"] if one else {})
        return cls(
            len(whole),
            sum(one["rows"] for one in whole),
            sum(one["predictions"] for one in whole),
            dict(reasons.most_common()),
            {name: _why(found[name], why) for name, why in sorted(outcome.failed.items())},
            outcome.retries,
            outcome.stopped,
            _distribution(whole, baselines),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "files": self.files,
            "rows": self.rows,
            "predictions": self.predictions,
            "bad_rows": self.reasons,
            "failed_files": self.failed,
            "retries": self.retries,
            "stopped": self.stopped,
            "distribution": {
                one.baseline.name: {
                    "drift": one.drift.index,
                    "verdict": one.verdict,
                    "bins": drift.bin_names(one.baseline),
                    "baseline": list(one.baseline.counts),
                    "now": one.now.astype(int).tolist(),
                }
                for one in self.distribution
            },
        }

    def __str__(self) -> str:
        lines = [f"{self.files:,} files, {self.rows:,} rows, {self.predictions:,} predictions"]
        lines += [f"  {count:,} bad rows: {code}" for code, count in self.reasons.items()]
        lines += [f"  failed: {name}: {why}" for name, why in self.failed.items()]
        if self.stopped:
            lines.append("Stopped, as more files failed than --error-threshold allows.")
        if self.distribution:
            lines += ["", drift.table(self.distribution).replace("feature", "answer ", 1)]
        return "\n".join(lines)


def _why(one: Summary | None, why: str) -> str:
    return str(one["failure"]) if one and one["failure"] else why


def _distribution(
    summaries: Sequence[Summary], baselines: Sequence[Baseline]
) -> Sequence[FeatureDrift]:
    names = {name for one in summaries for name in one["distribution"]}
    used = [baseline for baseline in baselines if baseline.name in names]
    return [
        FeatureDrift(
            baseline,
            np.sum([one["distribution"][baseline.name] for one in summaries], axis=0),
            len(used),
        )
        for baseline in used
    ]
