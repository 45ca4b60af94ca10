"""Measures what servers do with more requests than they can answer: ``make bench-overload``, or
``benchmarks/overload.py --help``.

For each model and server, it measures the server's own capacity in a closed loop, then offers
multiples of it at a constant rate. Goodput is what is answered in time, as a share of capacity. The
servers run one after the other, with one worker and no cache; compare them only within one run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Collection

import overload_report
from compare import install_all
from overload_bench import PARTS, ModelBench, say
from overload_cells import EASE
from overload_models import MODELS, OURS, OVERLOAD_SERVERS, trained
from overload_targets import Results
from servers import BUILD, SERVERS

LOADS = (EASE, 0.9, 1.2, 2.0, 5.0)
BENTOML_CONCURRENCY = (1, 3, 8)


def main() -> None:
    options = parse()
    chosen = {name: OVERLOAD_SERVERS[name] for name in options.servers}
    unusable = install_all([server.name for server in chosen.values()])
    names = {name for name, server in chosen.items() if server.name not in unusable}
    results = Results(seconds=options.seconds)
    results.unusable = {SERVERS[name].title: why for name, why in unusable.items()}
    begun = time.monotonic()
    for model_name in options.models:
        say(f"{model_name}: making the model")
        bench = ModelBench(model_name, trained(model_name), results, options)
        for name in (OURS, *MODELS[model_name].peers):
            if name in names:
                bench.try_server(name)
        if OURS in names:
            bench.try_extras()
        results.minutes = (time.monotonic() - begun) / 60
        document = json.dumps(dataclasses.asdict(results), indent=1)
        (BUILD / "overload.json").write_text(document)
    print(overload_report.section(results))
    if options.write_docs:
        overload_report.write(results)
    sys.exit(1 if results.unusable else 0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=names_of(MODELS), default=list(MODELS))
    parser.add_argument(
        "--servers", type=names_of(OVERLOAD_SERVERS), default=list(OVERLOAD_SERVERS)
    )
    parser.add_argument(
        "--parts", type=names_of(PARTS), default=list(PARTS), help="What is measured."
    )
    parser.add_argument(
        "--loads",
        type=lambda text: sorted(map(float, text.split(","))),
        default=list(LOADS),
        help="Multiples of capacity to offer.",
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="How long each is offered.")
    parser.add_argument(
        "--bentoml-concurrency",
        type=lambda text: list(map(int, text.split(","))),
        default=list(BENTOML_CONCURRENCY),
        help="Values of max_concurrency to try for each model.",
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="Write the section of docs/benchmarks.md."
    )
    return parser.parse_args()


def names_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Return a parser of names of ``known``, separated by commas."""

    def parse_names(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(
                f"there is no {', '.join(sorted(unknown))}; name some of {', '.join(known)}"
            )
        return [name for name in known if name in chosen]

    return parse_names


if __name__ == "__main__":
    main()
