#!/usr/bin/env bash
# Three nodes on one PostgreSQL under load; nodes are killed and started again, the database is restarted and stopped for seconds. At the end
# every request has one clear outcome, no answer went to another request, and the books hold each answered request once.
# ./scripts/chaos-nodes.sh [SECONDS] [SEED] [COMMIT], 120 and 1 by default. Prints counts; exits with 1 when something is wrong. With a
# COMMIT the first node runs the version of that commit, as in a rolling upgrade.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/sdk.sh
require_sdk

dotnet build bench/Glimmer.Chaos -c Release --nologo -v quiet -p:RunAnalyzers=false
former=()
if [ $# -gt 2 ]; then
  tree=$(mktemp -d)
  trap 'rm -rf "$tree"' EXIT
  git archive "$3" | tar -x -C "$tree"
  (cd "$tree" && dotnet build bench/Glimmer.Chaos -c Release --nologo -v quiet -p:RunAnalyzers=false)
  former=("$tree/bench/Glimmer.Chaos/bin/Release/net10.0/Glimmer.Chaos.dll")
fi

dotnet bench/Glimmer.Chaos/bin/Release/net10.0/Glimmer.Chaos.dll run "${1:-120}" "${2:-1}" ${former[@]+"${former[@]}"}
