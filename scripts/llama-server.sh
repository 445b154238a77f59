#!/usr/bin/env bash
# Compares a real llama-server with the engine of this repository on the bundled model: scripts/llama-server.sh PATH-OF-LLAMA-SERVER
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/sdk.sh
if [ $# -ne 1 ] || [ ! -x "$1" ]; then
  echo "usage: scripts/llama-server.sh PATH-OF-LLAMA-SERVER" >&2
  exit 64
fi
require_sdk
GLIMMER_LLAMA_SERVER=$(realpath "$1")
export GLIMMER_LLAMA_SERVER
dotnet build tests/Glimmer.Inference.Tests -c Release -v q --nologo
dotnet build tests/Glimmer.Server.Tests -c Release -v q --nologo
tests/Glimmer.Inference.Tests/bin/Release/net10.0/Glimmer.Inference.Tests --filter-class "*.LlamaServerTests"
exec tests/Glimmer.Server.Tests/bin/Release/net10.0/Glimmer.Server.Tests --filter-class "*.WholeServerTests"
