# Thin on purpose: a target is a few commands, the work is done by cargo, the program itself and the scripts it calls.
# `make` alone lists the targets.

CARGO   ?= cargo
OUT     := $(or $(CARGO_TARGET_DIR),target)
BIN     ?= $(OUT)/release/msr-lite
DATA    ?= ./data
LISTEN  ?= --listen 0.0.0.0:8443 --listen '[::]:8443'
PREFIX  ?= /usr/local
DESTDIR ?=
TARGET  ?= $(shell uname -m)-unknown-linux-gnu

# The static binary. RUSTFLAGS replaces what .cargo/config.toml says, so getrandom's back end is named again. The paths
# of the machine that builds are written out of it, so that two machines make the same bytes.
CARGO_DIR   = $(or $(CARGO_HOME),$(HOME)/.cargo)
DIST_RUST   = -C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom" \
              --remap-path-prefix=$(CURDIR)=/src --remap-path-prefix=$(CARGO_DIR)=/cargo
DIST_C      = -ffile-prefix-map=$(CURDIR)=/src -ffile-prefix-map=$(CARGO_DIR)=/cargo

.DEFAULT_GOAL := help
.PHONY: help build run test test-data test-app screenshots check fmt bless conformance bench dist dist-test powercut install

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## build the program (target/release/msr-lite)
	$(CARGO) build --release --locked

run: build ## build and serve https://localhost:8443 with its data in ./data; prints the next commands
	$(BIN) serve --data-dir $(DATA) $(LISTEN)

test: ## install what the tests need (Debian, as root), then run all tests
	@.ci/clients
	$(CARGO) test --locked --no-fail-fast

test-data: ## run the tests over real clients' data in ../shared, which not everybody has
	MSR_LITE_TEST_DATA=$(abspath ../shared) $(CARGO) test --locked --test data

test-app: ## run real clients of applications: DOCKER_APP=path (0.8 or 0.9), CNAB_RUN=path, CNAB_TO_OCI=path
	$(CARGO) test --locked --test clients -- docker_app cnab_to_oci applications

screenshots: ## take pictures of every page into target/screenshots: light, dark, narrow (needs chromium)
	@.ci/clients
	SCREENSHOTS=$(abspath $(OUT)/screenshots) $(CARGO) test --locked --test browser pictures
	@echo "look at $(OUT)/screenshots"

check: ## formatting, clippy with warnings as errors, licences and banned crates
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	@command -v cargo-deny > /dev/null || $(CARGO) install --locked --debug cargo-deny
	$(CARGO) deny --locked check licenses bans sources

fmt: ## format the code
	$(CARGO) fmt --all

bless: ## write anew what is generated and checked in: the example configuration, the list of licences, openapi.json
	BLESS=1 $(CARGO) test --locked --lib -- the_checked_in_example the_list_of_licences the_checked_in_openapi

conformance: build ## run the official OCI distribution conformance suite (needs Go)
	tests/conformance.sh $(abspath $(BIN))

bench: ## measure against peers (PEERS="name=url …") and the machine's limits; BENCH=short takes 4 minutes
	$(CARGO) bench --locked --bench registries -- $(ARGS)

dist: ## build the fully static, stripped dist/msr-lite and print its size
	RUSTFLAGS='$(DIST_RUST)' CFLAGS='$(DIST_C)' $(CARGO) build --profile dist --locked --target $(TARGET)
	@install -D -m 755 $(OUT)/$(TARGET)/dist/msr-lite dist/msr-lite
	@echo "dist/msr-lite: $$(stat -c %s dist/msr-lite) bytes, sha256 $$(sha256sum dist/msr-lite | cut -d' ' -f1)"

dist-test: dist ## run the static binary in an empty chroot: a sign-in, a push, an outbound call (as root)
	BIN=$(abspath dist/msr-lite) tests/dist-chroot.sh

powercut: dist ## cut the power under load and check every flush: FS=ext4|xfs SECONDS=60 (as root, Debian, amd64)
	tests/powercut/powercut --binary dist/msr-lite --fs $(or $(FS),ext4) --seconds $(or $(SECONDS),60) $(POWERCUT)

install: ## install dist/msr-lite (after `make dist`) with units, manual, completions; DESTDIR, PREFIX=/usr/local
	install -D -m 755 dist/msr-lite $(DESTDIR)$(PREFIX)/bin/msr-lite
	install -d $(DESTDIR)/etc/msr-lite $(DESTDIR)/usr/lib/systemd/system
	install -m 644 assets/msr-lite.example.toml $(DESTDIR)/etc/msr-lite/config.toml.example
	sed 's|/usr/local/bin|$(PREFIX)/bin|' systemd/msr-lite.service > $(DESTDIR)/usr/lib/systemd/system/msr-lite.service
	install -m 644 systemd/msr-lite.socket $(DESTDIR)/usr/lib/systemd/system/msr-lite.socket
	install -D -m 644 systemd/msr-lite.sysusers $(DESTDIR)/usr/lib/sysusers.d/msr-lite.conf
	install -D -m 644 systemd/msr-lite.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/msr-lite.conf
	dist/msr-lite man --out $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	dist/msr-lite completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/msr-lite
	dist/msr-lite completions zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_msr-lite
	@test -n "$(DESTDIR)" || { systemd-sysusers msr-lite.conf && systemd-tmpfiles --create msr-lite.conf && \
	  systemctl daemon-reload && echo "Now: systemctl enable --now msr-lite"; }
