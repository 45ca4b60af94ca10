"""Every setting, parsed once from the environment.

The guide's names are kept (``MODEL_NAME``, ``MODEL_VERSION``, ``DEPLOYMENT_NAME``); all others of
ours start with ``SCORING_``. ``docs/settings.md`` is written from the descriptions here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import joblib
from pydantic import BeforeValidator, Field, SecretStr, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from azureml_scoring import quantities, termination_log
from azureml_scoring.errors import StartupError

PREFIX = "SCORING_"
SERVERS_OWN = {"SCORING_TIMEOUT_MS"}
"""``azmlinfsrv`` reads this one: a SIGALRM limit that works only in sync workers
(docs/adr/0001)."""

Bytes = Annotated[int, BeforeValidator(quantities.BYTES.parse)]
BytesOrZero = Annotated[int, BeforeValidator(quantities.BYTES.within(0).parse)]
Count = Annotated[int, BeforeValidator(quantities.COUNT.parse)]
CountOrZero = Annotated[int, BeforeValidator(quantities.COUNT.within(0).parse)]
Depth = Annotated[int, BeforeValidator(quantities.COUNT.within(1, 1000).parse)]
Milliseconds = Annotated[int, BeforeValidator(quantities.WHOLE_MILLISECONDS.parse)]
MillisecondsOrZero = Annotated[int, BeforeValidator(quantities.WHOLE_MILLISECONDS.within(0).parse)]
Port = Annotated[int, BeforeValidator(quantities.PORT.parse)]
Seconds = Annotated[int, BeforeValidator(quantities.WHOLE_SECONDS.parse)]
Share = Annotated[float, BeforeValidator(quantities.SHARE.parse)]
Workers = Annotated[int, BeforeValidator(quantities.WORKERS.parse)]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What ``init()`` was told. Sizes in bytes, times in milliseconds."""

    model_name: Annotated[
        str | None, Field(description="Model name; else from the model's path, else its manifest.")
    ] = None
    model_version: Annotated[
        str | None, Field(description="Model version; found like the name.")
    ] = None
    deployment_name: Annotated[str, Field(description="Shown in metadata and logs.")] = "local"
    azureml_model_dir: Annotated[
        Path | None, Field(description="Folder or file of the model. Azure ML sets it.")
    ] = None
    scoring_model_path: Annotated[
        Path | None,
        Field(
            description="Model file or folder, absolute or below `AZUREML_MODEL_DIR`; needed where several lie there."
        ),
    ] = None
    scoring_require_manifest: Annotated[
        bool,
        Field(description="Refuse a model without a manifest: nothing unverified is unpickled."),
    ] = False
    scoring_skops_trusted_types: Annotated[
        str | None,
        Field(
            description="Types that a `.skops` file may hold beside those that skops trusts, with commas between."
        ),
    ] = None
    scoring_allow_pickle: Annotated[
        bool,
        Field(
            description="`false`: only `.skops` files are loaded. Loading a pickle runs whatever code it names."
        ),
    ] = True
    scoring_fail_on_version_skew: Annotated[
        bool,
        Field(
            description="Refuse a model saved with other versions of Python, scikit-learn or numpy."
        ),
    ] = False
    scoring_model_load: Annotated[
        Literal["init", "background"],
        Field(
            description="`init` loads before the port opens; `background` opens it at once and answers 503 meanwhile."
        ),
    ] = "init"
    scoring_backend: Annotated[
        Literal["auto", "sklearn", "onnx"],
        Field(
            description="`auto`: the model compiled to ONNX where packaging proved that it answers alike."
        ),
    ] = "auto"
    scoring_onnx_provider: Annotated[
        Literal["cpu", "cuda"],
        Field(
            description="What ONNX Runtime computes on; `cuda` needs onnxruntime-gpu, and pays for few models "
            "([which](adr/0006-onnx.md))."
        ),
    ] = "cpu"
    scoring_fast_worker: Annotated[
        bool,
        Field(
            description="Serve by our worker in place of the server's own, which keeps probes waiting."
        ),
    ] = True
    scoring_max_bytes: Annotated[
        Bytes, Field(description="Request body, counted before parsing and again after gzip.")
    ] = 10_000_000
    scoring_max_body_bytes_in_flight: Annotated[
        BytesOrZero,
        Field(
            description="Bodies of all requests that a worker holds, after gzip; more get 503. 0: a sixteenth of the "
            "container's memory ÷ `WORKER_COUNT`."
        ),
    ] = 0
    scoring_max_depth: Annotated[
        Depth, Field(description="Nesting of the JSON, counted before parsing.")
    ] = 32
    scoring_max_elements: Annotated[Count, Field(description="Values in one request.")] = 100_000
    scoring_max_batch_size: Annotated[Count, Field(description="Rows in one request.")] = 100
    scoring_max_features: Annotated[Count, Field(description="Values in one row.")] = 1_000
    scoring_non_finite_output: Annotated[
        Literal["fail", "null"],
        Field(
            description="A prediction that is NaN or infinite: answer 422 (500 before any was finite), or write `null`."
        ),
    ] = "fail"
    scoring_slots: Annotated[
        CountOrZero,
        Field(description="Scores computed at once in a worker; 0: processors ÷ `WORKER_COUNT`."),
    ] = 0
    scoring_micro_batch_ms: Annotated[
        MillisecondsOrZero,
        Field(
            description="Join requests in flight into one `predict`, waiting so long for more; 0: off."
        ),
    ] = 0
    scoring_micro_batch_rows: Annotated[
        Count, Field(description="Rows in such a joint `predict`.")
    ] = 64
    scoring_max_in_flight: Annotated[
        Count,
        Field(
            description="Requests a worker holds, computing or waiting; more get 503. Kept under the server's threads; "
            "what our worker answers at once takes no place."
        ),
    ] = 48
    scoring_queue_timeout_ms: Annotated[
        MillisecondsOrZero, Field(description="Longest wait for a slot; then 503.")
    ] = 500
    scoring_body_timeout_ms: Annotated[
        Milliseconds, Field(description="For the request body to arrive; then 408.")
    ] = 10_000
    scoring_deadline_ms: Annotated[
        Milliseconds, Field(description="From arrival to answer; then 504.")
    ] = 25_000
    scoring_stuck_after_ms: Annotated[
        Milliseconds, Field(description="A score still running then turns liveness to 503.")
    ] = 60_000
    scoring_drain_ms: Annotated[
        MillisecondsOrZero,
        Field(
            description="After SIGTERM: readiness is 503 and requests are still taken for so long."
        ),
    ] = 5_000
    scoring_cache: Annotated[
        Literal["auto", "off", "memory", "redis"],
        Field(
            description="Response cache; `auto`: `redis` where `REDIS_HOST` or `REDIS_URL` is set, else `memory`."
        ),
    ] = "auto"
    scoring_cache_ttl_s: Annotated[
        Seconds,
        Field(
            description="Seconds that a prediction is kept; up to a tenth less, so that not all expire at once."
        ),
    ] = 3600
    scoring_cache_max_bytes: Annotated[
        BytesOrZero, Field(description="Of a worker's own memory; 0: none, which leaves Redis.")
    ] = 64_000_000
    scoring_cache_by_row: Annotated[
        bool,
        Field(description="Cache each row apart: of a batch only the unknown rows are computed."),
    ] = False
    scoring_cache_must_pay: Annotated[
        bool,
        Field(description="Bypass a tier while looking up costs more than computing, as measured."),
    ] = True
    scoring_cache_budget_ms: Annotated[
        Milliseconds, Field(description="Longest that a request waits for Redis to look up.")
    ] = 50
    scoring_cache_lease_ms: Annotated[
        MillisecondsOrZero,
        Field(
            description="Equal requests in several workers and pods are computed once, the others waiting for so long; "
            "0: once a worker."
        ),
    ] = 0
    scoring_cache_prefix: Annotated[
        str,
        Field(min_length=1, description="Start of each key in Redis, before model and version."),
    ] = "azureml-scoring"
    scoring_cache_key: Annotated[
        SecretStr | None,
        Field(
            min_length=16,
            description="Signs what is kept in Redis: an unsigned value is not taken. The same in all that share it.",
        ),
    ] = None
    redis_url: Annotated[
        SecretStr | None,
        Field(
            description="`rediss://user:password@host:port/0` in place of those below; `redis://` is without TLS."
        ),
    ] = None
    redis_host: Annotated[str | None, Field(description="Redis of the response cache.")] = None
    redis_port: Annotated[
        Port, Field(description="6380 for Azure Cache for Redis, 10000 for Azure Managed Redis.")
    ] = 6380
    redis_username: Annotated[
        str | None, Field(description="Where Redis has users; Azure's keys do without.")
    ] = None
    redis_password: Annotated[SecretStr | None, Field(description="Access key.")] = None
    redis_auth: Annotated[
        Literal["password", "entra"],
        Field(
            description="`entra`: by the managed or workload identity, without a password; needs the extra `entra`."
        ),
    ] = "password"
    redis_ssl: Annotated[
        bool,
        Field(
            description="TLS with certificate and host name checked; `false` for a local server only."
        ),
    ] = True
    redis_ssl_ca_certs: Annotated[
        Path | None, Field(description="Certificates to trust in place of the system's.")
    ] = None
    redis_cluster: Annotated[
        bool,
        Field(description="For the OSS cluster policy of Azure Managed Redis, and other clusters."),
    ] = False
    scoring_log_sample: Annotated[
        Share,
        Field(
            description="Share of the requests that succeed which get a log line; errors always do."
        ),
    ] = 1.0
    scoring_collect_sample: Annotated[
        Share,
        Field(
            description="Share of the requests that are looked at for drift, and kept where a folder is."
        ),
    ] = 0.1
    scoring_collect_folder: Annotated[
        Path | None,
        Field(
            description="Keep their inputs and predictions there, as JSON lines, up to 100 MB a worker."
        ),
    ] = None
    scoring_dashboard: Annotated[
        bool,
        Field(description="`/dashboard`: a page that draws `/metrics`; for whoever may see those."),
    ] = False
    scoring_access_log: Annotated[
        bool,
        Field(
            description="The server's own line for each request too, beside ours, probes included."
        ),
    ] = False
    scoring_termination_log: Annotated[
        Path,
        Field(
            description="Why a start failed is written there too, if that file exists; Kubernetes has one and shows it."
        ),
    ] = Path(termination_log.KUBERNETES)
    scoring_expose_traceback: Annotated[
        bool,
        Field(
            description="Development only: Python tracebacks in `trace` and messages of exceptions in the log."
        ),
    ] = False
    worker_count: Annotated[
        Workers, Field(description="Worker processes. Azure ML's server reads it too.")
    ] = 1
    worker_preload: Annotated[
        bool, Field(description="Azure ML's server: `init()` before the workers are forked.")
    ] = False

    @property
    def trusted_types(self) -> frozenset[str]:
        """Of skops."""
        return frozenset(
            filter(None, map(str.strip, (self.scoring_skops_trusted_types or "").split(",")))
        )

    @property
    def processors(self) -> int:
        """A worker's share of the container's."""
        return max(1, int(joblib.cpu_count()) // self.worker_count)


FIELDS = {name.upper(): name for name in Settings.__dataclass_fields__}
"""Environment variable -> attribute."""


def load(environ: Mapping[str, str]) -> Settings:
    """Parse the environment; an empty variable counts as unset. Raises StartupError."""
    _refuse_unknown(environ)
    given = {field: environ[name] for name, field in FIELDS.items() if environ.get(name)}
    try:
        return TypeAdapter(Settings).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        name, wrong = str(first["loc"][0]).upper(), first["msg"].removeprefix("Value error, ")
        raise StartupError(
            f"{name} is not usable: {wrong}; see docs/settings.md for what it takes."
        ) from None


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = [name for name in FIELDS if name.startswith(PREFIX)]
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in FIELDS and name not in SERVERS_OWN:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
            raise StartupError(
                f"{name} is not a setting; did you mean {nearest}? Correct or unset it."
            )
