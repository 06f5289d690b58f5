# What a person types, and CI with them. The work is done by cargo, by testbed/tools/build.sh and by the
# `testbed` binary; a target here only names it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Folder of the real parts, built when missing; asked for only by the targets that need it.
TOOLS = $$(testbed/tools/build.sh)
# The tests on the control plane wait more than they compute.
THREADS ?= 4
# A parallel build of everything on two cores needs no more than this.
CARGO ?= cargo

.PHONY: help demo test up down stop start bench bench-executor bench-webhook tools build lint unit control-plane chart

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## Watch a change being held, queued, released and rolled out
	@PATH="$(TOOLS):$$PATH" target/debug/testbed demo

test: lint build unit control-plane chart ## Prove it: formatting, lints, unit tests, a real control plane, the chart

up: build ## Start a cluster with Roadstead to play with; WITHOUT=executor leaves a part out
	@target/debug/testbed up $(if $(WITHOUT),--without $(WITHOUT))

down: build ## Stop it and remove what it left
	@target/debug/testbed down

stop: build ## Stop one part of it: make stop PART=nats
	@target/debug/testbed stop $(PART)

start: build ## Start it again: make start PART=nats
	@target/debug/testbed start $(PART)

bench: tools ## Measure: time from an apply's answer to the rollout's start
	$(CARGO) build --release --locked --workspace --bins
	@target/release/testbed bench release

bench-executor: tools ## Measure: releases a second, memory and start of the executor with 100,000 queued changes
	$(CARGO) build --release --locked -p executor -p webhook -p testbed --bins
	@target/release/testbed bench executor

# The server gets the first core to itself, the driver the second.
bench-webhook: ## Measure: what a review costs the webhook, next to a bare echo (3 minutes)
	$(CARGO) build --release --locked -p webhook -p testbed --bins --examples
	@taskset -c 1 target/release/testbed bench webhook

tools: ## Build the real parts: etcd, Kubernetes, NATS, kwok, Helm (minutes when cold)
	@testbed/tools/build.sh >/dev/null

build: tools ## Build Roadstead
	$(CARGO) build --locked --workspace --bins

lint: ## Formatting and lints, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

unit: tools ## Tests without a cluster
	@PATH="$(TOOLS):$$PATH" $(CARGO) test --locked --workspace --exclude testbed

control-plane: build ## Tests on the real control plane
	@PATH="$(TOOLS):$$PATH" $(CARGO) test --locked -p testbed -- --test-threads=$(THREADS)

chart: tools ## Tests of the Helm chart
	@PATH="$(TOOLS):$$PATH" charts/tests/run.sh
