#!/usr/bin/env bash
# Kills the ledger's process under load, on SQLite and on PostgreSQL, and checks the books after each kill.
# ./scripts/crash.sh [KILLS], 200 on each by default.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/sdk.sh
require_sdk

dotnet build tests/Glimmer.Platform.Tests -c Release --nologo -v quiet -p:RunAnalyzers=false
GLIMMER_CRASH_KILLS="${1:-200}" exec tests/Glimmer.Platform.Tests/bin/Release/net10.0/Glimmer.Platform.Tests \
  --no-ansi --filter-class "*CrashTests"
