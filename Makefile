# trapline: what a person types. Each target installs what it needs (Debian, Ubuntu) and says so.

CARGO_TARGET_DIR ?= target
export CARGO_TARGET_DIR

.DEFAULT_GOAL := help
.PHONY: help build cross demo test soak lint bench fuzz mibs image deb dist dist-verify test-packages clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the binary: target/release/trapline.
	tests/setup build
	cargo build --release --locked

# What `make deb` and `make dist` are for: amd64, or arm64 too.
ARCH = amd64
ifeq ($(filter amd64 arm64,$(ARCH)),)
$(error ARCH is amd64 or arm64, not '$(ARCH)')
endif
NATIVE = $(CARGO_TARGET_DIR)/release/trapline
CROSSED = $(CARGO_TARGET_DIR)/aarch64-unknown-linux-gnu/release/trapline
BUILT = build$(if $(filter arm64,$(ARCH)), cross)

# Kernels for arm64 have pages of 4, 16 or 64 KiB. An allocator built for the largest runs on each; one built for smaller
# ones ends at its first allocation.
cross: ## Build the binary for arm64 on amd64: target/aarch64-unknown-linux-gnu/release/trapline.
	tests/setup arm64
	JEMALLOC_SYS_WITH_LG_PAGE=16 CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
		cargo build --release --locked --target aarch64-unknown-linux-gnu

demo: build ## Send device messages through the real agent into an embedded Kafka and print what arrives.
	"$(CARGO_TARGET_DIR)/release/trapline" demo

test: ## Run every test, with a real Kafka broker and real senders. The first run builds for some minutes.
	tests/run

SOAK_MINUTES ?= 10

soak: ## Fault proofs for longer: 100 kills, leaders killed again and again, SOAK_MINUTES (10) without a broker.
	tests/setup test
	SOAK_MINUTES="$(SOAK_MINUTES)" tests/run soak

lint: ## Check formatting, clippy's lints and the shell scripts.
	tests/setup lint
	tests/run lint

bench: ## Measure the stages, the spool and the whole agent on this machine, and rsyslog and snmptrapd beside it.
	tests/setup bench
	cargo bench --locked --bench stages --bench names --bench spool --bench whole --bench traps

SECONDS ?= 60
FUZZ = cargo +nightly fuzz run --fuzz-dir tests/fuzz

fuzz: ## Run each fuzz target for SECONDS=60 (needs a nightly toolchain; installs cargo-fuzz).
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	set -e; for target in frames segment cursor syslog snmp snmpv3 usm_state mibdb snmp_stream; do \
		mkdir -p tests/fuzz/corpus/$$target; \
		$(FUZZ) --target-dir "$(CARGO_TARGET_DIR)/fuzz" $$target tests/fuzz/corpus/$$target fixtures/spool/v1 -- -max_total_time=$(SECONDS) -max_len=16384 -print_final_stats=1; \
	done

mibs: build ## Compile the MIB set that the packages carry: target/mibs/ietf.mibdb. Fetches 6 MB of RFCs once.
	packaging/mibs/build "$(CARGO_TARGET_DIR)/release/trapline" "$(CARGO_TARGET_DIR)/mibs"

image: build ## Build the OCI image from the binary: target/image/trapline.tar (as root: its files have owners).
	packaging/container/build "$(CARGO_TARGET_DIR)/release/trapline" "$(CARGO_TARGET_DIR)/image/trapline.tar"

DIST = $(CARGO_TARGET_DIR)/dist

deb: $(BUILT) ## Pack the Debian package: target/dist/trapline_VERSION_amd64.deb; with ARCH=arm64 the one for arm64.
	packaging/deb/build "$(if $(filter arm64,$(ARCH)),$(CROSSED),$(NATIVE))" "$(DIST)" 1 "$(NATIVE)"

dist: $(BUILT) ## Make everything that a release has: packages, image, bill of materials, checksums; with ARCH=arm64 for both.
	packaging/dist "$(NATIVE)" "$(DIST)"$(if $(filter arm64,$(ARCH)), "$(CROSSED)")

dist-verify: ## Build twice from nothing, and compare what `make dist` makes of it. Takes two full builds.
	packaging/dist verify

# What packs, besides what builds.
.PHONY: packers
mibs deb dist dist-verify: packers
packers:
	tests/setup pack

test-packages: ## Install the packages in real systems and try them there. Needs root; the first run takes some minutes.
	tests/packages/run

clean: ## Remove what was built.
	cargo clean
