# SPDX-License-Identifier: MIT
# A disk without reads is closed in about a second although Dom0 is stopped, and the domain is gone
# when Dom0 goes on.
. "$(dirname "$0")/functions.sh"

image disk1.img 1
start_service
coproc disk { exec "$TEST_BIN/disk_session" 2>err; }
pid=$!
read -r -t $((10 * slack)) line <&"${disk[0]}" && [ "$line" = connected ] || die "no connection: $(cat err)"
dom0=$(dom0_pid)
cleanup_fn kill -CONT "$dom0"
freeze "$dom0"
eval "exec ${disk[1]}>&-"
reap 3000 $pid
[ $status = 0 ] || die "exit $status: $(cat err)"
kill -CONT "$dom0"
eventually 5 domains_are 0 || die "the domain is still there"
