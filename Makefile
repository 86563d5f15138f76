# sluice: `make` lists what there is to make.
GOTESTSUM  = go tool -modfile=.ci/tools/go.mod gotestsum --format-hide-empty-pkg
GOLANGCI   = go tool -modfile=.ci/tools/go.mod golangci-lint
PACKAGES   = $$(go list ./... | grep -v '/sluice/test\(/\|$$\)')
VERSION    = $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LISTEN     = 127.0.0.1:8080
ADMIN      = 127.0.0.1:9080
FUZZTIME   = 10s
BENCHFLAGS =

.PHONY: help build run test e2e soak fuzz bench lint

help: ## list the targets
	@sed -n 's/^\([a-z0-9]*\):.*## /  make \1\t/p' Makefile | expand -t 16

build: ## compile bin/sluice
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/sluice ./cmd/sluice

run: build ## serve the shipped policies on LISTEN (127.0.0.1:8080), and say what to ask them
	@printf '%s\n' "$$TRY"
	bin/sluice serve --policies policies/examples --listen $(LISTEN) --admin $(ADMIN)

test: ## unit, property and seed-corpus tests, with the race detector
	$(GOTESTSUM) -- -race $(PACKAGES)

e2e: build ## black-box tests of bin/sluice
	$(GOTESTSUM) -- -count=1 ./test/...

soak: build ## 10,000 reloads under load
	SLUICE_RELOADS=10000 $(GOTESTSUM) -- -count=1 -timeout 60m -run Reload ./test/e2e

fuzz: ## every fuzz function for FUZZTIME (10s) each
	.ci/fuzz $(FUZZTIME)

bench: ## measure decisions, requests, decisions beside scans, looks into files, and replay; flags in BENCHFLAGS
	go run ./test/bench $(BENCHFLAGS)

lint: ## linters, format, go vet, and tidiness of both modules
	$(GOLANGCI) run
	$(GOLANGCI) fmt --diff
	go vet ./...
	go mod tidy -diff
	go -C .ci/tools mod tidy -diff

# What `make run` suggests: a file event as ascp sends it, about a file of the name $(1).
define EVENT
{"startstop":"start","session_id":"demo","host":"hst","client_ip":"203.0.113.7","user":"partner-7","direction":"recv","target_rate_kbps":100000,"min_rate_kbps":0,"rate_policy":"fair","cipher":"aes-256","file":"/ingest/film/$(1)","size":1048576,"start_byte":0,"tags":{},"file_name_encoding":"utf8","file_csum_type":"none"}
endef
define TRY
From another terminal, an upload that the shipped policies accept (200):

  curl -si -d '$(call EVENT,clip.mov)' http://$(LISTEN)/validation/files

and one that they refuse (400):

  curl -si -d '$(call EVENT,clip.mov.exe)' http://$(LISTEN)/validation/files

endef
export TRY
