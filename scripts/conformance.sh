#!/usr/bin/env bash
# Starts the built server and drives it with foreign clients (tests/Conformance). Installs Node.js and the clients when they are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

. scripts/node.sh
cd tests/Conformance
npm ci --silent --no-fund --no-audit
# The time limit holds for a whole file, which the suite is one of.
if [ $# -gt 0 ]; then
  node --test --test-timeout=1700000 --test-reporter=tap --test-concurrency=1 "$@"   # some files, each with a server of its own
else
  node --test --test-timeout=1700000 --test-reporter=tap suite.mjs                   # all files, one server
fi
