# What a person types. Everything made lands in build/, which git ignores; the scripts are in testdata/.
SHELL := bash

# Link-time variables: what `vpk version` says, and the index used where neither lock nor configuration names one
# (empty: vpk then asks for one).
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
DEFAULT_INDEX ?=

FUZZTIME ?= 20s
ROUNDS ?= 3

.PHONY: all build demo test race proof digests bench bench-go fuzz lint clean

all: build

## build: the program, build/vpk
build:
	@CGO_ENABLED=0 go build -trimpath -buildvcs=false -o build/vpk \
	  -ldflags '-s -w -X main.version=$(VERSION) -X vpk/internal/config.DefaultIndex=$(DEFAULT_INDEX)' ./cmd/vpk

## demo: lock, pack, start and probe the example service
demo: build
	@testdata/demo build

## test: everything, against the real tools, base images and Docker
test:
	@testdata/run-tests build ./...

## race: the packages that work in parallel, under the race detector
race:
	@testdata/run-tests build -race -short ./internal/cas ./internal/pack ./internal/progress ./internal/transport \
	  ./layer/... ./pyc ./wheel/...

## proof: the tests with their long searches and comparisons
proof:
	VPK_PROOF=1 testdata/run-tests build -timeout 80m ./...

## digests: what a digest must not depend on, tried on some thirty wheels; a table
digests:
	@testdata/setup-tests build
	@. build/env && VPK_PROOF=1 go test -count 1 -v -timeout 60m -run 'TestDigestDependsOnInputsAlone$$' ./internal/e2e

## bench: whole commands against BuildKit, Docker, uv and a pipeline by hand, side by side; writes docs/benchmarks.md
bench: build
	@testdata/setup-tests build
	@testdata/setup-buildkit build/tools/buildkit || echo "bench: no BuildKit is to be had here" >&2
	@. build/env && python3 testdata/bench/bench.py build --rounds $(ROUNDS) --write docs/benchmarks.md

## bench-go: the parts of vpk alone, beside the limits of the machine
bench-go:
	@mkdir -p build
	@python3 testdata/bench/bench.py build --input go --rounds $(ROUNDS)

## fuzz: each fuzzer for FUZZTIME
fuzz:
	@testdata/fuzz $(FUZZTIME)

## lint: format and vet
lint:
	@unformatted=$$(git ls-files -z '*.go' | xargs -0 -r gofmt -l); \
	[ -z "$$unformatted" ] || { echo "not gofmt-clean: $$unformatted" >&2; exit 1; }
	go vet ./...

clean:
	rm -rf build
