# Everything sets itself up in .venv; a second run installs nothing.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench clean

demo: .venv/.installed            ## a script becomes a comic, in demo/
	bash runs/demo.sh $(BIN)

test: .venv/.installed-dev        ## all tests
	$(BIN)/pytest -n 2 --cov --cov-report=term:skip-covered --cov-fail-under=90

check: .venv/.installed-dev       ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pyright
	$(BIN)/lint-imports

bench: .venv/.installed           ## seconds a frame and a step of training, against the original procedure's
	$(BIN)/python runs/bench

clean:
	rm -rf .venv demo build dist

.venv/.created:
	$(PYTHON) -m venv .venv
	touch $@

.venv/.installed: .venv/.created pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/.installed-dev: .venv/.created pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@ .venv/.installed
