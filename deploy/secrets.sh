#!/usr/bin/env bash
# Makes what compose.yaml needs and no repository holds, where it is missing: the database's password and the sealing keys of the nodes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
umask 077
mkdir -p secrets
[ -s secrets/postgres_password ] || od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > secrets/postgres_password
printf 'postgres:5432:glimmer:glimmer:%s\n' "$(cat secrets/postgres_password)" > secrets/pgpass
for key in protection reasoning; do
  [ -s "secrets/$key.key" ] || head -c 32 /dev/urandom > "secrets/$key.key"
done
# The nodes run as 64500. Where that user cannot be given the files, the folder's mode keeps others out.
chown 64500 secrets/pgpass secrets/*.key 2>/dev/null || chmod 0644 secrets/pgpass secrets/*.key
