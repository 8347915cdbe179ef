# The commands of this repository; `make` alone lists them.

PORT_ARGS ?=
# Warnings are errors; `make test CLIPPY_FLAGS=` shows them without failing.
CLIPPY_FLAGS ?= -D warnings
export CLIPPY_FLAGS

.DEFAULT_GOAL := help
.PHONY: help run test test-deep check bench sizes

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## serve examples/ on http://127.0.0.1:7373
	cargo run --release -- serve examples $(PORT_ARGS)

test: ## install what the tests need, then format, lints and every test
	tools/setup-tests
	tools/test

test-deep: ## the same with many more random cases, ten times as many kills, ten minutes of fuzzing, scans from outside
	tools/setup-tests deep
	PROPTEST_CASES=4096 STAGEDOOR_KILLS=200 STAGEDOOR_SEEDS=10000 STAGEDOOR_FUZZ_SECONDS=600 STAGEDOOR_SIGN_INS=300 \
		STAGEDOOR_SWAPS=10000 STAGEDOOR_ATTACK_SECONDS=60 tools/test
	tools/check-tls
	tools/check-slow
	tools/scan-api
	tools/scan-headers

check: ## format, lints and rules of the tree, without running the program
	tools/check

bench: ## measure starts, latency and throughput beside the machine's limit
	cargo build --release -p stagedoor -p stagedoor-bench
	target/release/stagedoor-bench target/release/stagedoor

sizes: ## the ten largest files and functions, tests not counted
	@tools/sizes
