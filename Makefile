# The torch pin comes first: a plain `torch` may pull several GB of CUDA libraries.
PYTHON ?= python3
TORCH  ?= torch==2.13.0
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test lint box evaluate bench bench-runtime chaos-runtime clean
.DELETE_ON_ERROR:

demo: $(STAMP)          ## set everything up in .venv, then the main job
	$(BIN)/pvchat-edge demo

test: lint box          ## set everything up in .venv, then the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.11 ...") if not (3, 11) <= v <= (3, 13) else 0'
	@$(PYTHON) -c 'import shutil; free = shutil.disk_usage(".").free / 1e9; print(f"{free:.0f} GB of disk are free; the set-up takes 3 GB with the CPU build of torch, 9 GB with the CUDA build")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[export,dev]'
	touch $@

# The box alone: Python 3.10 and the oldest onnxruntime that it may meet, no torch. Skipped, and said so, where
# there is no Python 3.10.
box: $(STAMP)
	$(BIN)/python tests/box/set_up.py

# How good the shipped base is, on people nobody trained on. QUICK=1: minutes instead of hours, one seed.
# WORLD_SEED=5: other people; WORLD=FOLDER: any folder of clips (docs/world.md). KEEP=FOLDER: a seed asked once
# counts from then on.
SEEDS  := $(if $(WORLD_SEED),$(WORLD_SEED),$(if $(QUICK),1,1,2,3))
evaluate: $(STAMP)
	$(BIN)/python -m train.evaluate --bundle runtime/base_bundle \
	  --config configs/train/evaluate$(if $(QUICK),_quick).toml \
	  $(if $(WORLD),--world $(WORLD),--seeds $(SEEDS)) $(if $(KEEP),--keep $(KEEP))

# How fast the runtime is: a table and one line. OUT=docs/results writes them there. QUICK=1: whether it runs.
bench-runtime: $(STAMP)
	OMP_NUM_THREADS=2 $(BIN)/python -m export.bench_runtime $(if $(QUICK),--quick) $(if $(OUT),--out $(OUT))

# What kill -9, strange bytes and a long day do to it (docs/faults.md); hours. QUICK=1: minutes, few of everything.
# RESULTS=docs/results: writes faults.md and faults.json.
chaos-runtime: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.chaos \
	  $(if $(QUICK),--rounds 10 --fuzz 5000 --questions 200 --windows 200) $(if $(RESULTS),--results $(RESULTS))

# Ours against PyTorch, onnxruntime-genai and llama.cpp, in turns, on a quiet machine. QUICK=1: only that it runs.
THREADS ?= 2
bench: $(STAMP)
	OMP_NUM_THREADS=$(THREADS) $(BIN)/python -m export.bench --threads $(THREADS) $(if $(QUICK),--quick,--out docs/results)

clean:
	rm -rf $(VENV) .venv-box out build *.egg-info
