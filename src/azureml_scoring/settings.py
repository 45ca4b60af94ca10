"""Every setting, parsed once from the environment.

Names that scoring scripts for Azure ML often use are kept (``MODEL_NAME``, ``MODEL_VERSION``,
``DEPLOYMENT_NAME``); all our other settings start with ``SCORING_``. The docstrings below are the
table of ``docs/settings.md``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from azureml_scoring import quantities, termination_log
from azureml_scoring.errors import StartupError

SETTING_PREFIX = "SCORING_"
SERVER_VARIABLES = {"SCORING_TIMEOUT_MS"}
"""Read by ``azmlinfsrv``: a SIGALRM limit that works only in sync workers (docs/adr/0001)."""

REMOVED = {
    "SCORING_QUEUE_TIMEOUT_MS": "unset it, and set SCORING_LATENCY_OBJECTIVE_MS if answers are "
    "worth something for longer than 200 ms or for less.",
    "SCORING_LEAN_LANE": "unset it, or set SCORING_FAST_WORKER=false if Flask is to answer all "
    "requests.",
    "SCORING_MICRO_BATCH_MS": "unset it, as nothing waits for more rows; "
    "SCORING_MICRO_BATCH_ROWS says how many may be joined.",
}
"""Settings of earlier versions: what to do with each."""

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


@dataclass(frozen=True, kw_only=True, config={"use_attribute_docstrings": True})
class Settings:
    """The settings of a worker. Sizes are in bytes, times in milliseconds or seconds (``_s``)."""

    model_name: str | None = None
    """Model name. Unset: from the model's path, else from its manifest."""

    model_version: str | None = None
    """Model version. Unset: from the same places as the name."""

    deployment_name: str = "local"
    """Name of the deployment, shown in metadata and logs."""

    azureml_model_dir: Path | None = None
    """Folder or file of the model. Azure ML sets it."""

    scoring_model_path: Path | None = None
    """Model file or folder, absolute or below `AZUREML_MODEL_DIR`; needed if several lie there."""

    scoring_require_manifest: bool = False
    """Refuse a model without a manifest, so that nothing unverified is unpickled."""

    scoring_model_key: str | None = None
    """Load only a packaged model signed by whom this names: a public key or certificates in PEM, or
    the path of their file ([how](security.md#signatures))."""

    scoring_skops_trusted_types: str | None = None
    """Types that a `.skops` file may hold beside those that skops trusts, separated by commas."""

    scoring_allow_pickle: bool = True
    """`false`: load only `.skops` files. Loading a pickle runs whatever code it names."""

    scoring_fail_on_version_skew: bool = False
    """Refuse a model saved with other versions of Python, scikit-learn or numpy."""

    scoring_model_load: Literal["init", "background"] = "init"
    """`init` loads before the port opens; `background` opens it at once and answers 503 until the
    model is loaded."""

    scoring_backend: Literal["auto", "sklearn", "onnx"] = "auto"
    """`auto`: use the model compiled to ONNX if packaging proved that it gives the same answers and
    is quicker. `onnx`: use it whenever it is proven, or fail the start. `sklearn`: never."""

    scoring_estimator: Literal["on-demand", "start", "never"] = "on-demand"
    """When a packaged model's own estimator is loaded if its compiled form answers. `on-demand`:
    once a request needs it, which waits for that. `start`: before the first request. `never`: such
    requests are refused, so a worker stays small."""

    scoring_onnx_provider: Literal["cpu", "cuda"] = "cpu"
    """Device of ONNX Runtime; `cuda` needs onnxruntime-gpu, and is faster for few models
    ([which](adr/0006-onnx.md))."""

    scoring_fast_worker: bool = True
    """Use our worker in place of the server's own, which keeps probes waiting."""

    scoring_max_bytes: Bytes = 10_000_000
    """Largest request body, checked before parsing and again after gzip."""

    scoring_max_body_bytes_in_flight: BytesOrZero = 0
    """Bodies of all requests that a worker holds, after gzip; more get 503. 0: a sixteenth of the
    container's memory ÷ `WORKER_COUNT`."""

    scoring_max_depth: Depth = 32
    """Deepest nesting of the JSON."""

    scoring_max_elements: Count = 100_000
    """Most values in one request."""

    scoring_max_batch_size: Count = 100
    """Most rows in one request."""

    scoring_max_features: Count = 1_000
    """Most values in one row."""

    scoring_non_finite_output: Literal["fail", "null"] = "fail"
    """Answer to a prediction that is NaN or infinite: fail with 422 (500 before any was finite), or
    write `null`."""

    scoring_slots: CountOrZero = 0
    """Scores that a worker computes at once. 0: as many as a trial of the model says when it is
    loaded, corrected while it runs."""

    scoring_micro_batch_rows: CountOrZero = 0
    """Most rows in a `predict` that several waiting requests share. 0: 64 if that is cheaper and
    gives the same bits, else 1 ([how](adr/0014-micro-batching.md)). 1: never."""

    scoring_max_in_flight: Count = 48
    """Requests that a worker holds, computing or waiting; more get 503. Capped below the thread
    count. Requests answered on the event loop are not counted."""

    scoring_latency_objective_ms: Milliseconds = 200
    """Answers within this time are worth something. A request that would wait 2.5 times as long
    gets 503 at once; while more work arrives than can be done, one whose answer would take 0.6 of
    it."""

    scoring_overload_status: Literal["503", "429"] = "503"
    """`503` or `429`: the status of refusals for overload. Some gateways retry only one of them."""

    scoring_body_timeout_ms: Milliseconds = 10_000
    """Longest wait for the request body; then 408."""

    scoring_deadline_ms: Milliseconds = 25_000
    """Longest time from arrival to answer; then 504."""

    scoring_stuck_after_ms: Milliseconds = 60_000
    """Liveness fails with 503 while a score runs for longer than this."""

    scoring_drain_ms: MillisecondsOrZero = 5_000
    """How long requests are still taken after SIGTERM, while readiness is 503."""

    scoring_cache: Literal["auto", "off", "memory", "redis"] = "auto"
    """Response cache. `auto`: `redis` if `REDIS_HOST` or `REDIS_URL` is set, else `memory`."""

    scoring_cache_ttl_s: Seconds = 3600
    """Seconds that a prediction is kept; up to a tenth less, so that not all expire at once."""

    scoring_cache_max_bytes: BytesOrZero = 64_000_000
    """Memory of a worker's cache. 0: none, which leaves Redis."""

    scoring_cache_by_row: bool = False
    """Cache each row by itself: only the unknown rows of a batch are computed."""

    scoring_cache_must_pay: bool = True
    """Bypass a tier while looking up costs more than computing, as measured."""

    scoring_cache_budget_ms: Milliseconds = 50
    """Longest that a request waits for a look-up in Redis."""

    scoring_cache_lease_ms: MillisecondsOrZero = 0
    """Compute equal requests in several workers and pods once; the others wait for so long. 0: once
    in each worker."""

    scoring_cache_prefix: Annotated[str, Field(min_length=1)] = "azureml-scoring"
    """Start of each key in Redis, before model and version."""

    scoring_cache_key: Annotated[SecretStr | None, Field(min_length=16)] = None
    """Secret that signs the values in Redis: unsigned ones are ignored. All that share a cache need
    the same."""

    redis_url: SecretStr | None = None
    """`rediss://user:password@host:port/0` in place of the settings below; `redis://` is without
    TLS."""

    redis_host: str | None = None
    """Redis of the response cache."""

    redis_port: Port = 6380
    """6380 for Azure Cache for Redis, 10000 for Azure Managed Redis."""

    redis_username: str | None = None
    """User, if Redis has users; Azure's access keys need none."""

    redis_password: SecretStr | None = None
    """Access key."""

    redis_auth: Literal["password", "entra"] = "password"
    """`entra`: log in with the managed or workload identity instead; needs the extra `entra`."""

    redis_ssl: bool = True
    """TLS with certificate and host name checked; `false` for a local server only."""

    redis_ssl_ca_certs: Path | None = None
    """Certificates to trust in place of the system's."""

    redis_cluster: bool = False
    """Connect to a cluster, such as Azure Managed Redis with the OSS cluster policy."""

    scoring_log_sample: Share = 1.0
    """Share of the successful requests that get a log line; errors always do."""

    scoring_collect_sample: Share = 0.1
    """Share of the requests that are kept if a folder is set; 0 turns drift off too."""

    scoring_collect_folder: Path | None = None
    """Keep their inputs and predictions there, as JSON lines, up to 100 MB a worker."""

    scoring_dashboard: bool = False
    """Serve `/dashboard`, a page that draws `/metrics`, to everyone who may see those."""

    scoring_docs_page: bool = False
    """Serve `/docs`, a page to try the model, which shows its columns and sample rows."""

    scoring_access_log: bool = False
    """Log the server's own line for each request beside ours, probes included."""

    scoring_termination_log: Path = Path(termination_log.DEFAULT_PATH)
    """File that also gets the reason of a failed start, if it exists; Kubernetes has one and shows
    it."""

    scoring_expose_traceback: bool = False
    """Development only: Python tracebacks in `trace` and messages of exceptions in the log."""

    azureml_bi_output_path: Path | None = None
    """Folder of a batch job's files. Azure ML sets it."""

    scoring_batch_method: str | None = None
    """Batch: method of the model, such as `predict_proba`. Unset: the first that it has."""

    scoring_batch_output: Literal["csv", "parquet"] = "csv"
    """Batch: form of the predictions."""

    scoring_batch_max_bad_rows: Share = 0.5
    """Batch: a file fails if more than this share of its rows is bad."""

    scoring_batch_input_root: Path | None = None
    """Batch: folder of the inputs. Outputs lie as their inputs lie below it. Unset: all in one
    folder, named by the input's name and a checksum of its content."""

    worker_count: Workers = 1
    """Worker processes. Azure ML's server reads it too."""

    worker_preload: bool = False
    """Azure ML's server: run `init()` before the workers are forked."""

    @property
    def trusted_types(self) -> frozenset[str]:
        """``scoring_skops_trusted_types`` as a set."""
        return frozenset(
            filter(None, map(str.strip, (self.scoring_skops_trusted_types or "").split(",")))
        )

    @property
    def processors(self) -> int:
        """A worker's share of the container's processors, at least one."""
        import joblib  # commands, which never ask, start a third sooner without

        return max(1, int(joblib.cpu_count()) // self.worker_count)


ATTRIBUTE_OF = {name.upper(): name for name in Settings.__dataclass_fields__}
"""Environment variable -> attribute of ``Settings``."""


def load(environ: Mapping[str, str]) -> Settings:
    """Parse the environment; an empty variable counts as unset. Raises StartupError."""
    _refuse_unknown(environ)
    values = {
        attribute: environ[name] for name, attribute in ATTRIBUTE_OF.items() if environ.get(name)
    }
    try:
        return TypeAdapter(Settings).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        name, reason = str(first["loc"][0]).upper(), first["msg"].removeprefix("Value error, ")
        raise StartupError(
            f"{name} is not usable: {reason}; see docs/settings.md for what it takes."
        ) from None


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = [name for name in ATTRIBUTE_OF if name.startswith(SETTING_PREFIX)]
    for name in sorted(environ):
        if (
            name.startswith(SETTING_PREFIX)
            and name not in ATTRIBUTE_OF
            and name not in SERVER_VARIABLES
        ):
            if name in REMOVED:
                raise StartupError(f"{name} was removed: {REMOVED[name]}")
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
            raise StartupError(
                f"{name} is not a setting; did you mean {nearest}? Correct or unset it."
            )
