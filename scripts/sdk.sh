# Sourced by the scripts at the root: finds the .NET SDK or says which one is needed.
require_sdk() {
  local needed=10.0.100 have
  if ! command -v dotnet >/dev/null 2>&1; then
    echo "Glimmer needs the .NET SDK $needed or later; no 'dotnet' was found on the PATH." >&2
    echo "Install it from https://dot.net (Debian, Ubuntu: package dotnet-sdk-10.0) and run this again." >&2
    exit 69
  fi
  have=$(dotnet --version 2>/dev/null) || have=none
  if [ "$have" = none ] || [ "$(printf '%s\n%s\n' "$needed" "$have" | sort -V | head -n 1)" != "$needed" ]; then
    echo "Glimmer needs the .NET SDK $needed or later; the one found is: $have." >&2
    echo "Install it from https://dot.net (Debian, Ubuntu: package dotnet-sdk-10.0) and run this again." >&2
    exit 69
  fi
}

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
