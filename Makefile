# The list of commands. `make` alone prints it.
#
# Every command prepares what it needs (see scripts/setup), so each of them works on a fresh Debian or Ubuntu
# with nothing but cargo and make.

TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
export CARGO_TARGET_DIR := $(TARGET)
TOOLS  := $(TARGET)/test-tools
CARGO  ?= cargo

# What is tested is what is released: MongoDB and OpenTelemetry too. All that is built for tests is built with it, so that it is built once.
FEATURES := --features mongodb,otel

# One place decides how loud a mistake is.
WARNINGS := -D warnings

.DEFAULT_GOAL := help
.PHONY: help demo test test-quick lint fmt check bench fuzz fuzz-short bench-mirror bench-listings doc screenshots soak setup setup-build setup-lint advisories alike clean-free

help: ## print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

# The development profile: half the time of a release build. A demo answers one person, and keeps nothing: without MongoDB and OpenTelemetry.
demo: setup-build ## build, and run everything on this machine: http://127.0.0.1:8080
	$(CARGO) run --locked -- demo

test: setup lint ## everything: lints, then every test against real servers
	$(CARGO) test --locked $(FEATURES)
	scripts/fuzz short

test-quick: setup-build ## the tests that need no server
	$(CARGO) test --locked $(FEATURES) --lib --bins
	$(CARGO) test --locked $(FEATURES) --test it -- architecture

lint: setup-lint ## format, clippy, documentation, licences, bans and sources of dependencies
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --locked --all-targets $(FEATURES),fuzzing -- $(WARNINGS)
	RUSTDOCFLAGS="$(WARNINGS)" $(CARGO) doc --locked $(FEATURES) --no-deps
	"$(TOOLS)/bin/cargo-deny" --locked check bans licenses sources

# Not part of `lint`: it asks the RustSec database over the network, and a new advisory must not turn an old commit red.
advisories: setup-lint ## known vulnerabilities in dependencies (needs the network)
	"$(TOOLS)/bin/cargo-deny" --locked check advisories

fmt: ## format the sources
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml

check: setup-build ## does it compile?
	$(CARGO) check --locked --all-targets

bench: setup ## compare with a bare proxy, interleaved, and print the ratios
	$(CARGO) bench --locked --bench path

bench-mirror: setup ## what a million revocations cost in memory, and a question about them
	$(CARGO) bench --locked --bench mirror

bench-listings: setup ## how long listings take when there is much to list, and what sweeping costs; fails past 100 ms a page
	$(CARGO) bench --locked --features mongodb --bench listings

# The development profile: what differs in time differs more there.
alike: setup ## can a known address be told from an unknown one? prints what it finds, fails when it can
	$(CARGO) bench --locked --profile dev --bench alike

fuzz-short: setup-build ## throw the kept corpora and 20,000 inputs a target at what strangers write
	scripts/fuzz short

# It ends at the first input that breaks something, and says where that was put.
fuzz: setup-build ## look for inputs that break something: make fuzz NAME=head SECONDS=600
	scripts/fuzz long $(or $(NAME),head) $(or $(SECONDS),600)

doc: setup-build ## the documentation of the modules, in the browser's form
	$(CARGO) doc --locked --no-deps

soak: setup ## ten minutes of chaos: what the process holds must not grow
	$(CARGO) test --locked $(FEATURES) --test it -- --ignored --exact --nocapture flow::soak::ten_minutes_of_chaos_leave_nothing_behind

# Look at them before you commit them.
screenshots: setup ## take the pictures of every page in docs/screenshots
	rm -f docs/screenshots/*.png
	mkdir -p docs/screenshots
	$(CARGO) test --locked $(FEATURES) --test it -- --ignored --exact person::camera::every_page_is_shown_as_it_is

setup: ## install what the tests need: servers, browser, tools
	@scripts/setup tests "$(TOOLS)"

setup-build:
	@scripts/setup build "$(TOOLS)"

setup-lint:
	@scripts/setup lint "$(TOOLS)"

clean-free: ## free disk space, but keep what took long to build
	rm -rf "$(TARGET)"/*/incremental "$(TARGET)/tmp" "$(TARGET)/doc"
