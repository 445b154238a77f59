#!/usr/bin/env bash
# Makes models of random weights with the shapes of published ones, loads each and runs it: time to load, memory against the plan, finite numbers.
#   scripts/real-shapes.sh [SHAPE:TYPE[:LAYERS] …]    default: GLM-Edge-1.5B, GLM-4-9B, and as much of GLM-4.7-Flash as 8 GB hold
#   GLIMMER_SHAPES_FOLDER=/tmp                        where the files go (up to 10 GB, one at a time; removed after)
#   GLIMMER_SHAPES_ARGUMENTS="--threads 2"            further arguments of glimmer bench --check
#   GLIMMER_SHAPES_UNDER="taskset -c 3"               a command to run each check under
# The exit code is 1 when a model needs more memory than planned or gives numbers that are not finite.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/sdk.sh
require_sdk

shapes=("$@")
[ ${#shapes[@]} -gt 0 ] || shapes=(edge-1.5b:q4_k_m edge-1.5b:q8_0 glm4-9b:q4_k_m glm4-9b:q8_0 glm-4.7-flash:q4_k_m:20 glm-4.7-flash:q8_0:10)
folder=$(mktemp -d "${GLIMMER_SHAPES_FOLDER:-/tmp}/glimmer-shapes.XXXXXX")
trap 'rm -rf "$folder"' EXIT
for project in bench/Glimmer.ModelMaker src/Glimmer.Cli; do
  dotnet build "$project" -c Release --nologo -v quiet >"$folder/log" 2>&1 || { grep error "$folder/log" | sort -u | head; exit 1; }
done

failed=0
for shape in "${shapes[@]}"; do
  IFS=: read -r name type layers <<<"$shape"
  file="$folder/$name-$type.gguf"
  dotnet bench/Glimmer.ModelMaker/bin/Release/net10.0/Glimmer.ModelMaker.dll "$name" "$type" "$file" ${layers:+--layers "$layers"}
  cat "$file" >/dev/null # into the page cache
  # shellcheck disable=SC2086
  ${GLIMMER_SHAPES_UNDER:-} dotnet src/Glimmer.Cli/bin/Release/net10.0/glimmer.dll bench --check --model "$file" --prompt 32 --decode 8 ${GLIMMER_SHAPES_ARGUMENTS:-} || failed=1
  rm -f "$file"
done
exit $failed
