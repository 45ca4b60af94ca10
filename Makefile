# `make serve` and `make test` are all that a newcomer needs; `make help` lists the rest.

MINUTES ?= 10
PORT ?= 5001
WORKER_COUNT ?= 1
CACHE ?= auto
DEMO := build/demo/diabetes-classifier
MODEL_DIR ?= $(DEMO)
VERSION ?= v1.0.0
TO ?= green
PYTHON ?= $(firstword $(foreach p,python3.12 python3.13 python3.11 python3,$(if $(shell $(p) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo yes),$(p))))

BIN := .venv/bin
SERVING := .venv/.serving
TESTING := .venv/.testing
CHECKOV := build/checkov/.installed
KUSTO := build/kusto/node_modules
MODEL_PACKAGES := environment/requirements-model
# Two processes, each on one core: OpenMP's threads would wait for each other.
UNIT := env OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses=2 --dist=worksteal
# Servers are shared within a file, so whole files go to one process. These tests wait more than they compute.
BY_FILE := --dist=loadfile --no-loadscope-reorder --numprocesses
ATTACKS := $(addprefix tests/unit/,$(addprefix azureml_scoring/http/test_,smuggling.py head.py connection.py express_lane.py) \
	$(addprefix azureml_scoring/models/files/test_,signature.py manifest.py) mlops/test_pickled_code.py)
LIVE_ATTACKS := $(addprefix tests/blackbox/test_,lanes.py fuzz.py hostile_clients.py cache_faults.py)
# CI has minutes; each night the rest is run too.
IN_TIME := -m "not deep"
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Images set it; then every process would compile our modules and the tests anew.
unexport PYTHONDONTWRITEBYTECODE
# Terraform asks HashiCorp for newer versions, with an id of this machine.
export CHECKPOINT_DISABLE ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup serve test check quick unit coverage deployfiles operations kusto blackbox blackbox-ours blackbox-gunicorn faults attack rehearse signals slo interop schemathesis sweep deep parity-hunt pictures bench bench-targets bench-workers bench-start bench-overload bench-batch bench-cache bench-graph bench-mixed bench-models bench-reading bench-request sbom audit artifact demo names endpoints \
	manifests terraform rollout rollback format lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PORT=5001 MODEL_DIR=path WORKER_COUNT=1 CACHE=auto|off|memory|redis DASHBOARD=true go with make serve"

setup: $(SERVING) ## .venv with the locked requirements

$(SERVING): environment/requirements.txt environment/requirements-build.txt setup.cfg
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || { echo "Python 3.11, 3.12 or 3.13 is needed (for 3.14 there is no pysimdjson yet); install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Installing the locked requirements into .venv (once, a minute or two)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
# A fifth of their modules is ever imported, and compiled then.
# The locks are whole, as `pip check` sees; without --no-deps, pip looks for what each package needs.
	@$(PIP) install --no-compile --no-deps --require-hashes -r environment/requirements.txt -r environment/requirements-build.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(TESTING): $(SERVING) environment/requirements-dev.txt
	@echo "Installing the tools for the tests into .venv"
	@$(PIP) install --no-compile --no-deps --require-hashes -r environment/requirements-dev.txt
# cyclonedx-bom brings it. Where it is, importing jsonschema, and so azure-ai-ml, compiles a grammar for seconds.
	@$(PIP) uninstall --yes rfc3987-syntax
	@touch $@

# In an environment of its own: it wants other versions of much that the server has.
$(CHECKOV): environment/requirements-checkov.txt
	@echo "Installing checkov into $(@D)"
	@$(or $(PYTHON),false) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --no-compile --no-deps --require-hashes -r $<
	@touch $@

kusto: $(KUSTO) ## Microsoft's Kusto parser, which the tests of queries need

$(KUSTO): tests/kusto/package.json tests/kusto/package-lock.json | $(TESTING)
	@echo "Installing Microsoft's Kusto parser into build/kusto"
	@mkdir -p build/kusto
	@cp $^ build/kusto
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix build/kusto --no-audit --no-fund --loglevel=error
	@touch $@

$(DEMO): | $(SERVING)
	@$(BIN)/mlops demo --out $@

serve: $(SERVING) $(if $(filter redis,$(CACHE)),$(TESTING)) $(if $(filter $(DEMO),$(MODEL_DIR)),$(DEMO)) ## serve a model, the demo's unless MODEL_DIR is given
	@exec $(BIN)/mlops serve --model-dir "$(MODEL_DIR)" --port $(PORT) --workers $(WORKER_COUNT) --cache $(CACHE) $(if $(filter true,$(DASHBOARD)),--dashboard)

test: $(if $(PYTHON),,$(SERVING)) ## everything that CI runs
	@$(MAKE) --no-print-directory --jobs=2 $(TESTING) $(CHECKOV)
# Tests with servers wait much. The unit tests, of a lower priority, take what processor time is left.
	@$(MAKE) --no-print-directory --jobs=3 --output-sync check unit blackbox-ours operations deployfiles blackbox-gunicorn

check: $(TESTING) ## format, lint, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@PYTHONPATH=src $(BIN)/lint-imports --no-cache --no-logo
	@$(PIP) check

quick: $(TESTING) ## unit tests of the folders that changed since the last commit, or all; without the slow ones
	@$(UNIT) $$($(BIN)/python tests/changed.py) -m "not slow and not deep" --hypothesis-profile=quick

unit: $(TESTING) ## all unit tests
	@nice -n 3 $(UNIT) tests/unit $(IN_TIME)

coverage: $(TESTING) ## all unit tests, and the lines and branches that they miss
	@$(BIN)/pytest tests/unit --cov --cov-report=term

deployfiles: $(TESTING) $(CHECKOV) $(KUSTO) ## tests of the files that are deployed, queries and alerts included, and of the docs
	@$(BIN)/pytest tests/deploy $(IN_TIME)

operations: $(TESTING) ## tests of rollouts, load, the soak, pipelines, Prometheus and the image, with real servers
	@$(BIN)/pytest tests/operations $(BY_FILE)=2 $(IN_TIME)

blackbox: blackbox-ours blackbox-gunicorn ## tests against real servers: with our worker, then with gunicorn's own what may depend on it

blackbox-ours: $(TESTING) | $(DEMO)
	@$(BIN)/pytest tests/blackbox $(BY_FILE)=3 $(IN_TIME)

blackbox-gunicorn: $(TESTING)
	@$(BIN)/pytest tests/blackbox $(BY_FILE)=3 --worker gunicorn -m "not any_worker and not deep"

faults: $(TESTING) ## what faults of Redis do to requests: the table of docs/cache.md
	@$(BIN)/pytest tests/blackbox/test_cache_faults.py

attack: $(TESTING) ## what attackers would try, with new examples (an hour): the table of docs/security.md
	@$(UNIT) $(ATTACKS) --hypothesis-profile=deep --timeout=1800
	@$(BIN)/pytest $(LIVE_ATTACKS) $(BY_FILE)=3 --hypothesis-profile=deep --timeout=1800

interop: $(TESTING) ## clients of others against our server, and our answers beside other servers' (minutes): docs/interoperability.md
	@$(BIN)/pytest tests/interop --interop docs/interoperability.md

schemathesis: $(TESTING) ## requests made of the OpenAPI document, against a running server (a minute or two)
	@$(BIN)/pytest tests/interop/test_schemathesis.py --timeout=900

sweep: $(TESTING) ## every estimator of scikit-learn, compiled against plain, on odd rows (minutes): docs/sweep.md
	@$(BIN)/pytest tests/unit/mlops/test_sweep.py --sweep docs/sweep.md

deep: $(TESTING) | $(DEMO) ## cases that `make test` leaves out, and property-based tests with new examples, twelve times as many (an hour); CI does so each night
	@$(UNIT) tests/unit tests/deploy -m "hypothesis or deep" --hypothesis-profile=deep --timeout=1800
	@$(BIN)/pytest tests/blackbox $(BY_FILE)=3 -m "hypothesis or deep" --hypothesis-profile=deep --timeout=1800
	@$(BIN)/pytest tests/blackbox $(BY_FILE)=3 --worker gunicorn -m "any_worker or deep"
	@$(BIN)/pytest tests/operations -m deep

parity-hunt: $(TESTING) ## random pipelines over random frames, packaged and compared (ten minutes, or MINUTES=60)
	@$(BIN)/pytest tests/unit/mlops/test_random_pipelines.py --parity-hunt $(MINUTES) -k hunt

rehearse: $(TESTING) ## blue/green rollouts of six kinds on this machine, each with a report (two minutes)
	@$(BIN)/mlops rehearse

slo: $(TESTING) ## hold the demo to the objectives while things fail (four minutes): docs/slo.md
	@$(BIN)/mlops slo --write docs/slo.md

pictures: $(TESTING) ## those of the docs: the dashboard, the try-it page and a report, in a real browser (needs chromium)
	@$(BIN)/pytest tests/operations/test_pictures.py --pictures docs

bench: $(TESTING) ## our servers and their peers side by side (half an hour; needs wrk): docs/benchmarks.md
	@$(BIN)/python benchmarks/compare.py --write-docs

bench-targets: $(TESTING) ## measure the targets of docs/benchmarks.md, in turns of seconds (ten minutes; needs wrk)
	@$(BIN)/python benchmarks/turns.py

bench-workers: $(TESTING) ## what the express lane brings, and gunicorn's asyncio worker (needs wrk): docs/adr/0007-our-worker.md
	@$(BIN)/python benchmarks/workers.py

signals: $(TESTING) ## how often drift, alerts and rollouts err, simulated (two hours): tables of docs/
	@$(BIN)/python benchmarks/signals/drift.py
	@PYTHONPATH=tests $(BIN)/python -m deploy.alert_rates docs/slo.md
	@$(BIN)/python -m benchmarks.signals.predictions --write-docs
	@$(BIN)/python -m benchmarks.signals.rollouts --write-docs
	@$(BIN)/python -m benchmarks.signals.comparisons --write-docs

bench-start: $(TESTING) ## start and memory of a worker beside its peers', and what it imports (three minutes): docs/adr/0022-lean-workers.md
	@$(BIN)/python benchmarks/start.py

bench-overload: $(TESTING) ## what servers do beyond their capacity, side by side (half an hour): docs/benchmarks.md
	@$(BIN)/python benchmarks/overload.py --write-docs

bench-cache: $(TESTING) ## what the response cache costs and brings: the tables of docs/cache.md
	@$(BIN)/python benchmarks/cache.py

bench-graph: $(TESTING) ## what a linear model's graph costs, by ONNX Runtime and by numpy: docs/adr/0006-onnx.md
	@$(BIN)/python benchmarks/graph.py

bench-models: $(TESTING) ## mixed columns, boosted trees, texts: ours, the guide's script and one by hand (ten minutes; needs wrk): docs/benchmarks.md
	@$(BIN)/python benchmarks/deployed.py --write-docs

bench-reading: $(TESTING) ## reading 100 rows, beside orjson alone, in process: docs/adr/0023-records.md
	@$(BIN)/python benchmarks/reading.py

bench-mixed: $(TESTING) ## models of mixed columns and of trees as served, by scikit-learn and by hand, in process: docs/adr/0016-race.md
	@$(BIN)/python benchmarks/mixed.py

bench-batch: $(TESTING) ## batch jobs beside pandas and the model in one process; BATCH_OPTIONS='--rows 10000000 --model lightgbm': docs/batch.md
	@$(BIN)/python benchmarks/batch.py $(BATCH_OPTIONS)

bench-request: $(TESTING) ## where the time of one small request goes: docs/benchmarks.md
	@$(BIN)/python benchmarks/request.py

sbom: $(TESTING) ## build/sbom.cdx.json: what our image and conda.yml install
	@mkdir -p build
	@$(BIN)/cyclonedx-py requirements environment/requirements.txt --output-reproducible -o build/sbom.cdx.json

audit: $(TESTING) ## known vulnerabilities in the locked requirements (needs the network)
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes -r environment/requirements.txt

artifact: $(SERVING) ## package your model, which scoring.toml names, into artifact/; MODEL=file SAMPLE=rows VERSION=v1.0.0 FORCE=1
	@$(BIN)/mlops artifact --version "$(VERSION)" $(if $(MODEL),--model "$(MODEL)") $(if $(SAMPLE),--sample "$(SAMPLE)") $(if $(FORCE),--force)

demo: $(SERVING) ## package the demo's model into build/demo
	@$(BIN)/mlops demo --out $(DEMO) --version "$(VERSION)" --force

names: $(SERVING) ## write the names of scoring.toml into endpoints/ and infrastructure/
	@$(BIN)/mlops names

endpoints: $(TESTING) ## check endpoints/ before Azure does
	@$(BIN)/mlops check

manifests: ## what kubectl renders of kubernetes/, for the tests to compare with (needs kubectl 1.27 or newer)
	@kubectl kustomize kubernetes/namespace > tests/data/kubernetes/namespace.yaml
	@for name in dev prod; do kubectl kustomize kubernetes/overlays/$$name > tests/data/kubernetes/$$name.yaml || exit 1; done
	@for name in keda redis-key fqdn-egress; do kubectl kustomize tests/data/kubernetes/$$name > tests/data/kubernetes/$$name.yaml || exit 1; done

terraform: ## check and test infrastructure/ with the real providers (needs terraform and its registry)
	@terraform -chdir=infrastructure fmt -check -recursive
	@for root in infrastructure infrastructure/global; do \
	  locked=; test ! -e $$root/.terraform.lock.hcl || locked=-lockfile=readonly; \
	  terraform -chdir=$$root init -backend=false -input=false $$locked && terraform -chdir=$$root validate \
	    && terraform -chdir=$$root test || exit 1; \
	done

rollout: $(TESTING) ## roll out to TO=blue|green, step by step (needs Azure); ROLLOUT_OPTIONS='--hold 10'
	@exec $(BIN)/mlops rollout endpoints/$(TO)-deployment.yml --artifact artifact $(ROLLOUT_OPTIONS)

rollback: $(TESTING) ## give all traffic back to the old deployment, or to TO=blue|green; OWN=yes (needs Azure)
	@exec $(BIN)/mlops rollback $$(sed -n 's/^name: //p' endpoints/online-endpoint.yml) \
		$(if $(filter command,$(origin TO)),--to $(TO)) $(if $(OWN),--own)

format: $(TESTING) ## format and fix what can be fixed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Without the extras in the lock, pip takes a newer release of what is asked for by its extra, and then misses its hash.
COMPILE := $(BIN)/python -m uv pip compile --quiet --no-strip-extras --universal --fork-strategy fewest --python-version 3.11 \
	--generate-hashes --no-annotate --custom-compile-command "make lock"

# Azure ML's batch service is Linux with one Python.
COMPILE_BATCH := $(BIN)/python -m uv pip compile --quiet --no-strip-extras --python-version 3.12 \
	--python-platform x86_64-manylinux_2_28 --generate-hashes --no-annotate --custom-compile-command "make lock"
# The name of an environment, its lock and the conda file to write.
conda = { printf '%s\n' '\# Written by make lock.' 'name: $(1)' 'channels:' '  - conda-forge' \
	'dependencies:' '  - python=3.12' '  - pip' '  - pip:'; \
	sed -n 's/^\([a-z].*[^ ]\) \\$$/      - \1/p' $(2); } > $(3)

lock: $(TESTING) ## resolve the requirements anew, with hashes; ADD=lightgbm adds what your model needs, here and in the images
	@{ cat $(MODEL_PACKAGES).in$(if $(ADD),; printf '%s\n' $(foreach package,$(ADD),'$(package)')); } | awk '!seen[$$0]++' > $(MODEL_PACKAGES).new.in
	$(COMPILE) --extra collect --extra entra --extra tracing setup.cfg $(MODEL_PACKAGES).new.in -o environment/requirements.txt \
		|| { rm $(MODEL_PACKAGES).new.in; exit 1; }
	@mv $(MODEL_PACKAGES).new.in $(MODEL_PACKAGES).in
	$(call conda,azureml-scoring,environment/requirements.txt,environment/conda.yml)
	$(COMPILE_BATCH) environment/requirements-batch.in $(MODEL_PACKAGES).in -o environment/requirements-batch.txt
	$(call conda,azureml-scoring-batch,environment/requirements-batch.txt,environment/conda-batch.yml)
	$(COMPILE) --extra dev -c environment/requirements.txt setup.cfg -o environment/requirements-dev.txt
	echo setuptools | $(COMPILE) -c environment/requirements-dev.txt - -o environment/requirements-build.txt
	echo checkov | $(COMPILE) - -o environment/requirements-checkov.txt
	$(if $(ADD),@$(MAKE) --no-print-directory setup)

clean: ## remove what make made
	rm -rf .venv build dist *.egg-info
