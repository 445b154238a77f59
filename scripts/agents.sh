#!/usr/bin/env bash
# Drives the built server with coding agents (tests/Conformance/agents), which come as packages of some hundred megabytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/node.sh
cd tests/Conformance/agents
# Not `npm ci`: the lock file cannot name the programs of other systems, which not every registry holds, and `ci` insists on them.
npm install --silent --no-fund --no-audit --no-save
# The time limit holds for the whole file.
node --test --test-timeout=1700000 --test-reporter=tap --test-concurrency=1 "${@:-agents.mjs}"
