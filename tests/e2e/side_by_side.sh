# SPDX-License-Identifier: MIT
# Services of different names have nothing to do with each other; messages say which is meant.
. "$(dirname "$0")/functions.sh"

stop_both() {
    SPLITDOM_NAME=one service stop >/dev/null 2>&1
    SPLITDOM_NAME=two service stop >/dev/null 2>&1
}
cleanup_fn stop_both
image disk1.img 1
image other.img 2
service start --name one || die "one does not start"
service start --name two --image other.img || die "two does not start"
expect 1 "'one'.*already running \(pid [0-9]+\)" service start --name one
expect 0 '2048 sectors' service status --name one
expect 0 '4096 sectors' service status --name two
expect 0 '/one/xenstore.sock' service env --name one
client 4 500 --name one >/dev/null || die "one does not serve"
SPLITDOM_NAME=two client 4 500 --no-record >/dev/null || die "two does not serve"
verify_all 500
client 4 500 --name two >/dev/null || die "two does not serve"
for file in sectors.*; do
    "$BIN/integrity" other.img "$file" "read.${file#sectors.}" >/dev/null || die "two serves another image"
done
rm sectors.* read.*
expect 0 'of 500 requests' service stop --name one
expect 3 "no service 'one' is running" service status --name one
expect 1 'one.*service start --name one' client 1 1 --name one
expect 0 'of 1000 requests' service stop --name two
