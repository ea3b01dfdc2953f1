# make run   the dashboard at http://127.0.0.1:8501 (sets everything up the first time)
# make test  lint and every test, the browser's too
# make check the same without the browser; make bench the measured comparisons; make reproduce docs/results.md

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
PY := $(VENV)/bin/python
PORT ?= 8501
# The Python that has the libraries which the engine is measured against: docs/performance.md.
PEERS ?= $(PY)
# The same for the trackers that stand beside the dashboard.
TRACKERS ?= $(PY)
PIP := $(PY) -m pip install --quiet --disable-pip-version-check

# A browser test is a real browser: Debian's chromium is installed when it is missing.
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

# The GRU's recurrence is C, compiled for this processor when it is first used.
COMPILER := $(shell command -v cc || command -v gcc || command -v clang)

.PHONY: run test check lint format bench reproduce chromium clean

run: $(VENV)/.installed
	$(PY) -m metalm app --port $(PORT)

test: lint chromium
	$(PY) -m pytest -rfER -n 2 --dist loadfile

check: lint
	$(PY) -m pytest -rfER -n 2 --dist loadfile -m "not browser"

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: chromium
	$(PY) benchmarks/dashboard.py --refreshes 1000 --peers-python $(TRACKERS)
	PYTHONPATH=. $(PY) benchmarks/evaluation.py
	$(PY) benchmarks/engine.py --peers-python $(PEERS)

# The numbers of docs/results.md: some 40 minutes on two cores; FULL=1 takes hours. Stopped, it goes on.
reproduce: $(VENV)/.installed
	$(PY) benchmarks/reproduce.py $(if $(FULL),--full)

chromium: $(VENV)/.installed-dev
ifeq ($(CHROMIUM),)
	$(SUDO) apt-get update -qq
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-core
endif

# The stamps make a second call instant; a changed requirements file installs again.
$(VENV)/.installed: requirements.txt
	@echo "Setting up $(VENV) with what requirements.txt names: a few minutes, once"
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements.txt $(if $(COMPILER),,-r requirements-compiler.txt)
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(PIP) -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) .ruff_cache
