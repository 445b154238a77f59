#!/usr/bin/env bash
# Proves that files which `glimmer quantize` writes load in llama.cpp and say the same there: the bundled model (or MODEL: a GGUF file or a checkpoint
# folder with a tokenizer) in every recipe, greedy answers of both compared. llama.cpp comes as the npm package node-llama-cpp, prebuilt.
#   scripts/other-tool.sh [MODEL]
#   GLIMMER_OTHER_TOOL=FOLDER     keeps the package between runs; default: a temporary folder
# llama.cpp rounds activations to 8 bits where Glimmer's usual arithmetic does not, so a close decision may fall the other way; the exit code is 1
# when a file does not load, or fewer than two thirds of the answers are the same letter for letter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/sdk.sh
require_sdk
command -v npm >/dev/null || { echo "other-tool: npm is needed." >&2; exit 69; }

model=${1:-models/glimmer-tiny/glimmer-tiny-q8_0.gguf}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tool=${GLIMMER_OTHER_TOOL:-$work/tool}
mkdir -p "$tool"
[ -d "$tool/node_modules/node-llama-cpp" ] || (cd "$tool" && npm init -y >/dev/null 2>&1 && npm install --ignore-scripts --no-fund --no-audit node-llama-cpp@3 >/dev/null 2>"$work/log") || { cat "$work/log" >&2; exit 69; }
dotnet build src/Glimmer.Cli -c Release --nologo -v quiet >"$work/log" 2>&1 || { grep error "$work/log" | sort -u | head; exit 1; }
glimmer() { dotnet src/Glimmer.Cli/bin/Release/net10.0/glimmer.dll "$@"; }

questions=("What is the capital of France?" "Hello! How are you?" "What is 2 + 3?" "Name a colour.")
for recipe in Q8_0 Q6_K Q5_K_M Q4_K_M Q3_K_M Q2_K IQ4_XS Q4_0; do
  glimmer quantize "$model" "$work/$recipe.gguf" $recipe --allow-requantize >/dev/null
  for i in "${!questions[@]}"; do
    glimmer run "${questions[i]}" --model "$work/$recipe.gguf" --no-thinking --temperature 0 --max-tokens 48 >"$work/$recipe.$i.ours"
    printf '{"messages":[{"role":"user","content":"%s"}]}' "${questions[i]}" >"$work/question.json"
    glimmer render "$work/question.json" --model "$work/$recipe.gguf" --json >"$work/$recipe.$i.prompt"
  done
done

cp scripts/other-tool.mjs "$tool/glimmer-other-tool.mjs"
node "$tool/glimmer-other-tool.mjs" "$work"
