#!/usr/bin/env bash
# Builds Glimmer when its sources changed, then starts the platform with the bundled model.
# Every argument goes to `glimmer serve`: --port, --data, --model, … (./run.sh --help lists them).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/sdk.sh

out=artifacts/run
stamp=$out/.built

current() { [ -f "$stamp" ] && [ -z "$(find src Directory.*.props global.json -newer "$stamp" \( -name '*.cs' -o -name '*.csproj' -o -name '*.props' -o -name '*.yaml' -o -name '*.html' -o -name '*.json' \) -not -path '*/obj/*' -not -path '*/bin/*' -print -quit)" ]; }

if ! current; then
  require_sdk
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) rid=linux-x64 ;;
    Linux-aarch64 | Linux-arm64) rid=linux-arm64 ;;
    Darwin-arm64) rid=osx-arm64 ;;
    Darwin-x86_64) rid=osx-x64 ;;
    *) rid="" ;;
  esac
  echo "Building Glimmer (the first time takes about a minute) …" >&2
  log=$(mktemp)
  # Machine code ahead of time shortens the start; where the compiler for it cannot be had, the plain build does.
  publish() { dotnet publish src/Glimmer.Cli -c Release --nologo -v quiet --artifacts-path artifacts/build -o "$out" -p:NuGetLockFilePath=obj/run.packages.lock.json -p:UseSharedCompilation=true -p:RunAnalyzers=false -p:GenerateDocumentationFile=false "$@" >"$log" 2>&1; }
  if ! { [ -n "$rid" ] && publish -r "$rid" --no-self-contained -p:PublishReadyToRun=true; } && ! publish; then
    cat "$log" >&2
    echo "The build failed; the messages are above." >&2
    exit 70
  fi
  rm -f "$log"
  touch "$stamp"
fi

exec dotnet "$out/glimmer.dll" serve "$@"
