#!/usr/bin/env bash
# Many requests, a third of them cancelled at random moments, against the platform with the bundled model; then nothing may be
# in flight and no page of the cache held. ./scripts/soak.sh [REQUESTS], 100000 by default.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/sdk.sh
require_sdk

dotnet build tests/Glimmer.Cli.Tests -c Release --nologo -v quiet -p:RunAnalyzers=false
GLIMMER_SOAK_REQUESTS="${1:-100000}" exec tests/Glimmer.Cli.Tests/bin/Release/net10.0/Glimmer.Cli.Tests \
  --no-ansi --filter-method "Glimmer.Cli.Tests.EndToEnd.ConcurrencyTests.*"
