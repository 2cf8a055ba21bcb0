# pushfleet. "make help" lists the targets.

PREFIX   ?= /usr/local
DESTDIR  ?=
FUZZTIME ?= 60s
TIMEOUT  ?= 20m
SOAK     ?= 30m
NEMESIS  ?= 3m
GO       ?= go
VERSION  ?= $(shell git describe --tags --dirty 2>/dev/null)
LDFLAGS  ?= $(if $(VERSION),-X pushfleet/pushd/node.Version=$(VERSION) -X pushfleet/keeper/member.Version=$(VERSION))
export CGO_ENABLED ?= 0
# What scripts/test-deps.sh has unpacked: Prometheus and its tools.
export PATH := $(CURDIR)/.tools/usr/bin:$(PATH)

# The browser and proxy tests have a target of their own.
packages = $(shell $(GO) list ./... | grep -v '/e2e')

.PHONY: all help build check lint test unit race bench bench-million bench-keeper fuzz e2e soak soak-keeper run package install clean deps gen dashboards-png

all: check build unit ## format check, vet, build and tests without a browser

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/pushd, bin/keeper and bin/pushctl
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./pushd ./keeper ./pushctl

run: build ## a node on loopback with a little traffic, until ctrl-C
	@scripts/run.sh

check: ## gofmt, go vet, sh -n
	@files=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
		if [ -n "$$files" ]; then echo "gofmt -w $$files"; exit 1; fi
	$(GO) vet ./...
	@for f in scripts/*.sh systemd/scripts/* .ci/run; do sh -n $$f || exit 1; done

lint: ## staticcheck, built on first use
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

deps: ## what the tests need of the machine
	@scripts/test-deps.sh

test: deps unit e2e ## all tests, after installing what they need

unit: ## tests without browser and proxy
	$(GO) test -count=1 -timeout $(TIMEOUT) $(packages)

race: export CGO_ENABLED = 1
race: ## tests under the race detector
	$(GO) test -race -count=1 -timeout $(TIMEOUT) $(packages)

e2e: build ## tests with a real browser, proxy and curl
	@scripts/e2e.sh -count=1 -timeout $(TIMEOUT)

soak-keeper: build ## faults under keepers, judged by Porcupine, for NEMESIS (3m)
	KEEPER_E2E_NEMESIS=$(NEMESIS) BIN=$(CURDIR)/bin $(GO) test -tags e2e -count=1 -timeout 0 -run Linearizable -v ./keeper/e2e

bench: build ## Go benchmarks, then 200,000 connections to one node
	$(GO) test -run '^$$' -bench . -benchmem $(packages)
	scripts/bench-conns.sh 200000

bench-million: build ## 900,000 connections to one node
	scripts/bench-conns.sh 900000

fuzz: ## every fuzz target for FUZZTIME (60s)
	scripts/fuzz.sh $(FUZZTIME)

bench-keeper: build ## three keepers with up to 4,000 nodes, beside etcd if it is installed
	scripts/bench-keeper.sh

soak: build ## steady load for SOAK (30m); fails when a message is lost
	scripts/soak.sh $(SOAK)

package: ## dist/pushfleet_VERSION_ARCH.deb
	@scripts/package.sh

install: build ## into PREFIX (/usr/local), with completions
	install -D -m 755 bin/pushd $(DESTDIR)$(PREFIX)/bin/pushd
	install -D -m 755 bin/keeper $(DESTDIR)$(PREFIX)/bin/keeper
	install -D -m 755 bin/pushctl $(DESTDIR)$(PREFIX)/bin/pushctl
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	bin/pushctl completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/pushctl
	bin/pushctl completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pushctl
	bin/pushctl completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/pushctl.fish

gen: ## what is generated and committed: dashboards, eBPF objects (clang-14)
	$(GO) run ./dashboards/generate dashboards
	@scripts/gen-bpf.sh

dashboards-png: build ## pictures of the dashboards, from a fleet that runs for 3 minutes
	cd dashboards/render && npm ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund
	BIN=$(CURDIR)/bin DASHBOARDS_PNG=$(CURDIR)/dashboards/png $(GO) test -tags e2e -count=1 -run TestPictures ./dashboards/e2e

clean: ## remove what was built
	rm -rf bin dist
