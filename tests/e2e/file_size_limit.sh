# SPDX-License-Identifier: MIT
# The limit of file sizes (ulimit -f) counts for a domain's memory and for texts in memory, too. What
# is beyond it is refused with a reason; nobody dies of SIGXFSZ, and a neighbour reads on.
. "$(dirname "$0")/functions.sh"

[ "${TEST_SAN:-}" != thread ] || skip "the thread sanitizer writes a file of its own while starting"

# limited KIB COMMAND...
limited() { (ulimit -f "$1" && shift && "$@"); }
log_has() { grep -qE "$1" "$SPLITDOM_RUNDIR/default/dom0.log"; }

image disk1.img 4
cleanup_fn stop_leftover

# ---- one domain is beyond the limit, its neighbour is not ------------------------------------------
limited 4096 "$BIN/service" start || die "the service does not start"
"$BIN/client" 2 100000000 --no-record >out 2>err &
neighbour=$!
eventually 5 connected 1 || die "the neighbour does not connect: $(cat err)"
expect 1 'ulimit -f\): File too large' client 1 10 --no-record --depth 512 --sectors-per-request 88
log_has 'domain [0-9]+ refused: .*File too large' || die "no word in the log"
before=$(status_number 'total":{"requests')
eventually 5 requests_exceed "$before" || die "the neighbour does not read any more: $(cat err)"
kill "$neighbour" && reap 5000 "$neighbour"
"$BIN/client" 2 500 >/dev/null 2>err || die "no client after that: $(cat err)"
verify_all 500
expect 0 'cache hit ratio' service stop

# ---- no domain at all fits, nor does any text ------------------------------------------------------
limited 64 "$BIN/service" start || die "the service does not start"
expect 1 'ulimit -f\): File too large' client 1 10 --no-record
expect 0 'cache hit ratio' service status
expect 0 'cache hit ratio' service stop
limited 0 "$BIN/service" start || die "the service does not start"
expect 1 'cannot write its status down: File too large' service status
expect 0 '' service stop
grep -q 'could not write its totals' stderr || die "no word of the totals: $(cat stderr)"
expect 3 '' service status

# ---- the programs' own output ----------------------------------------------------------------------
start_service
"$BIN/client" 2 500 >/dev/null 2>err || die "client: $(cat err)"
status_to() { "$BIN/service" status >"$1"; }
said=$(limited 0 status_to out 2>&1) && die "status: no error although its output is lost"
[[ $said == *'cannot write to stdout: File too large'* ]] || die "status: $said"
judge_to() { "$BIN/tool_for_integrity" disk1.img sectors.* read.* >"$1"; }
said=$(limited 0 judge_to out 2>&1)
[ $? = 2 ] || die "the integrity tool does not say 2 although its output is lost"
[[ $said == *'cannot write to stdout: File too large'* ]] || die "the integrity tool: $said"
mkfifo pipe
: <pipe & # opens it, and leaves at once
exec 5>pipe
wait $!
"$BIN/tool_for_integrity" disk1.img sectors.* read.* >&5 2>err
[ $? = 2 ] || die "a pipe without a reader: the integrity tool does not say 2"
grep -q 'cannot write to stdout: Broken pipe' err || die "the integrity tool: $(cat err)"
exec 5>&-
limited 1024 "$TOP/disk1.img.sh" 4 limited.img >/dev/null 2>err && die "an image beyond the limit"
grep -q 'cannot write 4 MiB' err || die "disk1.img.sh: $(cat err)"
[ -z "$(compgen -G 'limited.img*')" ] || die "part of an image is left"
exit 0
