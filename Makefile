# What can be done here. `make` alone prints this list.

.PHONY: help run test install unit race lint bench bench-serving bench-elections bench-backups bench-module alerts model soak soak-backup soak-deploy verdicts fuzz editor java generate

help: ## print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: ## the featured-offer application serves, over a market in SQLite
	go run -tags solo ./cmd/tow dev apps/featured-offer

test: install lint unit race editor java bench-module alerts ## install what the tests need and run all of them

install: ## what the tests run besides Go: PostgreSQL, protoc, a JDK, Maven, an S3 server, etcd 3.5 and 3.6
	./tools/install

# Half of the time the long ones wait for clusters and for faults to pass: so three packages at a time.
unit: ## all Go tests
	TOWPATH_REQUIRE=1 go test -p 3 ./...

race: ## the concurrent packages under the race detector
	go test -race ./internal/run/... ./internal/tester/... ./internal/lsp/... .
	go test -race -short ./election ./internal/control/... ./internal/blob/... ./internal/testkit/s3 ./client

lint: ## formatting, vet, staticcheck, tidiness
	./tools/lint

editor: ## the editor extension's tests (installs its npm packages)
	cd ext/vscode && npm ci --no-audit --no-fund && npm test

java: ## the JVM's election client: tests, and documentation without a warning
	cd sdk/java && TOWPATH_REQUIRE=1 mvn -B -q -Dstyle.color=never -s debian-settings.xml -Dmaven.repo.local=target/m2 verify
	cd sdk/java && javadoc -quiet -Xdoclint:all -Xwerror --release 17 -d target/apidocs $$(find src/main -name '*.java')

bench-module: ## the comparison peers agree with each other
	cd bench && go test ./...

alerts: ## Prometheus evaluates the alarm rules that are shipped
	cd tools/alerts && go test -count=1 ./...

bench: ## every claim of speed, both sides in one run, as ratios
	cd bench && go run ./cmd/ratios && go run ./cmd/limits

bench-serving: ## a responder over HTTP beside net/http, Node and workerd
	cd bench/serving/js && npm ci --no-audit --no-fund
	cd bench && go run ./cmd/serving

bench-elections: ## leader election beside etcd's own, on three members
	cd bench && go run ./cmd/elections

bench-backups: ## what backups cost beside others, restores, and what a cluster pays for being followed
	cd bench && go run ./cmd/backups

model: ## election's model, a million states of each of its sizes
	go test ./election -run 'TestModel$$' -v -timeout 3h -states 1000000

soak: ## leaders, etcd and a guarded register while all of them break, for ten minutes
	go run ./internal/proof/cmd/soak --seconds 600

soak-backup: ## uploaders of backups that are killed every second over failing stores, for half an hour
	TOWPATH_REQUIRE=1 go test ./internal/control/backup -run 'TestKilled' -v -timeout 1h -kill 10m

soak-deploy: ## 200 deployments on a real cluster whose processes are killed, for twenty minutes
	go run ./internal/proof/cmd/rollout --runs 200

verdicts: ## how often verdicts on deployments are wrong, over 20,000 of them, and how soon they are right
	go run ./internal/control/verdict/cmd/verdicts --seed 7

fuzz: ## each fuzz target for a minute
	./tools/fuzz

generate: ## write goldens and generated documents anew
	go test ./... -update
	./tools/generate-api
