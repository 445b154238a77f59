#!/usr/bin/env bash
# Runs every property and fuzz test with many cases. The quick ones get CASES, the slow ones fewer in proportion, and none more than
# fit into its share of the time.
#   scripts/fuzz.sh [CASES]              default 1000000
#   GLIMMER_FUZZ_SECONDS=3600            time for all of them together, roughly (up to twice as long when it is short)
#   GLIMMER_FUZZ_ONLY=Output             only suites whose name holds this
# A failure prints the seed or the case; the exit code is then 1.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/sdk.sh
require_sdk

most=${1:-1000000}
seconds=${GLIMMER_FUZZ_SECONDS:-3600}
only=${GLIMMER_FUZZ_ONLY:-}
for number in "$most" "$seconds"; do
  [[ $number =~ ^[1-9][0-9]{0,8}$ ]] || { echo "fuzz: '$number' is not a count. Use: scripts/fuzz.sh [CASES], with GLIMMER_FUZZ_SECONDS as the time." >&2; exit 64; }
done

# Project, test, cases of its usual run: those take about equally long, so they are the proportions too.
suites=(
  "Protocol ChatRequestReaderTests.Mutated_bodies_give_a_request_or_an_error_and_never_an_exception 4000"
  "Protocol GeminiReaderTests.Mutated_bodies_give_a_request_or_an_error_and_never_an_exception 6000"
  "Protocol SseTests.Any_chunking_gives_the_same_events 2000"
  "Server ChatRefusalTests.Mutated_bodies_are_answered_and_never_a_500 600"
  "Server GeminiEndpointTests.Mutated_bodies_are_answered_and_never_a_500 400"
  "Dialogue MutatedFileTests.* 1500"
  "Dialogue ConversationReaderTests.No_JSON_breaks_the_reader_or_a_renderer 1500"
  "Dialogue ConversationReaderTests.No_schema_breaks_the_typing_of_arguments 1500"
  "Dialogue PythonJsonTests.Floats_read_back_to_themselves 2000"
  "Dialogue InjectionTests.No_text_of_a_client_becomes_a_control_token 60"
  "Dialogue InjectionTests.Honest_texts_give_the_tokens_of_the_whole_rendered_text 60"
  "Dialogue PromptCacheTests.A_growing_conversation_renders_as_if_from_nothing 20"
  "Dialogue StreamPropertyTests.The_result_does_not_depend_on_how_text_arrives 1500"
  "Dialogue StreamPropertyTests.Tokens_say_what_their_text_says 500"
  "Dialogue StreamPropertyTests.Nothing_the_model_says_is_lost 500"
  "Dialogue StreamPropertyTests.Arguments_are_always_one_JSON_object 1500"
  "Dialogue StreamPropertyTests.Calls_come_in_order_and_every_one_begun_is_ended_or_abandoned 800"
  "Dialogue StreamPropertyTests.What_is_rendered_parses_back 150"
  "Dialogue JsonModeTests.Random_walks_give_one_json_object_and_exact_masks 60"
  "Dialogue TextGrammarTests.Random_walks_of_a_recursive_grammar_end_in_its_language 30"
  "Dialogue TextGrammarTests.Random_bytes_of_grammar_text_never_crash_the_reader 2000"
  "Dialogue ToolConstraintTests.Random_turns_are_read_back_as_valid_calls 60"
  "Dialogue SchemaConstraintTests.Random_walks_give_valid_texts 3"
  "Dialogue SchemaFuzzTests.Grammar_and_validator_agree_on_random_schemas_and_values 400"
  "Dialogue SchemaFuzzTests.Random_walks_under_random_schemas_give_valid_texts 60"
  "Models WeightFileFuzzTests.Gguf 6000"
  "Models WeightFileFuzzTests.Safetensors 6000"
  "Models WeightFileFuzzTests.Quantised_checkpoints 4000"
  "Models WeightFileFuzzTests.Indexes 300"
  "Models DamagedModelTests.A_damaged_model_file_is_refused_or_runs 300"
  "Models HuggingFaceConfigTests.Damaged_files_never_do_worse_than_an_error 2000"
  "Engine SchedulerModelTests.Every_answer_is_the_sequential_one_or_its_beginning 16"
)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
chosen=()
for suite in "${suites[@]}"; do [[ $suite == *"$only"* ]] && chosen+=("$suite"); done
[ ${#chosen[@]} -gt 0 ] || { echo "fuzz: no suite holds '$only'." >&2; exit 64; }
for project in $(printf '%s\n' "${chosen[@]}" | cut -d ' ' -f 1 | sort -u); do
  echo "== build Glimmer.$project.Tests"
  dotnet build "tests/Glimmer.$project.Tests" -c Release --nologo -v quiet >"$log" 2>&1 || { grep -E 'error' "$log" | sort -u | head -n 20; echo "the build failed"; exit 1; }
done

# How many tests passed with so many cases; a run that takes far longer than its share hangs.
run() {
  local project=tests/Glimmer.$1.Tests/bin/Release/net10.0/Glimmer.$1.Tests
  env -u GLIMMER_FUZZ_SEED GLIMMER_FUZZ_CASES="$3" timeout --kill-after=10 $((share * 10 + 60)) "$project" --no-progress --no-ansi --filter-method "*.$2" >"$log" 2>&1
  local code=$?
  tests=$(sed -n 's/^ *succeeded: *//p' "$log" | tail -n 1)
  return "$code"
}

share=$((seconds / ${#chosen[@]} > 0 ? seconds / ${#chosen[@]} : 1))
all=0 failed=()
for suite in "${chosen[@]}"; do
  read -r project name usual <<<"$suite"
  cases=$usual
  begin=$(date +%s%N)
  run "$project" "$name" "$cases"; code=$?
  spent=$((($(date +%s%N) - begin) / 1000000 + 1)) last=$spent

  # More and more cases while the share of the time lasts: the first runs are mostly the start of the process.
  for _ in 1 2 3 4; do
    [ "$code" -eq 0 ] && [ "${tests:-0}" -gt 0 ] || break
    wanted=$((most * usual / 6000)) fitting=$((cases * (share * 1000 - spent) / last))
    more=$((wanted < fitting ? wanted : fitting))
    [ "$more" -ge $((cases * 3 / 2)) ] || break
    cases=$more
    round=$(date +%s%N)
    run "$project" "$name" "$cases"; code=$?
    last=$((($(date +%s%N) - round) / 1000000 + 1)) spent=$((spent + last))
  done

  # A suite whose cases are tests of their own has as many tests; the others run all cases in each test.
  count=$((cases * ${tests:-0}))
  [[ $name == SchedulerModelTests.* ]] && count=${tests:-0}
  took=$((($(date +%s%N) - begin) / 1000000000))
  if [ "$code" -eq 0 ] && [ "${tests:-0}" -gt 0 ]; then
    all=$((all + count))
    echo "ok      $count cases in $took s: $project $name"
  else
    failed+=("$project $name")
    case $code in
      124 | 137) echo "HANGS   with $cases cases: $project $name" ;;
      *) echo "FAILED  with GLIMMER_FUZZ_CASES=$cases: $project $name" ;;
    esac
    grep -iE 'seed|case|round|fail|error|exception|expected|actual|assert' "$log" | cut -c 1-400 | head -n 20
  fi
done

echo "$all cases of ${#chosen[@]} suites in $SECONDS s, ${#failed[@]} failed${failed[*]:+: ${failed[*]}}"
[ ${#failed[@]} -eq 0 ]
