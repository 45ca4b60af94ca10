"""The query that a rollout is judged by counts as the rehearsal's endpoint does."""

from datetime import UTC, datetime, timedelta

import numpy as np

from kusto.evaluator import Evaluator
from kusto.parser import parse
from mlops.rollout.azure_traffic_log import QUERY, blocks_of_rows
from mlops.rollout.own_requests import OWN_PREFIX, own_headers
from mlops.traffic_blocks import BLOCK_S, LATENCY_RATIO, Observation, blocks_of, latency_bins

START = datetime(2026, 11, 23, tzinfo=UTC)
STATUSES = (0, 200, 400, 408, 422, 429, 500, 503, 504)


def line(at: datetime, deployment: str, status: int, latency: int, own: bool) -> dict[str, object]:
    return {
        "TimeGenerated": at,
        "AzureMLWorkspaceName": "Work",
        "EndpointName": "credit",
        "DeploymentName": deployment,
        "ResponseCode": "200" if status == 200 else "424",
        "ModelStatusCode": status or None,
        "TotalDurationMs": latency,
        "XMSClientRequestId": own_headers()["x-ms-client-request-id"] if own else "",
    }


def test_the_query_counts_blocks_as_the_rehearsal_does():
    """It passes Microsoft's parser. Requests of ours, of other endpoints and without a deployment
    are left out; what the endpoint itself cut off (408) has failed."""
    query = parse({"blocks": QUERY.format(workspace="work", endpoint="credit")})["blocks"]
    assert query.errors == []
    rng = np.random.default_rng(0)
    seen, rows = [], []
    for place in range(2_000):
        at = START + timedelta(seconds=place / 7)
        name, own = str(rng.choice(["blue", "green"])), bool(rng.random() < 0.1)
        status, latency = int(rng.choice(STATUSES)), int(rng.lognormal(4, 2))
        rows.append(line(at, name, status, latency, own))
        if not own:
            seen.append(Observation(at.timestamp(), name, status, latency))
    others = line(START, "blue", 200, 1, False)
    rows += [others | {"DeploymentName": ""}, others | {"EndpointName": "other"}]
    rows += [others | {"ResponseCode": "408", "ModelStatusCode": None}]
    seen.append(Observation(START.timestamp(), "blue", 504, 1))
    answer = Evaluator({"AmlOnlineEndpointTrafficLog": rows}, START).run(query.tree)
    assert blocks_of_rows(row.values() for row in answer) == blocks_of(seen)


def test_the_answer_does_not_grow_with_the_traffic():
    """Three rows for each deployment and block: an hour of any traffic is far from the limit of
    500,000 rows. A latency stands for one within a hundredth of it."""
    assert 3 * 2 * 24 * 3600 / BLOCK_S < 500_000 / 5
    assert OWN_PREFIX in QUERY
    latencies = np.geomspace(1, 1e5, 1000)
    middles = LATENCY_RATIO ** latency_bins(latencies).astype(float)
    assert np.abs(middles / latencies - 1).max() < (LATENCY_RATIO - 1) / 1.9
