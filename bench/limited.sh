#!/usr/bin/env bash
# ./bench/limited.sh PERCENT COMMAND…: runs a command with so many hundredths of one core, as on a smaller machine, by a control group of its own (Linux, as root).
# GLIMMER_LOAD_NODE1="bench/limited.sh 50 taskset -c 2" gives a node of the bench half a core, so that callers and database have room on a machine of few cores.
set -euo pipefail
percent=$1
shift
period=10000   # microseconds: pauses stay short
if [ -d /sys/fs/cgroup/cpu ]; then
  group=/sys/fs/cgroup/cpu/glimmer-limited-$$
  mkdir "$group"
  echo $period >"$group/cpu.cfs_period_us"
  echo $((period * percent / 100)) >"$group/cpu.cfs_quota_us"
else
  group=/sys/fs/cgroup/glimmer-limited-$$
  mkdir "$group"
  echo "$((period * percent / 100)) $period" >"$group/cpu.max"
fi

echo $$ >"$group/cgroup.procs"
# The group outlives the command by a moment: whoever removes it runs outside.
(parent=$(dirname "$group"); echo $BASHPID >"$parent/cgroup.procs"; tail --pid=$$ -f /dev/null; rmdir "$group") >/dev/null 2>&1 &
exec "$@"
