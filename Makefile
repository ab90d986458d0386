# Everything goes through one command of ours, bin/caravan; `make help` lists the targets.
GO      ?= go
CARAVAN := bin/caravan
S       ?=
TESTS   ?=
BENCH   ?=
SHELL   := /bin/bash

export GOFLAGS ?= -buildvcs=false

.DEFAULT_GOAL := help
.PHONY: reindex bench-search help caravan run infra status logs stop reset demo doctor test test-units test-stack bench chaos chaos-mutants verify lint generate build dapr-cli simulate \
	checks diagrams diagrams-check openapi-lint fuzz-api up down compose-check kubernetes-check test-two test-containers test-containers-local

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

caravan:
	@command -v $(GO) >/dev/null || { echo "Go 1.26 is missing; install it: https://go.dev/dl" >&2; exit 1; }
	@$(GO) build -o $(CARAVAN) ./deploy/local/cmd/caravan

run: caravan ## start the whole shop and stay in the foreground (FREE_PORTS=1: on free ports)
	@exec $(CARAVAN) run --catalogue

infra: caravan ## start all but the services, for dapr run -f dapr/dapr.yaml
	@exec $(CARAVAN) infra

status: caravan ## show health, pid and memory of each process
	@$(CARAVAN) status

logs: caravan ## follow the logs (S=order: of one process)
	@exec $(CARAVAN) logs $(S)

stop: caravan ## stop the stack and wait until nothing is left
	@$(CARAVAN) stop

reset: caravan ## stop the stack and remove its data, secrets and logs
	@$(CARAVAN) reset

demo: caravan ## replay real baskets through the running shop
	@exec $(CARAVAN) demo

doctor: caravan ## check the machine: tools, ports, cache
	@$(CARAVAN) doctor

build: ## compile everything
	@$(GO) build ./...

test: test-units simulate test-stack ## all tests, on servers and a stack of their own

# The packages outside tests/, each store test on real servers that live for this run.
test-units: caravan
	@$(CARAVAN) testdb --with all -- $(GO) test -timeout 15m $$($(GO) list ./... | grep -v -e '/tests' -e /services/simulator)
	@GOWORK=off $(GO) -C dapr/runtime test ./names

# -v shows what was tried: steps and faults of each kind.
simulate: ## run the cores of order, payment and stock together under 10,000 seeds of faults
	@$(GO) test -v ./services/simulator

# The whole-stack tests start a stack of their own through the caravan command.
test-stack: caravan
	@CARAVAN_BIN=$(CURDIR)/$(CARAVAN) $(GO) test -count=1 -timeout 60m $(TESTS) ./tests/...

reindex: caravan ## build the search index of the running shop anew and swap it in
	@$(CARAVAN) reindex

bench-search: caravan ## measure how well searches find what they should
	@$(CARAVAN) testdb --with all -- $(GO) test -count=1 -v -run 'KnownItems|Shoppers' ./services/product/internal/search

bench: caravan ## measure checkouts on the running shop (BENCH="-what signin", catalogue, flash or relay: that instead)
	@CARAVAN_STACK=$${CARAVAN_STACK:-$(CURDIR)/.caravan/stack.json} $(GO) run ./tests/bench $(BENCH)

FOR ?= 10m

chaos: caravan ## kill and freeze the processes of a stack of its own under load, then check every promise (FOR=10m CHAOS="-seed 7 -recovery")
	@CARAVAN_BIN=$(CURDIR)/$(CARAVAN) $(GO) run ./tests/chaos/cmd/chaos -for $(FOR) $(CHAOS)

chaos-mutants: caravan ## chaos in shops that make a known mistake each: it must find all four (about twelve minutes)
	@CARAVAN_BIN=$(CURDIR)/$(CARAVAN) $(GO) run ./tests/chaos/cmd/chaos -mutants -seed 7 -for 60s -pause 3s -rest 1m $(CHAOS)

lint: ## gofmt, vet and the linters of .golangci.yml
	@test -z "$$(gofmt -l dapr deploy services tests | tee /dev/stderr)"
	@$(GO) vet ./... && $(GO) -C deploy/containers/teststack vet ./... && GOWORK=off $(GO) -C dapr/runtime vet ./names
	@$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

generate: ## write the generated code anew
	@$(GO) generate ./...

verify: lint ## lint, generated code, diagrams, manifests, race detector, and all tests on one and on two of everything
	@$(MAKE) --no-print-directory generate
	@git diff --exit-code -- '*.gen.go' || { echo "generated code differs from its source: commit the result of make generate" >&2; exit 1; }
	@$(MAKE) --no-print-directory checks
	@$(CARAVAN) testdb --with all -- $(GO) test -race -timeout 30m $$($(GO) list ./services/... ./deploy/...)
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory test-two

checks: openapi-lint diagrams-check compose-check kubernetes-check ## documents, diagrams, compose file and manifests against the code

diagrams: caravan ## draw docs/diagrams anew from schemas, events and access control
	@$(CARAVAN) testdb -- $(GO) -C deploy/diagrams run . -root $(CURDIR)

diagrams-check: caravan ## fail if a diagram differs from what the code is
	@$(GO) -C deploy/diagrams vet ./... && $(GO) -C deploy/diagrams test ./...
	@$(CARAVAN) testdb -- $(GO) -C deploy/diagrams run . -root $(CURDIR) -check

openapi-lint: ## lint the OpenAPI documents and asyncapi.yaml; warnings fail (needs Node)
	@npx --yes @stoplight/spectral-cli@6.16.0 lint --quiet --fail-severity=warn services/*/openapi.yaml services/events/asyncapi.yaml

# What two of everything could break: who wins a race, what is done twice, what a restart costs.
TWO = TestRollingRestart|TestWholePath|TestReplayedKey|TestTwentyBuyers|TestEveryEventTwice|TestOutOfStock|TestCancelAfter|TestUnpaid|TestDeclined|TestAThousandRefreshes|TestASecondFactor

test-two: caravan ## the whole-stack tests of races, replays and restarts on a stack with two processes of each service
	@CARAVAN_TWO=1 CARAVAN_BIN=$(CURDIR)/$(CARAVAN) $(GO) test -count=1 -timeout 20m -run '$(TWO)' $(TESTS) ./tests/

test-containers: ## the whole-stack tests on a stack in containers from official images; 77 if that cannot be done
	@deploy/containers/test.sh $(TESTS)

test-containers-local: ## the same with an engine and stand-in images of its own, where no image can be pulled (Debian, root)
	@deploy/containers/local-engine.sh deploy/containers/test.sh $(TESTS)

fuzz-api: ## send generated requests to a running stack; a 5xx or an undocumented answer fails
	@$(GO) run ./tests/fuzz

COMPOSE = deploy/containers/compose.sh --env-file .caravan/containers/env

up: caravan ## start the whole shop in containers (needs Docker and its registries)
	@$(CARAVAN) container-files >/dev/null
	@$(COMPOSE) up --detach --build
	@$(COMPOSE) up --detach --no-deps --wait edge # older versions of compose take a finished migration for a failure

down: ## stop the containers; the volumes stay (VOLUMES=1: remove them)
	@$(COMPOSE) down $(if $(VOLUMES),--volumes)

compose-check: caravan ## validate docker-compose.yml with compose itself; no engine needed
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && $(CARAVAN) container-files --dir "$$dir" >/dev/null && \
	CARAVAN_FILES="$$dir/containers" deploy/containers/compose.sh --env-file "$$dir/containers/env" config --quiet

kubernetes-check: ## build the Kubernetes manifests and validate them without a cluster
	@deploy/kubernetes/check.sh

dapr-cli: ## build the Dapr CLI into bin/dapr (several minutes)
	@cd dapr/cli && GOWORK=off $(GO) build -trimpath -o $(CURDIR)/bin/dapr .
