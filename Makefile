# Thin: every target is one command. CMake builds, tools/ and tests/ do the work.
# `make help` lists the targets; `make demo` and `make test` are all that is needed on a fresh Debian 12.

.DEFAULT_GOAL := build
.PHONY: help deps build debug ubsan test demo interop uml bench bench-ike bench-esp bench-xfrm bench-reload bench-ha fuzz soak clean install format missing

# How long `make fuzz` runs, in all. Not exported: to bash this name is its own clock.
SECONDS ?= 60
unexport SECONDS
PREFIX ?= /usr/local

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

deps: ## install the Debian packages that are missing (root)
	@tools/deps.sh

# Every other target comes through here: nothing to do, and nothing said, when all is there.
missing:
	@tools/deps.sh

build: missing ## release build in build/release
	@cmake --preset release -Wno-dev --log-level=WARNING && cmake --build --preset release

debug: missing ## debug build with ASan and UBSan in build/debug
	@cmake --preset debug -Wno-dev --log-level=WARNING && cmake --build --preset debug

ubsan: missing ## build with UBSan alone in build/ubsan, for User Mode Linux
	@cmake --preset ubsan -Wno-dev --log-level=WARNING && cmake --build --preset ubsan

test: missing ## everything quick: both compilers, tests, simulations, fuzzing, interop
	@tools/test.sh

demo: missing ## failover, live: a strongSwan client through a pair of gateways (KEEP=1 leaves it running; DATAPLANE=kernel: in User Mode Linux)
	@cmake --preset release -Wno-dev --log-level=WARNING && cmake --build --preset release --target gatewayd gatewayctl flow_meter wire_check
	@KEEP=$(KEEP) DATAPLANE=$(DATAPLANE) $(if $(filter kernel,$(DATAPLANE)),tests/uml/run.sh -t 300 --) interop/demo/demo.sh

interop: debug ubsan ## all stories against real peers: here, in User Mode Linux on both planes, some in qemu with ASan
	@tools/deps.sh interop && tools/peers.sh libreswan && tools/peers.sh openiked
	@status=0; interop/run.sh || status=1; interop/run.sh --rig uml --plane userspace || status=1; \
	interop/run.sh --ha || status=1; interop/run.sh --ha -j 1 --rig uml --plane kernel || status=1; \
	interop/run.sh --rig uml --plane kernel || status=1; tests/qemu/suite.sh || status=1; \
	interop/run.sh -d --rig qemu --plane kernel || status=1; exit $$status

uml: ## a shell on a kernel with ESP (User Mode Linux), to play with the rig
	@tests/uml/run.sh --shell

bench: bench-ike bench-reload bench-esp bench-xfrm bench-ha ## all measurements, strongSwan beside us

bench-ike: build ## cost and memory of handshakes
	@tests/load/bench_ike.sh

bench-reload: build ## cost of a reload of 1,000 connections and 10,000 users
	@tests/load/bench_reload.sh

bench-esp: build ## throughput of the userspace plane
	@tests/load/bench_esp.sh

bench-xfrm: build ## tunnels a second of the kernel plane, in User Mode Linux (RIG=host: here)
	@tests/load/bench_xfrm.sh

bench-ha: build ## what a failover costs: here with the userspace plane, in User Mode Linux with the kernel's
	@tests/load/bench_ha.sh
	@GATEWAY_PLANE=kernel SECTIONS="defaults resync lossy" tests/uml/run.sh -m 4G -t 7200 -- tests/load/bench_ha.sh

fuzz: missing ## fuzz all targets for SECONDS=60 in all
	@cmake --preset fuzz -Wno-dev --log-level=WARNING && cmake --build --preset fuzz && tools/fuzz.sh $(SECONDS)

# How long `make soak` runs.
MINUTES ?= 10

soak: $(if $(SEEDS),build,debug) ## random seeds of all simulations for MINUTES=10; SEEDS=100: 100 hours of everything each, release build
	@SEEDS=$(SEEDS) tools/soak.sh $(MINUTES)

install: build ## install the release build under PREFIX=/usr/local
	@cmake --install build/release --prefix $(PREFIX)

format: missing ## lay out all C files
	@git ls-files -z -- '*.c' '*.h' | xargs -0 clang-format -i

clean: ## remove build/
	@rm -rf build
