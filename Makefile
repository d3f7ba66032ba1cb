# Every target sets up what it needs in .venv first, and installs nothing when nothing changed.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONPATH :=

.PHONY: demo test test-slow soak lint bench speedrun lock audit sbom
TOOLS := .venv/tools/bin

demo: .venv/demo
	@$(BIN)/python scripts/demo.py

# A process per core, one thread in each: networks as small as those of the tests share no work.
test: .venv/dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --durations=5

test-slow: .venv/dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m 'slow and not soak' -n auto --maxprocesses 4 --dist loadfile --durations=5

# Most of an hour on two quiet cores; ESRGAN_SOAK=0.01 does a hundredth of the kills and damages.
soak: .venv/dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m soak -n 2 --dist loadfile --durations=0

lint: .venv/dev
	@$(BIN)/ruff check
	@$(BIN)/ruff check --preview --select PLW1514 --quiet  # text files are UTF-8 on every system
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@git ls-files | xargs $(BIN)/codespell

bench: .venv/demo
	@$(BIN)/python scripts/benchmark.py --record experiments/speed

# 25 minutes of training; PHOTOGRAPHS=FOLDER makes the data set, SETTINGS='KEY=VALUE ...' changes it.
speedrun: .venv/demo
	@$(BIN)/python scripts/speedrun.py $(if $(PHOTOGRAPHS),--photographs $(PHOTOGRAPHS)) $(SETTINGS)

# Of everything that a test needs, the versions that it was tested with, and the hashes of their files.
lock: .venv/dev .venv/tools/done
	@$(BIN)/python -m pip freeze --exclude-editable > .venv/tested.txt
	@$(TOOLS)/uv pip compile pyproject.toml --extra dev --python-version 3.11 --universal \
		--constraints .venv/tested.txt --upgrade \
		--generate-hashes --no-header --no-annotate --quiet --output-file requirements.lock

audit: .venv/tools/done
	@$(TOOLS)/python .ci/audit.py $(TOOLS)/pip-audit

# What is in an installation from the lock, in CycloneDX's format; it goes along with a release.
sbom: .venv/tools/done
	@$(TOOLS)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file esrgan.cdx.json

.venv/tools/done: Makefile
	@$(PYTHON) -m venv .venv/tools
	@$(TOOLS)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9' 'pip-audit>=2.9' 'cyclonedx-bom>=7'
	@touch $@

.venv/demo: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (torch is large: this takes minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

.venv/dev: .venv/demo
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
