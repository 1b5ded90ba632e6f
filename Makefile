# All targets use the virtual environment .venv and create it if needed.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DEMO := --steps 50 --learning-rate 2e-4
ON_GPU := --device cuda --size 0.5B --precision bf16 --times 8 --compile --shape metamath arc
BENCH_ROWS ?= $(if $(PAIRGEN_REAL_DATA),--source $(PAIRGEN_REAL_DATA)/metamath/GSM_AnsAug.json,)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint check format bench bench-gpu clean

help: ## show this help
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 12

.venv/core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -e '.[train]'
	@touch $@

.venv/dev: pyproject.toml constraints.txt | .venv/core
	$(PIP) -e '.[dev]'
	@touch $@

setup: .venv/dev ## create .venv with all development dependencies

demo: .venv/core ## build sample datasets in demo/, inspect them, train with DPO, IPO and DPOP, and compare the runs
	$(BIN)/pairgen build metamath --source sample --eval-size 100 --out demo/metamath --overwrite
	$(BIN)/pairgen build arc --source sample --out demo/arc --overwrite
	$(BIN)/pairgen build hellaswag --source sample --out demo/hellaswag --overwrite
	$(BIN)/pairgen stats demo/metamath --edit-distance
	$(BIN)/pairgen stats demo/arc --edit-distance
	$(BIN)/pairgen show demo/metamath --limit 2 --where source~GSM
	$(BIN)/pairgen show demo/arc --limit 1
	$(BIN)/pairgen show demo/hellaswag --limit 1
	$(BIN)/pairgen train demo/metamath --loss sft --steps 300 --learning-rate 3e-3 --out demo/sft --overwrite
	$(BIN)/pairgen train demo/metamath --model demo/sft/final --loss dpo $(DEMO) --out demo/dpo --overwrite
	$(BIN)/pairgen train demo/metamath --model demo/sft/final --loss ipo $(DEMO) --out demo/ipo --overwrite
	$(BIN)/pairgen train demo/metamath --model demo/sft/final --loss dpop $(DEMO) --out demo/dpop --overwrite
	$(BIN)/pairgen compare demo/dpo demo/ipo demo/dpop

test: .venv/dev ## run the tests, except the slow ones
	$(BIN)/pytest -n 2

test-slow: .venv/dev ## run the slow tests
	$(BIN)/pytest -n 2 -m slow

lint: .venv/dev ## check formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test ## lint and tests: everything required before a commit

format: .venv/dev ## reformat the code and apply lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/dev ## measure speed and memory; with PAIRGEN_REAL_DATA set, on real rows and against TRL
	$(BIN)/python tests/bench/bench_build.py --memory $(BENCH_ROWS)
	$(if $(PAIRGEN_REAL_DATA),$(BIN)/python tests/bench/bench_engine.py $(PAIRGEN_REAL_DATA))
	$(if $(PAIRGEN_REAL_DATA),$(BIN)/python tests/bench/bench_rows.py $(PAIRGEN_REAL_DATA))
	$(if $(PAIRGEN_REAL_DATA),$(BIN)/python tests/bench/bench_audit.py $(PAIRGEN_REAL_DATA))
	$(BIN)/python tests/bench/bench_exchange.py $(if $(PAIRGEN_REAL_DATA),--source $(PAIRGEN_REAL_DATA)/metamath/GSM_AnsAug.json --against $(PAIRGEN_REAL_DATA)/gsm8k/train.jsonl)
	$(BIN)/python tests/bench/bench_head.py
	$(BIN)/python tests/bench/bench_pack.py
	$(if $(PAIRGEN_REAL_DATA),$(BIN)/python tests/bench/bench_train.py $(PAIRGEN_REAL_DATA))

bench-gpu: ## compare the trainer with TRL on a GPU, using PYTHON's own torch; WHEELS=DIR installs missing packages offline
	$(if $(WHEELS),$(PYTHON) -m pip install --quiet --no-index --no-deps --upgrade --target .bench $(WHEELS)/*.whl)
	PYTHONPATH=.:.bench $(PYTHON) -W ignore tests/bench/bench_train.py $(or $(PAIRGEN_REAL_DATA),sample) $(ON_GPU)

clean: ## remove generated files
	rm -rf .venv .bench demo dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
