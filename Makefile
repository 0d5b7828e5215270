# One word for each thing a developer does. `make` alone lists them.
.PHONY: help test quick lint types fix bench docs locks dockerfiles ci

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

test:  ## every test that this machine can run
	python -m pytest

quick:  ## without the slow ones, and without Docker
	python -m pytest -m "not slow and not docker"

lint:  ## what `make fix` would change
	ruff check .
	ruff format --check .

types:  ## mypy --strict
	mypy

fix:  ## let ruff mend what it can
	ruff check --fix .
	ruff format .

bench:  ## every claim about speed, against its peer
	python -m benchmarks

docs:  ## run every command and compare every key that the pages tell
	python -m pytest -n0 tests/test_docs.py

locks:  ## write locks anew where their inputs changed
	reprokit lock

dockerfiles:  ## write Dockerfiles anew
	reprokit dockerfile

ci:  ## what decides about a landing
	.ci/run
