# Two commands matter: `make demo` and `make test`. Each sets up all it needs in .venv.
PYTHON ?= python3
KAGGLE_PYTHON ?= 3.12
COMPETITION ?= alaska2_classification
DEMO_DATA ?= data/$(COMPETITION)
DEMO_OUT ?= runs/$(COMPETITION)/demo
PYTEST ?= -n auto --dist loadfile  # a process per core; a file stays in one

# Small machines share their cores: two threads of torch can be twenty times slower than one.
export OMP_NUM_THREADS ?= 1
VENV := .venv/bin
UV := $(VENV)/uv

.PHONY: demo rehearse test test-kaggle lint bench lock clean

demo: .venv/.ready
	@test -d $(DEMO_DATA) || $(VENV)/kit demo $(COMPETITION) --data $(DEMO_DATA)
	$(VENV)/kit train $(COMPETITION) --experiment demo --data $(DEMO_DATA) --resume
	$(VENV)/kit predict $(COMPETITION) --data $(DEMO_DATA) --run $(COMPETITION)/demo/fold0 --out $(DEMO_OUT)

# The trained demo as Kaggle would run it, in the image's versions where they are installed.
rehearse: demo
	$(VENV)/kit kernel pack $(COMPETITION) --run $(COMPETITION)/demo/fold0
	$(VENV)/kit kernel rehearse $(COMPETITION) --data $(DEMO_DATA)

test: .venv/.ready lint
	$(VENV)/python -m pytest $(PYTEST)

test-kaggle: .venv-kaggle/.ready
	.venv-kaggle/bin/python -m pytest $(PYTEST)

lint: .venv/.ready
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/lint-imports
	$(VENV)/mypy

# Takes half an hour; `BENCH="tests/benchmarks/rle.py ..."` names a few. The table comes last.
# baselines.py wants data and timm's script, and trains for hours.
BENCH ?= $(filter-out %/table.py %/baselines.py,$(wildcard tests/benchmarks/*.py))

bench: export KIT_BENCH := $(shell mktemp -u)
bench: .venv/.ready
	@for file in $(BENCH); do echo "== $$file"; $(VENV)/python $$file || exit 1; done
	@$(VENV)/python tests/benchmarks/table.py $$KIT_BENCH

.venv/.ready: pyproject.toml requirements.txt constraints.txt
	$(PYTHON) -m venv .venv
	$(VENV)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip install --quiet --python $(VENV)/python --editable ".[dev]" --constraint constraints.txt
	@touch $@

.venv-kaggle/.ready: .venv/.ready constraints-kaggle.txt
	$(UV) venv --quiet --clear --python $(KAGGLE_PYTHON) .venv-kaggle
	$(UV) pip install --quiet --python .venv-kaggle/bin/python --editable ".[dev]" --constraint constraints-kaggle.txt
	@touch $@

# The newest of everything, for any system and Python from 3.11 on.
lock: .venv/.ready
	touch pyproject.toml  # or uv takes the dependencies that it remembers
	$(UV) pip compile --quiet --upgrade --universal --no-header --no-annotate --python-version 3.11 \
		--extra dev pyproject.toml --output-file constraints.txt

clean:
	rm -rf .venv .venv-kaggle build *.egg-info
