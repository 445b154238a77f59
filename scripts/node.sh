# Sourced by the scripts that need Node.js: installs it when it is missing. Runs in the repository's root.
if ! command -v npm >/dev/null 2>&1; then
  echo "Node.js is missing: installing it." >&2
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "No apt-get here; install Node.js 20 or later with npm and run this again." >&2
    exit 69
  fi
  as_root=(); [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  patient=(-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  "${as_root[@]}" apt-get "${patient[@]}" update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${patient[@]}" install -y -qq --no-install-recommends nodejs npm >/dev/null
fi

# The distribution's Node.js may be too old for the clients; a newer one comes as a package.
needed=20
if [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -lt "$needed" ]; then
  npm install --silent --no-fund --no-audit --no-save --prefix artifacts/node node@22
  PATH="$PWD/artifacts/node/node_modules/node/bin:$PATH"
fi
