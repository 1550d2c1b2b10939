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
service stop >/dev/null || die "stop"

# What others have named, an image or a state, begins no line of its own and steers no terminal.
odd=$'a\tb\e[31mc\nd'
mkdir "$odd"
cp disk1.img "$odd/i.img"
start_service --image "$odd/i.img" --disk "$PWD/$odd/i.img,raw,xvdb,r"
coproc disk { exec "$TEST_BIN/disk_session" 2>err; }
disk_process=$disk_PID
read -r -t $((10 * slack)) answer <&"${disk[0]}" && [ "$answer" = connected ] || die "no connection"
plain() { "$@" | LC_ALL=C tr -d '\n' | LC_ALL=C grep -q '[[:cntrl:]]' && die "$*: control characters"; }
plain service status
[ "$(service status | grep -cF 'a?b?[31mc?d/i.img')" = 3 ] || die "the image is not shown: $(service status)"
if command -v xenstore-write >/dev/null; then
    eval "$(service env)"
    xenstore-write /local/domain/1/device/vbd/51728/state $'\e[31m\n4' /local/domain/1/name "$odd"
    plain service list
    plain service domname 1
    [ "$(service list | wc -l)" = 3 ] || die "other lines: $(service list)"
fi
eval "exec ${disk[1]}>&-"
wait "$disk_process" || die "the session fails at its end: $(cat err)"
