# Set-up and the commands of the README. Everything lives in .venv; remove it to start afresh.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
SUITE := $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: quickstart test test-all test-slow test-mediapipe test-gpu check check-static mutants results scores notebooks own-folder peers interop interop-ci training-results wheel clean

quickstart: $(VENV)/.installed  ## train, export, verify and measure a small classifier, without network or data
	$(BIN)/edgecnn quickstart

test: $(VENV)/.installed  ## the whole test suite, but for the slow tests
	$(SUITE)

# Its programs: see .ci/run. MediaPipe's tests have a target of their own.
test-all: $(VENV)/.installed-all  ## the same with all Python packages that a test can use, Ray and an S3 server among them
	$(SUITE) --ignore tests/export/tflite/test_mediapipe.py

test-slow: $(VENV)/.installed  ## minutes of training and measuring; real data where EDGECNN_DATA names it
	$(BIN)/python -m pytest -m slow

test-mediapipe: build/mediapipe/.installed  ## MediaPipe Tasks, installed apart, opens our files
	PYTHONPATH=build/mediapipe $(BIN)/python -m pytest tests/export/tflite/test_mediapipe.py

# In an environment of its own, because onnxruntime-gpu takes the place of onnxruntime; 7 GB, only where there is a GPU.
# GPU_PYTHON names another, with KERAS_BACKEND=jax one without TensorFlow.
GPU_PYTHON ?= $(if $(shell command -v nvidia-smi),build/gpu/bin/python,$(BIN)/python)
test-gpu: $(if $(filter $(BIN)/%,$(GPU_PYTHON)),$(VENV)/.installed) $(if $(filter build/%,$(GPU_PYTHON)),build/gpu/.installed)  ## what only an NVIDIA GPU can decide
	$(GPU_PYTHON) -m pytest tests/gpu

check: $(VENV)/.installed  ## formatting, lint, types, import direction, quick tests
	scripts/check

check-static: $(VENV)/.installed  ## the same without tests
	scripts/check --static

# cosmic-ray, of which only the mutants are used, so that what its own runner needs is left out; see scripts/mutants.py.
# MUTANTS names modules and options: make mutants MUTANTS="preprocess --sample 50".
mutants: $(VENV)/.installed build/mutants/.installed  ## how many small faults in the core modules their tests notice
	PYTHONPATH=build/mutants $(BIN)/python scripts/mutants.py $(MUTANTS)

results: $(VENV)/.installed  ## measure the figures of benchmarks/RESULTS.md on this machine; 25 minutes without runs/mnist
	test -e runs/mnist/run.json || $(BIN)/edgecnn train mnist
	$(BIN)/python benchmarks/peers/record.py

training-results: $(VENV)/.installed  ## measure the speed and memory of training for benchmarks/TRAINING.md; 15 minutes
	$(BIN)/python benchmarks/peers/record_training.py

scores: $(VENV)/.installed  ## train every recipe with five seeds and write benchmarks/SCORES.md; hours, needs EDGECNN_DATA
	$(BIN)/python benchmarks/peers/training_scores.py

notebooks: build/skimage/.installed  ## train the notebooks' own loops for benchmarks/NOTEBOOKS.md; hours, needs EDGECNN_DATA
	PYTHONPATH=build/skimage $(BIN)/python benchmarks/peers/notebook_loops.py --rounds 9

# OWN_FOLDER names options: make own-folder OWN_FOLDER="--minutes 60".
own-folder: build/skimage/.installed  ## train on small folders for benchmarks/OWN_FOLDER.md; two hours, goes on where it stopped
	PYTHONPATH=build/skimage $(BIN)/python benchmarks/peers/own_folder.py $(OWN_FOLDER)

# Ultralytics is measured where it is installed; it brings torch, so that is your choice.
peers: build/mediapipe/.installed  ## measure us beside other people's software for benchmarks/PEERS.md; an hour
	test -e runs/casting-mobilenetv2/run.json || $(BIN)/edgecnn train casting-mobilenetv2
	PYTHONPATH=build/mediapipe $(BIN)/python benchmarks/peers/compare.py

interop: $(VENV)/.installed  ## open every file in other engines for benchmarks/INTEROP.md; an hour at first, needs EDGECNN_DATA
	$(BIN)/python benchmarks/peers/interop/run.py

interop-ci: $(VENV)/.installed  ## the few of these engines in which the tests open files
	$(BIN)/python benchmarks/peers/interop/environments.py

wheel: $(VENV)/.installed  ## dist/edgecnn-*.whl and the source distribution
	$(BIN)/python -m build --no-isolation

clean:
	rm -rf $(VENV) build dist runs

# Installed once; again when the packaging or the pinned versions change.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "edgecnn needs Python 3.11 or later; name one with 'make PYTHON=python3.12 …'" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[dev]"
	touch $@

$(VENV)/.installed-all: $(VENV)/.installed
	$(PIP) -e ".[dev-all]"
	touch $@

build/gpu/.installed: pyproject.toml constraints.txt constraints-gpu.txt
	$(PYTHON) -m venv build/gpu
	build/gpu/bin/python -m pip install --quiet -c constraints.txt -c constraints-gpu.txt -e ".[all-gpu]" pytest
	touch $@

# Without its dependencies: its OpenCV would overwrite ours, and the rest of them we have.
build/mediapipe/.installed: $(VENV)/.installed
	rm -rf build/mediapipe
	$(PIP) --no-deps --target build/mediapipe mediapipe
	touch $@

# scikit-image as the notebooks use it, and its faces; installed apart, since nothing else needs it.
build/skimage/.installed: $(VENV)/.installed
	rm -rf build/skimage
	$(PIP) --target build/skimage "scikit-image>=0.25"
	touch $@

build/mutants/.installed: $(VENV)/.installed
	rm -rf build/mutants
	$(PIP) --no-deps --target build/mutants cosmic-ray==8.7.0 parso==0.8.7 stevedore==5.10.0
	touch $@
