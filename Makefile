# Everything a developer and CI run. Tools are pinned here and live in ./bin.

ACTIONLINT_VERSION    := v1.7.12
GOLANGCI_LINT_VERSION := v2.15.0
GORELEASER_VERSION    := v2.15.1
GOTESTSUM_VERSION     := v1.13.0
GOVULNCHECK_VERSION   := v1.9.0
VULNDB_VERSION        := v0.0.0-20261105234957-e22db6528018
GREMLINS_VERSION      := v0.6.0
HELM3_VERSION         := v3.22.0
HELM4_VERSION         := v4.3.1
KIND_VERSION          := v0.33.0
KUBECTL_VALIDATE_VERSION := v0.0.4
HELM_DOCS_VERSION     := v1.14.2
# The versions of helm-unittest and of the API server stand in tools/*/go.mod.
# The definitions of the objects that are not Kubernetes' own.
PROMETHEUS_OPERATOR_VERSION := v0.85.0
GATEWAY_API_VERSION   := v1.6.3

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
FUZZTIME ?= 5s

BIN           := $(CURDIR)/bin
ACTIONLINT    := $(BIN)/actionlint-$(ACTIONLINT_VERSION)
GOLANGCI_LINT := $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION)
GORELEASER    := $(BIN)/goreleaser-$(GORELEASER_VERSION)
GOTESTSUM     := $(BIN)/gotestsum-$(GOTESTSUM_VERSION)
GOVULNCHECK   := $(BIN)/govulncheck-$(GOVULNCHECK_VERSION)
VULNDB        := $(BIN)/vulndb-$(VULNDB_VERSION)
GREMLINS      := $(BIN)/gremlins-$(GREMLINS_VERSION)
HELM3         := $(BIN)/helm-$(HELM3_VERSION)
HELM4         := $(BIN)/helm-$(HELM4_VERSION)
KUBECTL_VALIDATE := $(BIN)/kubectl-validate-$(KUBECTL_VALIDATE_VERSION)
HELM_DOCS     := $(BIN)/helm-docs-$(HELM_DOCS_VERSION)
HELM_UNITTEST := $(BIN)/helm-unittest
KIND          := $(BIN)/kind-$(KIND_VERSION)
APISERVER     := $(BIN)/apiserver
CRDS          := $(BIN)/crds-$(PROMETHEUS_OPERATOR_VERSION)-$(GATEWAY_API_VERSION)
NPM           := $(patsubst %,e2e/%/node_modules/.package-lock.json,official betterauth)
TEST_JSON     := $(BIN)/test.json

# The version comes in through ldflags; git may refuse a checkout that belongs
# to another user, and go would stop there.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the static binary bin/polar-bridge.
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X main.revision=$(REVISION)' -o $(BIN)/polar-bridge .

.PHONY: quick
quick: $(GOLANGCI_LINT) ## Lint (go vet included) and run the unit tests, on SQLite: under a minute. Before each commit.
	$(GOLANGCI_LINT) run ./...
	go test -short $$(go list ./... | grep -v -e /e2e -e /bench)

.PHONY: test
test: test-needs official $(GOTESTSUM) ## Run all tests with the race detector, on SQLite and PostgreSQL. Says what it installs.
	CGO_ENABLED=1 $(GOTESTSUM) --format=pkgname --jsonfile=$(TEST_JSON) -- -race -shuffle=on -timeout=60m ./...

.PHONY: postgres
postgres: tools-test official e2e/postgres/node_modules/.package-lock.json ## Run the storage tests on PostgreSQL 14, 16, 17 and 18 (x86-64 Linux), and e2e through PgBouncer.
	scripts/postgres-test

.PHONY: official
official: $(NPM) ## Install the senders' own libraries and servers, which the tests compare with.

$(NPM) e2e/postgres/node_modules/.package-lock.json: e2e/%/node_modules/.package-lock.json: e2e/%/package-lock.json | tools-test
	npm ci --prefix e2e/$* --ignore-scripts --no-audit --no-fund --loglevel=error

.PHONY: lint
lint: $(GOLANGCI_LINT) $(ACTIONLINT) vulnerabilities ## Check style, import table, formatting, workflows and known vulnerabilities.
	$(GOLANGCI_LINT) run ./...
	cd tools/monitoring && $(GOLANGCI_LINT) run ./...
	$(ACTIONLINT)
	@# An action is a commit, and a comment says which version that is.
	! grep -rn 'uses:' .github/workflows | grep -vE '@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+$$'

.PHONY: vulnerabilities
vulnerabilities: $(GOVULNCHECK) $(VULNDB)
	scripts/vulnerabilities $(GOVULNCHECK) file://$(VULNDB)

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the code.
	$(GOLANGCI_LINT) fmt ./...

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (5s).
	@grep -rHo --include='*_test.go' '^func Fuzz[[:alnum:]_]*' config handlers internal metrics polar | sort | \
	while IFS=: read -r file target; do \
		echo "$${target#func } in $$(dirname $$file)"; \
		go test -run '^$$' -fuzz "^$${target#func }\$$" -fuzztime $(FUZZTIME) "./$$(dirname $$file)" </dev/null || exit 1; \
	done

.PHONY: chaos
chaos: tools-test ## Let everything go wrong, ROUNDS (100) times over, and print a table.
	POLAR_BRIDGE_CHAOS_ROUNDS=$(or $(ROUNDS),100) POLAR_BRIDGE_CHAOS_SEED=$(SEED) go test -count=1 -v -timeout=2h -run '^TestChaos$$' ./e2e

.PHONY: backlog
backlog: tools-test ## Let DELETIONS (1000000) wait, paused, and print what sweep, list, stats and resume take.
	POLAR_BRIDGE_BACKLOG=$(or $(DELETIONS),1000000) go test -count=1 -v -p 1 -timeout=30m -run 'Backlog' ./internal/queue ./e2e

.PHONY: outbox
outbox: tools-test ## Delete ROWS (100000) users of an auth system at once, and print what the outbox takes and what webhooks feel.
	POLAR_BRIDGE_OUTBOX=$(or $(ROWS),100000) go test -count=1 -v -p 1 -timeout=60m -run 'ManyRowsAtOnce' ./e2e

.PHONY: mutation
mutation: $(GREMLINS) ## List the changes to deletion and provider that no test notices; takes most of an hour.
	@scripts/mutation $(GREMLINS) $(PACKAGES)

.PHONY: monitoring
monitoring: ## Test alert rules, dashboard and runbook, in a real Prometheus too.
	scripts/monitoring-test

.PHONY: settings
settings: ## Write docs/settings.md, docs/providers.md, docs/metrics.md and the table of docs/runbook.md from the program.
	UPDATE=1 go test ./internal/settings ./internal/provider ./internal/cli ./metrics -run "Reference|Tables" -count=1

.PHONY: chart
chart: chart-tools ## Check the chart: lint, render, validate, its tests, its README.
	HELM3=$(HELM3) HELM4=$(HELM4) HELM_UNITTEST=$(HELM_UNITTEST) HELM_DOCS=$(HELM_DOCS) \
	KUBECTL_VALIDATE=$(KUBECTL_VALIDATE) APISERVER=$(APISERVER) CRDS=$(CRDS) scripts/chart-test

.PHONY: chart-readme
chart-readme: $(HELM_DOCS) ## Write the chart's README from its values.
	$(HELM_DOCS) --chart-search-root helm --sort-values-order file --log-level warning

.PHONY: cluster
cluster: $(HELM3) $(HELM4) $(if $(KUBECONFIG),,$(KIND)) ## Install the chart in the cluster of KUBECONFIG, or by Docker and kind in one of its own.
	HELM3=$(HELM3) HELM4=$(HELM4) KIND=$(KIND) scripts/cluster-test

.PHONY: chart-tools
chart-tools: $(HELM3) $(HELM4) $(HELM_UNITTEST) $(HELM_DOCS) $(KUBECTL_VALIDATE) $(APISERVER) $(CRDS)

.PHONY: image
image: ## Build the image and try it, with buildah and podman.
	scripts/image-test

.PHONY: packages
packages: $(GORELEASER) ## Build the binaries and packages of a release, without publishing them, and look into them.
	scripts/packages-test $(GORELEASER)

.PHONY: deploy
deploy: tools-test ## Try the files of deploy/ with nginx and Caddy.
	scripts/deploy-test

.PHONY: bench
bench: build tools-test ## Measure the program beside handlers in Node, on SQLite and PostgreSQL: see docs/performance.md.
	npm ci --prefix bench/peer-node --no-audit --no-fund --loglevel=error
	CGO_ENABLED=0 go build -trimpath -o $(BIN)/peer-go ./bench/peer-go
	go run ./bench/loadtest $(BENCHFLAGS)

.PHONY: ci
ci: ## Run what CI runs: tests, lint, chart, image, and a line of counts.
	@.ci/run

.PHONY: demo
demo: build ## Run the program against a local Polar.
	$(BIN)/polar-bridge demo

.PHONY: tools
tools: $(ACTIONLINT) $(GOLANGCI_LINT) $(GOTESTSUM) ## Build the pinned tools into ./bin.

.PHONY: test-needs
test-needs:
	@scripts/test-tools $(GOTESTSUM) $(NPM)

.PHONY: tools-test
tools-test:
	@scripts/test-tools

$(ACTIONLINT):
	GOBIN=$(BIN)/tmp go install github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION)
	@mv $(BIN)/tmp/actionlint $@

$(GOLANGCI_LINT):
	GOBIN=$(BIN)/tmp go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@mv $(BIN)/tmp/golangci-lint $@

$(GORELEASER):
	GOBIN=$(BIN)/tmp go install -ldflags '-s -w' github.com/goreleaser/goreleaser/v2@$(GORELEASER_VERSION)
	@mv $(BIN)/tmp/goreleaser $@

$(GOTESTSUM):
	GOBIN=$(BIN)/tmp go install gotest.tools/gotestsum@$(GOTESTSUM_VERSION)
	@mv $(BIN)/tmp/gotestsum $@

$(GOVULNCHECK):
	GOBIN=$(BIN)/tmp go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	@mv $(BIN)/tmp/govulncheck $@

# The database as it was that day, from its module, so that a build of today is red
# or green tomorrow as well; govulncheck.yml asks the newest one every day.
$(VULNDB):
	GOBIN=$(BIN)/tmp go install golang.org/x/vulndb/cmd/indexdb@$(VULNDB_VERSION)
	rm -rf $@.tmp
	$(BIN)/tmp/indexdb -vulns $$(go env GOMODCACHE)/golang.org/x/vulndb@$(VULNDB_VERSION)/data/osv -out $@.tmp
	@mv $@.tmp $@

$(GREMLINS):
	GOBIN=$(BIN)/tmp go install github.com/go-gremlins/gremlins/cmd/gremlins@$(GREMLINS_VERSION)
	@mv $(BIN)/tmp/gremlins $@

$(HELM3):
	GOBIN=$(BIN)/tmp go install -ldflags '-s -w' helm.sh/helm/v3/cmd/helm@$(HELM3_VERSION)
	@mv $(BIN)/tmp/helm $@

$(HELM4):
	GOBIN=$(BIN)/tmp go install -ldflags '-s -w' helm.sh/helm/v4/cmd/helm@$(HELM4_VERSION)
	@mv $(BIN)/tmp/helm $@

$(KIND):
	GOBIN=$(BIN)/tmp go install -ldflags '-s -w' sigs.k8s.io/kind@$(KIND_VERSION)
	@mv $(BIN)/tmp/kind $@

$(HELM_DOCS):
	GOBIN=$(BIN)/tmp go install github.com/norwoodj/helm-docs/cmd/helm-docs@$(HELM_DOCS_VERSION)
	@mv $(BIN)/tmp/helm-docs $@

$(HELM_UNITTEST): tools/helm-unittest/go.mod
	go -C tools/helm-unittest build -ldflags '-s -w' -o $@ github.com/helm-unittest/helm-unittest/cmd/helm-unittest

$(KUBECTL_VALIDATE):
	GOBIN=$(BIN)/tmp go install -ldflags '-s -w' sigs.k8s.io/kubectl-validate@$(KUBECTL_VALIDATE_VERSION)
	@mv $(BIN)/tmp/kubectl-validate $@

# Helm asks for the version, which Kubernetes takes from its build.
$(APISERVER): tools/apiserver/go.mod tools/apiserver/main.go
	go -C tools/apiserver build -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$$(go -C tools/apiserver list -m -f '{{.Version}}' k8s.io/kubernetes)" -o $@ .

$(CRDS):
	scripts/chart-crds $@ $(PROMETHEUS_OPERATOR_VERSION) $(GATEWAY_API_VERSION)

.PHONY: clean
clean: ## Remove what was built.
	rm -rf $(BIN)
