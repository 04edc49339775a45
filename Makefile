# The targets that CI runs are lint, test and release-check; CONTRIBUTING.md says more.

FUZZTIME ?= 1m
CHAOS ?= 3m
SOAK ?= 10m
STATICCHECK = go tool -modfile=$(CURDIR)/.ci/tools.mod staticcheck
# The workspace is for go run only. Each module is tested with the versions of its own go.mod, as its users get it.
export GOWORK = off
# The folders of all modules, the root's included: ./... ends where another module begins.
MODULES = $(shell git ls-files '*go.mod' | xargs -n1 dirname)

# The packages of the library, for other platforms; TEST_386 have tests that need only Go.
LIBRARY = ./bus/... ./chat ./conn ./events ./internal/engineio ./internal/socketio ./reconnect
TEST_386 = ./bus/... ./events ./internal/engineio ./internal/socketio ./reconnect

.PHONY: test
test: interop/node/node_modules interop/nest/node_modules interop/web/node_modules examples/webchat/page/node_modules chromium python nginx prometheus ## install what the tests need, then run everything with the race detector, and the tests of memory and allocations without it
	go build -race ./chat/... ./conn/... # once, before several processes need it
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line $(TESTS) test-memory

# The tests of each module, the longest first. They wait for other processes part of the time, so some modules are tested at once.
# make lint runs go vet, of which go test would repeat a part.
TESTS = $(addprefix test-, $(LONGEST) $(filter-out $(LONGEST), $(MODULES)))
LONGEST = interop . chat/chatnats
.PHONY: $(TESTS) test-memory
$(TESTS): test-%:
	cd $* && PARLEY_INTEROP=required go test -race -vet=off ./...
test-memory:
	go test -vet=off -run 'Memory|allocations' ./bus ./chat ./conn

# The stamp is npm's own: it is newer than the lockfile once that is installed.
%/node_modules: %/node_modules/.package-lock.json ;
%/node_modules/.package-lock.json: %/package-lock.json
	npm ci --prefix $* --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: chromium
chromium: # Debian's, with a font for its pictures
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null; } || \
		{ echo "the browser tests need Chromium: apt-get install chromium" >&2; exit 1; }

MOCK_ADDR ?= localhost:4000
DEV_ADDR ?= localhost:5173
.PHONY: python
python: # Debian's python-socketio with its servers
	@/usr/bin/python3 -c 'import socketio, aiohttp, uvicorn, websockets' 2>/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-socketio python3-aiohttp python3-uvicorn python3-websockets >/dev/null; } || \
		{ echo "the interop tests need python-socketio: apt-get install python3-socketio python3-aiohttp python3-uvicorn python3-websockets" >&2; exit 1; }

.PHONY: prometheus
prometheus: # Debian's, with promtool
	@command -v prometheus >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null; } || \
		{ echo "the tests of the dashboard and the alerts need Prometheus: apt-get install prometheus" >&2; exit 1; }

.PHONY: nginx
nginx: # Debian's
	@[ -x /usr/sbin/nginx ] || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx >/dev/null; } || \
		{ echo "the interop tests need nginx: apt-get install nginx" >&2; exit 1; }

# The example that make dev starts: playground or webchat.
DEV ?= playground
.PHONY: dev
dev: SHELL := bash
dev: ## a mock server on MOCK_ADDR and the playground (or DEV=webchat) on DEV_ADDR, until they are interrupted or one of them ends
	@dir=$$(mktemp -d); trap 'kill $$(jobs -p) 2>/dev/null; wait; rm -rf "$$dir"' EXIT; trap : INT TERM; \
	go build -o "$$dir/" ./examples/mockserver ./examples/$(DEV) || exit; \
	"$$dir/mockserver" -addr $(MOCK_ADDR) & "$$dir/$(DEV)" -addr $(DEV_ADDR) -backend http://$(MOCK_ADDR) & wait -n

PICTURES = $(CURDIR)/interop/browser/screenshots
SCREENSHOT = chromium --headless --no-sandbox --disable-gpu --hide-scrollbars
.PHONY: picture
picture: chromium prometheus ## the pictures of README and docs anew, and pictures of the playground, the webchat and the terminal in interop/browser/screenshots
	cd interop && PARLEY_INTEROP=required PARLEY_PICTURE=write go test -count=1 -run '^TestPictures' ./browser
	cd examples/terminal && TERMINAL_PICTURE=$(PICTURES)/terminal.html go test -count=1 -run '^TestConversation_' .
	cd examples/metrics && METRICS_PICTURE=$(PICTURES)/dashboard.html go test -count=1 -run '^TestDashboard_shows' .
	$(SCREENSHOT) --window-size=780,660 --screenshot=$(PICTURES)/terminal.png $(PICTURES)/terminal.html
	$(SCREENSHOT) --window-size=1216,1340 --screenshot=docs/pictures/dashboard.png $(PICTURES)/dashboard.html

.PHONY: lint
lint: export GOFLAGS = -trimpath # as release-check, so that a dependency is compiled once for both
lint: ## formatting, vet, staticcheck and a tidy go.mod in each module; a complete go.work.sum, the listings of the exported API and the prose
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	@for module in $(MODULES); do (set -x; cd $$module && go vet ./... && $(STATICCHECK) ./... && go mod tidy -diff) || exit 1; done
	@sums=$$(cat go.work.sum); GOWORK=$(CURDIR)/go.work go list -m all >/dev/null && [ "$$sums" = "$$(cat go.work.sum)" ] || \
		{ echo "go.work.sum was incomplete: rm go.work.sum && go mod download"; exit 1; }
	cd interop && go vet -tags soak ./chaos && $(STATICCHECK) -tags soak ./chaos
	cd chat/chatnats && go vet -tags soak . && $(STATICCHECK) -tags soak .
	cd interop/web && go vet -tags load . && $(STATICCHECK) -tags load .
	go run ./internal/apilist/generate -check .
	go run ./internal/prose

.PHONY: platforms
platforms: ## vet the library for other platforms, and run its tests on 32 bits; it takes minutes without a cache
	@for platform in windows/amd64 darwin/arm64 freebsd/amd64 js/wasm linux/386; do \
		(set -x; GOOS=$${platform%/*} GOARCH=$${platform#*/} go vet $(LIBRARY)) || exit 1; done
	GOARCH=386 go test -short $(TEST_386)

.PHONY: prose
prose: ## words, sentences and widths of comments, texts and pages, of the whole tree or of PATHS; needs cgo
	go run ./internal/prose $(PATHS)

.PHONY: generate
generate: ## what is written by programs: the contract in docs/contract, the exported API in api
	go generate ./...

.PHONY: conformance
conformance: interop/node/node_modules ## the behaviours of the reference over each transport and against six servers; rewrites the table of docs/compatibility.md
	cd interop && PARLEY_INTEROP=required PARLEY_CONFORMANCE=write PARLEY_SERVERS=all go test -race -count=1 -timeout 30m ./conformance

.PHONY: chaos
chaos: interop/node/node_modules ## the network and the server broken at random for CHAOS, the seeds printed
	cd interop && PARLEY_INTEROP=required PARLEY_CHAOS=$(CHAOS) go test -race -count=1 -v -timeout 0 -run '^TestChaos$$' ./chaos

.PHONY: soak
soak: interop/node/node_modules ## everything at once for SOAK; fails when goroutines, heap or file descriptors grow
	cd interop && PARLEY_INTEROP=required PARLEY_SOAK=$(SOAK) go test -tags soak -count=1 -v -timeout 0 -run '^TestSoak$$' ./chaos
	cd chat/chatnats && PARLEY_SOAK=$(SOAK) go test -tags soak -count=1 -v -timeout 0 -run '^(TestFailover|TestForward_catchesUpAfterLeaderIsKilledTwice)' .

.PHONY: bench
bench: ## the way of a token and the cost of fan-out, each beside its limit; rewrites the tables of benchmarks and docs/chatnats.md
	go test -run '^$$' -bench . -benchmem ./bus/... ./events ./conn
	cd benchmarks && go run . -readme README.md
	cd benchmarks && go run ./wire -readme wire/README.md
	cd benchmarks && go run ./nats -readme ../docs/chatnats.md
	cd chat/chatnats && go test -run '^$$' -bench . -benchtime 5x .

.PHONY: load
load: nginx ## a silence of 65 s behind nginx, 10,000 connects over each transport, the cost of 10,000 connections and of 1,000 answers in web pages; rewrites the tables of benchmarks/load and benchmarks/web
	PARLEY_CONNECTS=10000 go test -count=1 -run '^TestConnects_areAllAnswered$$' ./internal/sioserver
	cd benchmarks && go run ./load -readme load/README.md
	cd benchmarks && go run ./web -readme web/README.md
	cd interop/web && PARLEY_INTEROP=required go test -tags load -count=1 -timeout 5m -run TestNginx_keepsResponseOpenWithDefaults .

.PHONY: collector
collector: ## the spans and metrics of chat/chatotel in the file of a real OpenTelemetry Collector; its first build takes minutes
	cd interop && go vet -tags collector ./collector && go test -tags collector -count=1 -v -timeout 30m ./collector

.PHONY: fuzz
fuzz: ## each parser for FUZZTIME
	@for target in $$(grep -rl --include='*_test.go' '^func Fuzz' .); do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\).*/\1/p' $$target); do \
			(cd $$(dirname $$target) && go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) .) || exit 1; \
		done; \
	done

.PHONY: audit
audit: ## the dependencies: unchanged, their licences, known vulnerabilities (VULNDB=file:///… or off)
	VULNDB=$(VULNDB) .ci/audit

.PHONY: release-check
release-check: ## build programs from all modules as a release publishes them; VERSION=v0.1.0 for one that is prepared
	go run ./internal/release -check $(if $(VERSION),-version $(VERSION))

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST)
