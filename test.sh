#!/usr/bin/env bash
# Runs everything that must hold and prints the counts. Installs what it needs (Node.js for the conformance tests, PostgreSQL for the store's).
#   ./test.sh                all suites
#   ./test.sh Dialogue Cli   only tests/Glimmer.Dialogue.Tests and tests/Glimmer.Cli.Tests
#   ./test.sh conformance    only the foreign clients (agents: only the coding agents)
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/sdk.sh
require_sdk

wanted=("$@")
wants() { [ ${#wanted[@]} -eq 0 ] && return 0; local w; for w in "${wanted[@]}"; do [ "$w" = "$1" ] && return 0; done; return 1; }

# The store's tests run on a real PostgreSQL. Without it they are skipped, and say so.
if { [ ${#wanted[@]} -eq 0 ] || wants Platform || wants Server; } && ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 && ! command -v postgres >/dev/null 2>&1; then
  if command -v apt-get >/dev/null 2>&1; then
    echo "PostgreSQL is missing: installing it." >&2
    as_root=(); [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
    patient=(-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    { "${as_root[@]}" apt-get "${patient[@]}" update -qq && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${patient[@]}" install -y -qq --no-install-recommends postgresql; } >/dev/null 2>&1 \
      || echo "PostgreSQL could not be installed: its tests will be skipped." >&2
  else
    echo "PostgreSQL is missing and there is no apt-get: its tests will be skipped." >&2
  fi
fi

# A suite that hangs is ended, and its log names the tests that ran for long: whoever reads it should not have to guess. The longest takes two to four minutes on two cores.
longest=${GLIMMER_SUITE_SECONDS:-1800}
bounded() { timeout --foreground --kill-after=20 "$longest" "$@"; local code=$?; [ "$code" -ne 124 ] && [ "$code" -ne 137 ] || echo "It did not end within $longest s and was ended."; return "$code"; }

passed=0 failed=0 skipped=0 broken=()
log=$(mktemp) names=$(mktemp) reasons=$(mktemp)
trap 'rm -f "$log" "$names" "$reasons"' EXIT

echo "== build"
if ! dotnet build Glimmer.slnx -c Release --nologo -v quiet ${CI:+-p:RestoreLockedMode=true} >"$log" 2>&1; then
  grep -E 'error|warning' "$log" | sort -u | head -n 40
  echo "the build failed"
  echo "0 passed, 1 failed"
  exit 1
fi

add() { passed=$((passed + $1)); failed=$((failed + $2)); skipped=$((skipped + $3)); }

# The log of a failed suite without the skipped tests, whose reasons are counted at the end.
tell() { awk '/^skipped /{skip = 1; next} skip && /^  /{next} {skip = 0; print}' "$log" | grep -vE '^ *(ok|✔) .*# SKIP'; }

for project in tests/Glimmer.*.Tests; do
  name=$(basename "$project"); short=${name#Glimmer.}; short=${short%.Tests}
  wants "$short" || continue
  echo "== $name"
  start=$SECONDS
  bounded "$project/bin/Release/net10.0/$name" --no-progress --no-ansi --xunit-diagnostics on --long-running 120 >"$log" 2>&1
  code=$?
  ok=$(sed -n 's/^ *succeeded: *//p' "$log" | tail -n 1); bad=$(sed -n 's/^ *failed: *//p' "$log" | tail -n 1); skip=$(sed -n 's/^ *skipped: *//p' "$log" | tail -n 1)
  if [ -z "$ok" ] || { [ "$code" -ne 0 ] && [ "${bad:-0}" -eq 0 ]; }; then
    broken+=("$name"); bad=$((${bad:-0} + 1))
  fi
  if [ "${bad:-0}" -ne 0 ]; then tell; fi
  sed -n 's/^failed \([A-Z].*\) ([^()]*)$/\1/p' "$log" >>"$names"
  awk '/^skipped /{skip = 1; next} skip{sub(/^ +/, ""); print; skip = 0}' "$log" >>"$reasons"
  echo "${ok:-0} passed, ${bad:-0} failed, ${skip:-0} skipped in $((SECONDS - start)) s"
  add "${ok:-0}" "${bad:-0}" "${skip:-0}"
done

for suite in conformance agents; do
  wants "$suite" || continue
  echo "== $suite"
  start=$SECONDS
  bounded "scripts/$suite.sh" >"$log" 2>&1
  code=$?
  ok=$(sed -n 's/^# pass //p; s/^ℹ pass //p' "$log" | tail -n 1); bad=$(sed -n 's/^# fail //p; s/^ℹ fail //p' "$log" | tail -n 1); skip=$(sed -n 's/^# skipped //p; s/^ℹ skipped //p' "$log" | tail -n 1)
  if [ -z "$ok" ] || { [ "$code" -ne 0 ] && [ "${bad:-0}" -eq 0 ]; }; then
    broken+=("$suite"); bad=$((${bad:-0} + 1))
  fi
  if [ "${bad:-0}" -ne 0 ]; then tell; fi
  sed -n "s/^ *not ok [0-9]* - \(.*\)/$suite: \1/p" "$log" | grep -v '# TODO' >>"$names"
  sed -n 's/^ *ok [0-9]* - .*# SKIP *//p' "$log" >>"$reasons"
  echo "${ok:-0} passed, ${bad:-0} failed, ${skip:-0} skipped in $((SECONDS - start)) s"
  add "${ok:-0}" "${bad:-0}" "${skip:-0}"
done

# Whoever sees only the end of this sees here what failed.
if [ -s "$reasons" ]; then echo "== skipped"; sort "$reasons" | uniq -c | sort -rn; fi
if [ -s "$names" ]; then echo "== failed"; sort -u "$names"; fi
[ ${#broken[@]} -eq 0 ] || echo "did not finish: ${broken[*]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
