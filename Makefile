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

.PHONY: help cluster cluster-down cluster-test chaos chaos-proof chaos-short seeded-bugs demo test up down stop start bench bench-executor bench-outbox bench-restarts bench-storm bench-webhook rotation identity-matrix image image-reproducible image-tests test-versions tools build lint unit control-plane chart fuzz fuzz-short

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## Watch a change being held, queued, released and rolled out
	@PATH="$(TOOLS):$$PATH" target/debug/testbed demo

test: lint build unit fuzz-short control-plane chaos-short chart cluster-test ## Prove it: formatting, lints, unit tests, a real control plane, the chart, a real node

# The plan follows from SEED and the sizes; without SEED it follows from the clock.
chaos: build chaos-proof ## Users and faults at random, checked: make chaos SEED=1 ACTIONS=500 FAULTS=50
	@PATH="$(TOOLS):$$PATH" target/debug/testbed chaos $(if $(SEED),--seed $(SEED)) \
		--actions $(or $(ACTIONS),10000) --faults $(or $(FAULTS),1000)

chaos-short: build ## Users and faults at random: the share of make test
	@PATH="$(TOOLS):$$PATH" target/debug/testbed chaos --seed $(or $(SEED),1) --actions 500 --faults 50

chaos-proof: seeded-bugs ## Prove the checker of chaos: each seeded bug is found
	@PATH="$(TOOLS):$$PATH" target/debug/testbed chaos --seeded-bugs target/debug/seeded-bugs

# Mistakes on purpose, in binaries that nothing else uses; those that are meant to run are put back at once.
seeded-bugs: build
	$(CARGO) build --locked --workspace --bins --features executor/seeded-bugs,webhook/seeded-bugs
	@mkdir -p target/debug/seeded-bugs
	@cp target/debug/roadstead-webhook target/debug/roadstead-executor target/debug/seeded-bugs/
	$(CARGO) build --locked --workspace --bins

up: build ## Start a cluster with Roadstead to play with; WITHOUT=executor leaves a part out
	@target/debug/testbed up $(if $(WITHOUT),--without $(WITHOUT))

down: build ## Stop it and remove what it left
	@target/debug/testbed down

stop: build ## Stop one part of it: make stop PART=nats
	@target/debug/testbed stop $(PART)

start: build ## Start it again: make start PART=nats
	@target/debug/testbed start $(PART)

cluster: build ## Start a cluster with one real node, whose pods run; prints what to export (docs/cluster.md)
	@target/debug/testbed node up

cluster-down: build ## Stop it and remove what it left
	@target/debug/testbed node down

# Cargo finds the test binary and hands it to the runner, which starts a node and runs the tests in it.
cluster-test: build image ## Tests on a real node, one at a time: make cluster-test TEST=rolling
	@image/previous.sh
	@$(CARGO) test --locked -p testbed --test cluster \
		--config 'target."cfg(unix)".runner = ["$(CURDIR)/target/debug/testbed", "node", "test"]' -- $(TEST)

bench: tools ## Measure: time from an apply's answer to the rollout's start
	$(CARGO) build --release --locked --workspace --bins
	@target/release/testbed bench release

bench-outbox: tools ## Measure: memory of the webhooks with 150,000 Deployments, 10,000 of them held (3 minutes)
	$(CARGO) build --release --locked -p webhook -p testbed --bins
	@target/release/testbed bench outbox

bench-restarts: build ## Measure: admissions that fail during 20 rolling restarts of two webhooks (2 minutes)
	@target/debug/testbed bench restarts

rotation: build ## Prove it: 50 rotations of the webhook's certificate without a failed admission (5 minutes)
	@target/debug/testbed bench rotation

bench-storm: build ## Measure: urgent changes while 200, then 1000 Deployments change at once (half an hour; SIZE=200 for less)
	@target/debug/testbed bench storm $(if $(SIZE),--size $(SIZE))

bench-executor: tools ## Measure: releases a second, memory and start of the executor with 100,000 queued changes
	$(CARGO) build --release --locked -p executor -p webhook -p testbed --bins
	@target/release/testbed bench executor

# The server gets the first core to itself, the driver the second.
bench-webhook: ## Measure: what a review costs the webhook, next to a bare echo (3 minutes)
	$(CARGO) build --release --locked -p webhook -p testbed --bins --examples
	@taskset -c 1 target/release/testbed bench webhook

identity-matrix: build ## Try every user of NATS against every subject, and compare with docs/security.md
	@target/debug/testbed bench identity

tools: ## Build the real parts: etcd, Kubernetes, NATS, kwok, Helm (minutes when cold)
	@testbed/tools/build.sh >/dev/null

build: tools ## Build Roadstead
	$(CARGO) build --locked --workspace --bins

lint: ## Formatting and lints, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# Counts the instructions of a decision (webhook/tests/instructions).
valgrind:
	@command -v valgrind >/dev/null || { apt-get update -qq && apt-get install -y -qq valgrind >/dev/null; }

unit: tools valgrind ## Tests without a cluster
	@PATH="$(TOOLS):$$PATH" $(CARGO) test --locked --workspace --exclude testbed

fuzz: ## Look for inputs that break the webhook; TIME=600 seconds each target, TARGET=review for one
	@fuzz/run.sh $(or $(TIME),300) $(TARGET)

fuzz-short: ## The corpus and a little more
	@SEED=1 fuzz/run.sh 20

control-plane: build ## Tests on the real control plane
	@PATH="$(TOOLS):$$PATH" $(CARGO) test --locked -p testbed -- --test-threads=$(THREADS)

chart: tools ## Tests of the Helm chart
	@PATH="$(TOOLS):$$PATH" charts/tests/run.sh

test-versions: build ## Tests of the gate on each supported version of Kubernetes (15 minutes more when cold)
	@testbed/versions.sh $(VERSION)

image: ## Build the image, without a container engine: target/image/roadstead.tar (ten minutes when cold)
	@image/build.sh
	@image/tests/run.sh

image-reproducible: ## Prove it: the image built twice, in two folders, is the same (ten minutes)
	@image/reproducible.sh

image-tests: ## Tests of how the image is made
	@image/tests/run.sh
