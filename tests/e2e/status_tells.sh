# SPDX-License-Identifier: MIT
# The status tells a rate of now, which ends when reading ends, beside the average of a lifetime; and
# which process a domain is.
. "$(dirname "$0")/functions.sh"

image disk1.img 1
start_service --engine null
coproc disk { exec "$TEST_BIN/disk_session" 2>err; }
# shellcheck disable=SC2154 # comes from coproc; bash forgets it when the process ends
disk_process=$disk_PID
read -r -t $((10 * slack)) answer <&"${disk[0]}" && [ "$answer" = connected ] || die "no connection"
[ "$(status_number rate_now)" = 0 ] || die "a rate without a read"
[ "$(status_number client_pid)" = "$disk_process" ] || die "another process than $disk_process: $(service status)"
service status | grep -qE " $disk_process +DomU-1\$" || die "no process or name in the table: $(service status)"
expect 0 "^ +1 .* $disk_process +DomU-1\$" service list
read_some() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        echo 'read 5' >&"${disk[1]}"
        read -r -t $((10 * slack)) answer <&"${disk[0]}" && [ "${answer%%:*}" != error ] || die "no answer"
    done
    [ "$(status_number rate_now)" -gt 0 ]
}
eventually 5 read_some || die "reads, and no rate"
service status | grep -q 'requests a second: [1-9][0-9]* now (in the last full second), ' ||
    die "the table does not tell: $(service status)"
eventually 5 eval '[ "$(status_number rate_now)" = 0 ]' || die "no read any more, and a rate"
requests=$(status_number 'total":{"requests')
[ "$(status_number rate_since_start)" -le "$requests" ] || die "more a second than in all"
[ "$(status_number rd_req)" = "$requests" ] && [ "$(status_number wr_req)" = 0 ] ||
    die "not all requests were reads: $(service status --json)"
[ "$requests" -lt 100 ] || [ "$(status_number rate_since_start)" -gt 0 ] || die "no average"
eval "exec ${disk[1]}>&-"
wait "$disk_process" || die "the session fails at its end: $(cat err)"
