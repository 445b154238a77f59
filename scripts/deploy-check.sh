#!/usr/bin/env bash
# Checks the deployment material with the validators of those who read it, as far as they can be had here, and says what it skipped.
# ./scripts/deploy-check.sh. Ends with 1 when something is wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/node.sh
failed=0
skipped=()

echo ":: shell"
for file in deploy/*.sh; do bash -n "$file" || failed=1; done

echo ":: systemd"
if command -v systemd-analyze >/dev/null 2>&1; then
  # The program need not be installed here; everything else that is said of the unit counts.
  said=$(systemd-analyze verify --man=no deploy/systemd/glimmer.service 2>&1 | grep -v "is not executable: No such file" || true)
  [ -z "$said" ] || { echo "$said"; failed=1; }
  systemd-analyze security --offline=true deploy/systemd/glimmer.service 2>/dev/null | tail -n 1 || skipped+=("systemd-analyze security: this version cannot do it offline")
else
  skipped+=("systemd-analyze: not installed")
fi
if command -v systemd-sysusers >/dev/null 2>&1; then
  systemd-sysusers --dry-run "$PWD"/deploy/systemd/glimmer.sysusers.conf >/dev/null || failed=1
else
  skipped+=("systemd-sysusers: not installed")
fi

echo ":: container file, compose file, chart"
npm install --silent --no-fund --no-audit --prefix deploy/check
(cd deploy && node check/node_modules/dockerfilelint/bin/dockerfilelint -o json Containerfile) > artifacts-deploy-lint.json || true
node -e '
  const said = JSON.parse(require("fs").readFileSync("artifacts-deploy-lint.json", "utf8"));
  for (const file of said.files) for (const issue of file.issues) console.log(`  ${issue.category}: line ${issue.line}: ${issue.title}`);' || failed=1
rm -f artifacts-deploy-lint.json
if command -v helm >/dev/null 2>&1; then
  helm lint --strict deploy/helm/glimmer --set replicas=1 || failed=1
  (cd deploy/check && node check.mjs "helm template test ../helm/glimmer -f") || failed=1
elif command -v go >/dev/null 2>&1; then
  skipped+=("helm lint: helm is not installed; the chart was rendered with Go's own templates instead")
  (cd deploy/check && GOFLAGS=-mod=mod node check.mjs "go run render.go ../helm/glimmer") || failed=1
else
  skipped+=("rendering of the chart: neither helm nor go is installed; its values and plain files were checked")
  (cd deploy/check && node check.mjs) || failed=1
fi
if command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
  docker build -f deploy/Containerfile -t glimmer:check . || failed=1
else
  skipped+=("building the image: no container engine runs here")
fi

for each in "${skipped[@]}"; do echo "skipped: $each"; done
[ "$failed" = 0 ] && echo "The deployment material is sound as far as it was checked."
exit "$failed"
