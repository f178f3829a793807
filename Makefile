# The few commands of the project. `make` alone lists them; each sets up what it needs.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.setup-done
UNFINISHED := $(VENV)/.setup-unfinished

# One thread per process: on few cores the threads of torch and BLAS stand in each other's way.
# Offline, because no test may need the network.
# Files of tests run side by side, each file in order.
JOBS ?= 2
SIDE_BY_SIDE := -n $(JOBS) --dist loadfile
QUIET := HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check accept accept-long bench bench-backtest bench-clip bench-evaluate bench-detectors bench-heads bench-intake bench-page bench-poison bench-promotion bench-scrape rules-test dashboards reference docs clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The stamp holds the hash of pyproject.toml and the folder, for the editable installation points there.
# A virtual environment that another program made beforehand is used as it is; one that a killed set-up left is emptied.
# pip runs by the environment's real path, so that its scripts stay right when .venv is a link.
setup:  ## make .venv with the project in it; does nothing when nothing changed
	@set -e; \
	command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not installed; sidwatch needs Python 3.11 or newer (PYTHON=... names it)" >&2; exit 1; }; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1); sidwatch needs Python 3.11 or newer (PYTHON=... names it)" >&2; exit 1; }; \
	wanted=$$($(PYTHON) -c 'import hashlib, os, pathlib; print(hashlib.sha256(pathlib.Path("pyproject.toml").read_bytes() + os.getcwd().encode()).hexdigest())'); \
	if [ -x $(PY) ] && [ "$$(cat $(STAMP) 2>/dev/null)" = "$$wanted" ]; then exit 0; fi; \
	if [ -e $(UNFINISHED) ] || ! $(PY) -m pip --version >/dev/null 2>&1; then \
		$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "make: $(PYTHON) cannot make virtual environments; install its venv package (Debian: apt-get install python3-venv)" >&2; exit 1; }; \
		mkdir -p "$$(realpath -m $(VENV))"; \
		$(PYTHON) -m venv --clear "$$(realpath $(VENV))"; \
	fi; \
	rm -f $(STAMP); touch $(UNFINISHED); \
	echo "installing sidwatch into $(VENV); the first time this takes some minutes"; \
	"$$(realpath $(VENV))/bin/python" -m pip install --disable-pip-version-check --quiet --editable '.[dev,dashboards,docs]'; \
	echo "$$wanted" > $(STAMP); rm -f $(UNFINISHED)

demo: setup  ## the whole story on simulated pictures; status page on 127.0.0.1:8600; Ctrl-C ends it
	@$(VENV)/bin/sidwatch demo $(ARGS)

run: setup  ## the service with config.yaml
	@$(VENV)/bin/sidwatch run $(ARGS)

test: setup  ## the test suite, without what `make accept` does; ARGS="-k gate" picks
	$(QUIET) $(PY) -m pytest $(SIDE_BY_SIDE) -m "not accept and not weights" $(ARGS)

check: setup  ## style, types, import rules, migrations
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy --strict daemon adapters store
	$(VENV)/bin/lint-imports
	$(PY) -m store.migrations.check

accept: setup  ## acceptance: the real command, kills, the built wheel, real pictures, poison, seeded figures
	$(QUIET) $(PY) -m pytest $(SIDE_BY_SIDE) -m "accept and not long and not weights" --timeout 1500 $(ARGS)

accept-long: setup  ## the acceptance that wants hours or a machine of its own: kills at every failpoint of every way to a promotion and of every correction, alerts end to end
	$(QUIET) $(PY) -m pytest -m "long and not weights" --timeout 7200 $(ARGS)

bench: setup  ## measurements, each prints a table and writes JSON beside itself
	$(QUIET) $(PY) benchmarks/encode.py $(ARGS)
	$(QUIET) $(PY) benchmarks/encode_clip.py

bench-backtest: setup  ## the back-test of all policies on real pictures, from nothing: time, processor, figures
	@test -n "$(SIDWATCH_TEST_DATA)" || { echo "make: SIDWATCH_TEST_DATA names no folder with images/manifest.csv" >&2; exit 1; }
	$(QUIET) $(PY) -m benchmarks.backtest $(SIDWATCH_TEST_DATA)/images/manifest.csv $(ARGS)

bench-evaluate: setup  ## what measuring 100 families costs, beside scikit-learn and a naive bootstrap
	$(QUIET) $(PY) benchmarks/evaluate.py $(ARGS)

bench-detectors: setup  ## our alarms and river's detectors, tuned to the same rate of false alarms
	$(QUIET) $(PY) -m benchmarks.detectors $(ARGS)

bench-heads: setup  ## the closed form beside logistic regression, the paper's recipe and river: time, memory, mAP
	$(QUIET) $(PY) -m benchmarks.heads $(if $(SIDWATCH_TEST_DATA),--images $(SIDWATCH_TEST_DATA)/images) $(ARGS)

bench-intake: setup  ## taking pictures in without encoding: how many per second, and whether memory stays flat
	$(QUIET) $(PY) benchmarks/intake.py $(ARGS)

bench-scrape: setup  ## what a scrape of /metrics costs at 1,000 families
	$(QUIET) PYTHONPATH=. $(PY) benchmarks/scrape.py

rules-test: setup  ## promtool and amtool: rules, their cases, both configurations of Prometheus and of Alertmanager
	@for tool in promtool amtool; do command -v $$tool >/dev/null || { echo "make: $$tool is not installed (Debian: RUNLEVEL=1 apt-get install prometheus prometheus-alertmanager)" >&2; exit 1; }; done
	promtool check rules dashboards/prometheus/rules/*.yml
	promtool test rules dashboards/prometheus/rules/tests/alerts_test.yml
	promtool check config --syntax-only dashboards/prometheus/prometheus.yml deploy/prometheus.yml
	amtool check-config dashboards/prometheus/alertmanager.yml deploy/alertmanager.yml
	$(QUIET) $(PY) -m pytest -q tests/docs/test_dashboards.py tests/docs/test_deploy.py

bench-promotion: setup  ## from the alarm to a promoted version on a store of 100,000 samples
	HF_HUB_OFFLINE=1 $(PY) -m benchmarks.promotion $(ARGS)

bench-clip: setup  ## what the clip leaves out of honest pictures and finds of poison, on the test pictures
	$(QUIET) $(PY) -m benchmarks.clip $(ARGS)

bench-poison: setup  ## what poisoned deliveries do to promotions, over their share
	$(QUIET) $(PY) -m benchmarks.poison $(ARGS)

bench-page: setup  ## what the overview costs the server with 200 families, 90 days of figures
	$(QUIET) PYTHONPATH=. $(PY) benchmarks/page.py $(ARGS)

dashboards: setup reference  ## generate dashboards/grafana and the reference again
	$(PY) dashboards/build.py

reference: setup  ## generate docs/reference-*.md again, from the code
	$(PY) docs/make_states.py
	$(PY) docs/make_reference.py

docs: setup  ## the documentation as a site in build/site; a wrong link is an error
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict $(ARGS)

clean:  ## remove caches and build output; keeps .venv and every state folder
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
