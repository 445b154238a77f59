#!/usr/bin/env bash
# Asks the server on this machine whether it lives, without a program for it in the image.
# healthcheck.sh [PATH], /health/live by default. Ends with 0 when the answer is 200.
exec 3<>"/dev/tcp/127.0.0.1/${GLIMMER__LISTEN__PORT:-8080}" || exit 1
printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "${1:-/health/live}" >&3
read -r -t 2 _ status _ <&3
[ "$status" = 200 ]
