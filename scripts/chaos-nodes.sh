#!/usr/bin/env bash
# Three nodes on one PostgreSQL under load; nodes are killed and started again, the database is restarted and stopped for seconds. At the end
# every request has one clear outcome, no answer went to another request, and the books hold each answered request once.
# ./scripts/chaos-nodes.sh [SECONDS] [SEED], 120 and 1 by default. Prints counts; exits with 1 when something is wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/sdk.sh
require_sdk

dotnet build bench/Glimmer.Chaos -c Release --nologo -v quiet -p:RunAnalyzers=false
exec dotnet bench/Glimmer.Chaos/bin/Release/net10.0/Glimmer.Chaos.dll run "${1:-120}" "${2:-1}"
