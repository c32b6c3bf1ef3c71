# Two commands for somebody new: `make demo` shows it, `make test` checks it. Both make .venv.
# PYTHON=... names the Python to use. Works with GNU make 3.81.

PYTHON ?=
PYTEST_ARGS ?= -n auto
VENV := .venv
KERNEL := $(wildcard kernel/*.c kernel/*.cpp kernel/*.h) kernel/build_backend.py

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help demo test bench coverage soak clean
help:
	@echo 'make demo    make .venv, install, and watch a small fleet in a scratch repository'
	@echo 'make test    make .venv, install with the test extra, and run every test'
	@echo 'make bench   the benchmarks; writes benchmarks/RESULTS.md'
	@echo 'make coverage  branches of the kernel that its tests take, by file'
	@echo 'make soak    twenty times the examples of each property, ten times the kills, flips, power cuts'
	@echo 'make clean   remove .venv and what was built'

demo: $(VENV)/installed
	@$(VENV)/bin/neighbor demo

test: $(VENV)/installed-for-tests
	@$(VENV)/bin/python -m pytest $(PYTEST_ARGS) tests

bench: $(VENV)/installed-for-benchmarks
	@$(VENV)/bin/python benchmarks

coverage: $(VENV)/installed-for-tests
	@$(VENV)/bin/python -m tests.kernel.coverage

# Every test, with twenty times the examples of each property and ten times the kills. The power
# cuts mount images: without root and loop devices it fails, unless told SKIP_POWER_CUTS=1.
SKIP_POWER_CUTS ?=
soak: $(VENV)/installed-for-tests
	@NEIGHBOR_TEST_EFFORT=20 SKIP_POWER_CUTS=$(SKIP_POWER_CUTS) $(VENV)/bin/python -m pytest -o faulthandler_timeout=0 $(PYTEST_ARGS) tests

clean:
	rm -rf $(VENV) build dist kernel/_kernel.abi3.so

# A stamp, not bin/python: a venv that was interrupted is made again.
$(VENV)/made:
	@python=`sh kernel/toolchain.sh $(PYTHON)` && echo "making $(VENV) with $$python" && \
	    "$$python" -m venv --clear $(VENV)
	@touch $@

# Editable: the tree is what runs. A changed kernel or pyproject.toml installs again.
$(VENV)/installed: $(VENV)/made pyproject.toml $(KERNEL)
	@echo 'installing goodneighbor into $(VENV)'
	@$(VENV)/bin/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-for-tests: $(VENV)/made pyproject.toml $(KERNEL)
	@echo 'installing goodneighbor and what its tests need into $(VENV)'
	@$(VENV)/bin/python -m pip install --quiet --editable '.[test]'
	@touch $(VENV)/installed $@

$(VENV)/installed-for-benchmarks: $(VENV)/made pyproject.toml $(KERNEL)
	@echo 'installing goodneighbor and what its benchmarks compare with into $(VENV)'
	@$(VENV)/bin/python -m pip install --quiet --editable '.[bench]'
	@touch $(VENV)/installed $@
