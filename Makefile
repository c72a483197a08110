# Berth's commands. Each prints its stages with their times and says which tool is missing.
#
# BERTH_STRICT=1 makes a missing tool a failure; otherwise its part is skipped and named in the last line.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help check model mutants test test-long image-check demo devstack expected-tests rust go skipped

export CARGO_TERM_PROGRESS_WHEN ?= never
STRICT := $(filter-out 0,$(BERTH_STRICT))
SKIPPED := target/skipped
GO := $(shell command -v go)

# $(call stage,NAME,COMMAND)
define stage
	@echo "== $(1)"; begin=$$SECONDS; $(2); echo "== $(1): $$((SECONDS - begin)) s"
endef

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

# Nothing can be done without these.
rust:
	@missing=; for tool in cargo rustc cc git; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	[ -z "$$missing" ] || { echo "missing:$$missing (needed: Rust by rustup, a C compiler, git)" >&2; exit 1; }

# Without Go there are no real servers.
go:
	@[ -n "$(GO)" ] || { echo "missing: go (needed to build etcd, kube-apiserver and the vCenter simulator)" >&2; exit 1; }

check: rust ## format, lints and the tests that need no server
	@mkdir -p $(dir $(SKIPPED)); : > $(SKIPPED)
	$(call stage,format,cargo fmt --check)
	$(call stage,lints,cargo clippy --all-targets --all-features -- -D warnings)
	$(call stage,hermetic tests,cargo test --features devstack --lib --bins --test hermetic)
	$(call stage,doc tests,cargo test --features devstack --doc)

# Only Berth itself is optimised for it: the dependencies are those of the other tests.
MODEL := cargo test --config profile.dev.package.berth.opt-level=2 --features model-mutants --test model

model: rust ## explore the scheduler's promises in a model, with and without each safety device
	$(call stage,model,$(MODEL) -- --test-threads=2)

test-long: rust ## what takes longer than make test; leaves target/long/NAME.json
	$(call stage,larger models,$(MODEL) -- --ignored --nocapture)
	$(call stage,release build,cargo build --release --bin berth)
	$(call stage,cost of a large plan,cargo test --test hermetic -- --ignored --nocapture)
	@$(MAKE) --no-print-directory image-check

image-check: rust ## build the image with buildah and run berth inside of it; leaves target/long/image.json
	@missing=; for tool in buildah $(if $(RUST_IMAGE),,debootstrap); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	[ -z "$$missing" ] || { echo "missing:$$missing (Debian packages)" >&2; exit 1; }
	$(call stage,image,tests/image.sh)

devstack: rust go ## build etcd, kube-apiserver, kubectl, the vCenter simulator, and what the chart is tested with
	$(call stage,development stack,tests/devstack/build.sh > /dev/null)

test: check model ## every test; real servers included
ifneq ($(GO),)
	@$(MAKE) --no-print-directory devstack
	$(call stage,simulator tests,(cd tests/devstack/go/vcsim && go vet . && go test -count=1 .))
	$(call stage,tests with real servers,cargo test --features devstack --test devstack)
else ifneq ($(STRICT),)
	@$(MAKE) --no-print-directory go
else
	@echo "devstack (go)" >> $(SKIPPED)
endif
	$(call stage,tests in a browser,cargo test --features devstack --test browser)
	$(call stage,expected tests,tests/list.sh | diff tests/expected-tests.txt - || { echo "the tests are not those of tests/expected-tests.txt; if that is meant: make expected-tests" >&2; exit 1; })
	@$(MAKE) --no-print-directory skipped

# Tests that skip themselves append a line to the same file; in strict mode they fail instead.
skipped:
	@if [ -s $(SKIPPED) ]; then echo "SKIPPED $$(wc -l < $(SKIPPED)): $$(paste -sd, $(SKIPPED))"; fi

expected-tests: rust ## write the list of tests that make test compares with
	$(call stage,expected tests,tests/list.sh > target/expected-tests.txt && mv target/expected-tests.txt tests/expected-tests.txt)

# The pure modules in every small way, one at a time: first what the library's tests notice, then what of the rest the
# other hermetic ones do (scenarios, golden files, two controllers). MODULE and SHARD choose a part; all takes days.
MODULE ?= {api,manifests,objects,placement,plan,recording,resolve,scheduler,status}
SHARD ?= 0/1
MUTANTS := target/tools/bin/cargo-mutants
MUTATE := PROPTEST_CASES=64 PROPTEST_MAX_SHRINK_ITERS=0 PROPTEST_DISABLE_FAILURE_PERSISTENCE=1 $(MUTANTS) mutants \
	--output target/long --file 'src/$(MODULE)/**' --shard $(SHARD)

mutants: rust ## change the pure modules in small ways and name what no test notices; MODULE=placement SHARD=0/8; leaves target/long/mutants.out
	$(call stage,cargo-mutants,[ -x $(MUTANTS) ] || cargo install --quiet --locked --root target/tools cargo-mutants@27.1.0)
	$(call stage,the tests of the library,$(MUTATE) --cargo-arg=--lib || [ $$? -lt 4 ])
	$(call stage,the other hermetic tests,$(MUTATE) --iterate --features devstack --cargo-arg=--test=hermetic)

demo: rust go ## show the main job on real servers; KEEP=1 leaves them running, DEMO_CONTEXT=name uses a cluster of yours
	$(call stage,development stack,tests/devstack/build.sh kube etcd vcsim helm4 > /dev/null)
	$(call stage,berth and the demo,cargo build --features devstack --bin berth --example demo)
	@cargo run --quiet --features devstack --example demo
