# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the sections of the benchmark share: results, ratios, goals, services, clients, rivals.
#
# A measurement is one line of results/SECTION.csv: section,round,row,metric,value. A section runs its
# rows one after the other, again and again, so that what disturbs the machine meets all of them;
# ratios are taken within a round, and their median, smallest and largest are shown.

set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN=${BIN:-$TOP/bin}
PROGRAMS=${PROGRAMS:-$TOP/build/plain/bench}
# One directory for each kind of machine: the newest run on it.
MACHINE=${BENCH_MACHINE:-$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1 | tr 'A-Z' 'a-z' | tr -cs 'a-z0-9' '-' | cut -c 1-40)}
MACHINE=${MACHINE%-}
MACHINE=${MACHINE:-unknown}-$(nproc)cpu
RESULTS=${BENCH_RESULTS:-$TOP/bench/results/$MACHINE}
IMAGE=${BENCH_IMAGE:-$TOP/build/images/bench.img}
IMAGE_MIB=${BENCH_IMAGE_MIB:-500}
QUICK=${QUICK:-}
ROUNDS=${ROUNDS:-${QUICK:+2}}
ROUNDS=${ROUNDS:-5}
CELL_S=${CELL_S:-${QUICK:+0.3}} # how long one row runs in one round
CELL_S=${CELL_S:-0.55}
HOT=hotset:0.5:100 # half of the cache: every request hits once it is warm
MANY=1000000000000 # requests: the duration ends the run

TMP=$(mktemp -d /tmp/splitdom-bench.XXXXXX) || exit 1
export SPLITDOM_RUNDIR=$TMP/run
mkdir -m 700 "$SPLITDOM_RUNDIR"
services=()
children=()

# ---- the end ------------------------------------------------------------------------------------

# Not in a child: bash runs these traps in a process that a signal meets between fork and exec.
clean_up() {
    local status=$? name pid self=$BASHPID
    [ "$self" = "$$" ] || return
    trap - EXIT
    for pid in ${children[@]+"${children[@]}"}; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    for name in ${services[@]+"${services[@]}"}; do
        "$BIN/service" stop --name "$name" >/dev/null 2>&1
    done
    rm -rf "$TMP"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
    echo "bench: $*" >&2
    exit 1
}

# Results that are kept belong to a revision.
refuse_dirty() {
    local changes
    case $RESULTS/ in
    "$TOP"/bench/*) ;;
    *) return 0 ;;
    esac
    changes=$(git -C "$TOP" status --porcelain -- . ':!bench/results' 2>/dev/null)
    [ -z "$changes" ] || [ -n "${BENCH_DIRTY:-}" ] ||
        die "the tree has changes that are not committed: commit them, or set BENCH_RESULTS elsewhere, or BENCH_DIRTY=1"
}

have() { command -v "$1" >/dev/null 2>&1; }

# ---- numbers ------------------------------------------------------------------------------------

# calculate EXPRESSION: in awk's syntax.
calculate() { awk "BEGIN { printf \"%.10g\", ($1) }"; }

# Reads numbers, one a line; prints their median, smallest and largest. Nothing for nothing.
spread() {
    sort -g | awk '{ v[NR] = $1 }
        END { if (NR) printf "%.6g %.6g %.6g\n", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2, v[1], v[NR] }'
}

# jain NUMBER...: (sum x)^2 / (n * sum x^2), 1 when all are equal (Jain, Chiu, Hawe 1984).
jain() {
    printf '%s\n' "$@" | awk '{ s += $1; q += $1 * $1 } END { printf "%.6f", q ? s * s / (NR * q) : 0 }'
}

# deviation NUMBER...: (largest - smallest) / mean.
deviation() {
    printf '%s\n' "$@" | awk 'NR == 1 { min = max = $1 } { s += $1; if ($1 < min) min = $1; if ($1 > max) max = $1 }
        END { printf "%.6f", s ? (max - min) / (s / NR) : 0 }'
}

# json_number FILE KEY: the first number with that key.
json_number() { grep -oE "\"$2\" *: *-?[0-9.]+" "$1" | head -n 1 | sed 's/.*: *//'; }

# field NAME: of a line "name=value ..." on stdin.
field() { tr ' ' '\n' | sed -n "s/^$1=//p"; }

# ---- results ------------------------------------------------------------------------------------

# begin_section NAME TITLE: empties what an earlier run left.
begin_section() {
    SECTION=$1 TITLE=$2 ROUND=0 ROUNDS_DONE=0
    CSV=$RESULTS/$SECTION.csv GOALS=$TMP/$SECTION.goals NOTES=$TMP/$SECTION.notes
    echo 'section,round,row,metric,value' >"$CSV"
    : >"$GOALS"
    : >"$NOTES"
    echo
    echo "== $SECTION: $TITLE"
}

# record ROW METRIC VALUE: an empty value is a measurement that failed.
record() {
    case $1 in *,*) die "$SECTION: a comma in the name of row $1" ;; esac
    [ -n "$3" ] || die "$SECTION: row $1 gave no $2"
    printf '%s,%s,%s,%s,%s\n' "$SECTION" "$ROUND" "$1" "$2" "$3" >>"$CSV"
}

note() {
    echo "note: $*"
    echo "- $*" >>"$NOTES"
}

# values ROW METRIC: over all rounds.
values() { awk -F, -v row="$1" -v metric="$2" '$3 == row && $4 == metric { print $5 }' "$CSV"; }

# ratios METRIC ROW_A ROW_B [METRIC_B]: A over B, round by round.
ratios() {
    awk -F, -v m="$1" -v a="$2" -v b="$3" -v n="${4:-$1}" '
        $3 == a && $4 == m { va[$2] = $5 }
        $3 == b && $4 == n { vb[$2] = $5 }
        END { for (r in va) if (r in vb && vb[r] != 0) print va[r] / vb[r] }' "$CSV"
}

# judge TITLE OPERATOR GOAL STRETCH: of the numbers on stdin; OPERATOR is >= or <=; STRETCH may be "-".
judge() {
    local median smallest largest verdict=missed
    read -r median smallest largest < <(spread)
    [ -n "${median-}" ] || {
        note "$1: not measured"
        return
    }
    [ "$(calculate "$median $2 $3")" = 1 ] && verdict=reached
    [ "$4" != - ] && [ "$(calculate "$median $2 $4")" = 1 ] && verdict='stretch reached'
    read -r median smallest largest < <(short "$median" "$smallest" "$largest")
    printf '%s|%s|%s|%s|%s|%s\n' "$1" "$2 $3" "$4" "$median" "$smallest..$largest" "$verdict" >>"$GOALS"
}

goal_ratio() { # TITLE METRIC ROW_A ROW_B OPERATOR GOAL STRETCH [METRIC_B]
    ratios "$2" "$3" "$4" "${8:-$2}" | judge "$1" "$5" "$6" "$7"
}
goal_value() { # TITLE METRIC ROW OPERATOR GOAL STRETCH
    values "$3" "$2" | judge "$1" "$4" "$5" "$6"
}

# short NUMBER...: whole numbers from 1000 on, five digits below.
short() { awk 'BEGIN { for (i = 1; i < ARGC; i++) printf((ARGV[i] + 0 >= 1000 ? "%.0f " : "%.5g "), ARGV[i]) }' "$@"; }

# rows_table METRIC...: medians of all rows, in the order in which they came, as a markdown table.
rows_table() {
    local row metric numbers cell median smallest largest
    printf '| row |'
    printf ' %s |' "$@"
    printf '\n| --- |'
    printf ' ---: |%.0s' "$@"
    echo
    awk -F, 'NR > 1 && !seen[$3]++ { print $3 }' "$CSV" | while read -r row; do
        printf '| %s |' "$row"
        for metric in "$@"; do
            numbers=$(values "$row" "$metric" | spread)
            cell=
            if read -r median smallest largest <<<"$numbers" && [ -n "$median" ]; then
                read -r median smallest largest < <(short "$median" "$smallest" "$largest")
                cell="$median ($smallest..$largest)"
            fi
            printf ' %s |' "${cell:--}"
        done
        echo
    done
}

goals_table() {
    echo '| what | goal | stretch | median | spread | verdict |'
    echo '| --- | ---: | ---: | ---: | ---: | --- |'
    sed 's/^/| /; s/|\([^ ]\)/| \1/g; s/\([^ ]\)|/\1 |/g; s/$/ |/' "$GOALS"
}

# A markdown table for the eye.
on_terminal() { grep -v '^| ---' | sed 's/^| //; s/ |$//; s/ | /|/g' | column -t -s '|' -o '  '; }

# finish_section METRIC...: writes results/SECTION.md, and shows it.
finish_section() {
    {
        echo "# $TITLE"
        echo
        echo "$ROUNDS_DONE round(s) of $CELL_S s per row; medians, in brackets the smallest and largest round."
        if [ -s "$GOALS" ]; then
            echo
            goals_table
        fi
        echo
        rows_table "$@"
        if [ -s "$NOTES" ]; then
            echo
            cat "$NOTES"
        fi
    } >"$RESULTS/$SECTION.md"
    if [ -s "$GOALS" ]; then
        goals_table | on_terminal
        echo
    fi
    rows_table "$@" | on_terminal
    cat "$GOALS" >>"$TMP/all.goals"
}

# rounds COUNT FUNCTION: the rows of a section, over and over.
rounds() {
    ROUNDS_DONE=$1
    for ((ROUND = 1; ROUND <= $1; ROUND++)); do
        [ ! -t 2 ] || printf '  round %d of %d\r' "$ROUND" "$1" >&2
        "$2"
    done
    [ ! -t 2 ] || printf '%40s\r' '' >&2
}

# ---- services and clients -----------------------------------------------------------------------

# service_start NAME OPTION...
service_start() {
    local name=$1
    shift
    services+=("$name")
    "$BIN/service" start --name "$name" --image "$IMAGE" --idle-timeout 0 "$@" || die "no service: $name $*"
    service_status "$name"
    SERVICE_PID=$(json_number "$TMP/status.json" pid)
}
service_stop() { "$BIN/service" stop --name "$1" >/dev/null || die "service $1 does not stop"; }
service_status() { "$BIN/service" status --json --name "$1" >"$TMP/status.json" || die "service $1 has gone"; }
# Requests that the service has taken so far, of all domains.
service_requests() { service_total "$1" requests; }
# service_total NAME COUNTER: over all domains so far, those that have ended included.
service_total() {
    service_status "$1"
    sed "s/.*\"total\":{[^}]*\"$2\":\([0-9]*\).*/\1/" "$TMP/status.json"
}

# process_cpu_us PID: user and system time so far.
process_cpu_us() {
    awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) * 1000000 / hz }' "/proc/$1/stat"
}
process_switches() { awk '/ctxt_switches/ { n += $2 } END { print n }' /proc/"$1"/task/*/status; }

# client_run ROW NAME COMMAND... : one client to its end, with the service NAME (SERVICE_PID its
# process); the words after NAME are those of the command line, a taskset in front included.
client_run() {
    local row=$1 name=$2 before after requests TIMEFORMAT='%U %S'
    shift 2
    before=$(process_cpu_us "$SERVICE_PID")
    { time "$@" --name "$name" --json --no-record --no-progress >"$TMP/client.json" 2>"$TMP/client.err"; } 2>"$TMP/client.cpu" ||
        die "client failed: $*: $(cat "$TMP/client.err")"
    after=$(process_cpu_us "$SERVICE_PID")
    requests=$(json_number "$TMP/client.json" answered)
    client_take "$row" "$TMP/client.json"
    record "$row" cpu_us "$(awk -v s="$((${after%.*} - ${before%.*}))" -v n="$requests" '{ printf "%.3f", (($1 + $2) * 1e6 + s) / n }' "$TMP/client.cpu")"
    record "$row" client_cpu_us "$(awk -v n="$requests" '{ printf "%.3f", ($1 + $2) * 1e6 / n }' "$TMP/client.cpu")"
}

# client_take ROW JSON: the figures of a client that has ended.
client_take() {
    local metric
    record "$1" rps "$(json_number "$2" requests_per_second)"
    for metric in mean p50 p99 p99_9; do
        record "$1" "${metric}_ns" "$(json_number "$2" $metric)"
    done
    record "$1" kicks_per_request "$(calculate "$(json_number "$2" kicks) / $(json_number "$2" answered)")"
}

# client_background FILE NAME COMMAND...: begins one; its figures go to FILE; its process is CHILD.
client_background() {
    local file=$1 name=$2
    shift 2
    "$@" --name "$name" --json --no-record --no-progress >"$file" 2>"$file.err" &
    CHILD=$!
    children+=("$CHILD")
}

# wait_domains NAME COUNT: until so many are connected.
wait_domains() {
    local tries=500
    while service_status "$1" && [ "$(grep -o '"state":"Connected"' "$TMP/status.json" | wc -l)" -lt "$2" ]; do
        [ $((tries -= 1)) -gt 0 ] || die "no $2 domains at $1"
        sleep 0.01
    done
}

# Requests of each connected domain, in the order of their numbers: "DOMID REQUESTS" lines.
domain_requests() { # NAME
    service_status "$1"
    sed 's/.*"domains"://' "$TMP/status.json" | tr '{' '\n' |
        sed -n 's/.*"domid":\([0-9]*\),.*"state":"Connected".*"requests":\([0-9]*\),.*/\1 \2/p'
}

# together ROW NAME SECONDS THREADS...: one client for each number, all running all the time; rates by
# what the service counts while they do.
together() {
    local row=$1 name=$2 seconds=$3 threads pids=() pid from to rates
    shift 3
    for threads in "$@"; do
        client_background "$TMP/together.${#pids[@]}" "$name" "$BIN/client" "$threads" $MANY
        pids+=("$CHILD")
    done
    wait_domains "$name" $#
    sleep 0.1
    domain_requests "$name" >"$TMP/before" && from=$EPOCHREALTIME
    sleep "$seconds"
    domain_requests "$name" >"$TMP/after" && to=$EPOCHREALTIME
    kill "${pids[@]}" || die "$row: a client ended early: $(cat "$TMP"/together.*.err)"
    for pid in "${pids[@]}"; do wait "$pid"; done
    children=()
    mapfile -t rates < <(paste "$TMP/before" "$TMP/after" |
        awk -v s="$(calculate "$to - $from")" '$1 == $3 { print ($4 - $2) / s }')
    [ ${#rates[@]} = $# ] || die "$row: ${#rates[@]} clients instead of $#"
    record "$row" rps "$(printf '%s\n' "${rates[@]}" | awk '{ s += $1 } END { printf "%.1f", s }')"
    record "$row" jain "$(jain "${rates[@]}")"
    record "$row" deviation "$(deviation "${rates[@]}")"
}

# ---- rivals -------------------------------------------------------------------------------------

fio_common=(--name=j --readonly --rw=randread --bs=512 "--size=${IMAGE_MIB}m" --thread --randrepeat=0
    --norandommap --time_based --group_reporting --output-format=json)

# fio_run ROW OPTION...
fio_run() {
    local row=$1 rps mean p50 p99 p999 cpu
    shift
    fio "${fio_common[@]}" --runtime="$(calculate "$CELL_S * 1000")ms" "$@" >"$TMP/fio.json" 2>"$TMP/fio.err" ||
        die "fio failed: $* $(cat "$TMP/fio.err")"
    read -r rps mean p50 p99 p999 cpu < <(fio_figures "$TMP/fio.json")
    record "$row" rps "$rps"
    record "$row" mean_ns "$mean"
    record "$row" p50_ns "$p50"
    record "$row" p99_ns "$p99"
    record "$row" p99_9_ns "$p999"
    record "$row" cpu_us "$cpu"
}

# fio_figures FILE [read|write]: that member and the job's own, of fio's JSON, which has one member a line.
fio_figures() {
    awk -v wanted="${2:-read}" '
        { key = $1; gsub(/[",:]/, "", key); value = $NF; gsub(/[",]/, "", value) }
        key == "read" { part = "read" }
        key == "write" { part = "write" }
        key == "trim" { part = "trim" }
        key ~ /^(slat|clat|lat)_ns$/ { sub_part = key }
        part == wanted && key == "iops" { rps = value }
        part == wanted && key == "total_ios" { count = value }
        part == wanted && sub_part == "lat_ns" && key == "mean" && mean == "" { mean = value }
        part == wanted && sub_part == "clat_ns" && key == "50.000000" { p50 = value }
        part == wanted && sub_part == "clat_ns" && key == "99.000000" { p99 = value }
        part == wanted && sub_part == "clat_ns" && key == "99.900000" { p999 = value }
        key == "job_runtime" { runtime_ms = value }
        key == "usr_cpu" { usr = value }
        key == "sys_cpu" { sys = value }
        END { printf "%.1f %.1f %s %s %s %.3f\n", rps, mean, p50, p99, p999, count ? (usr + sys) / 100 * runtime_ms * 1000 / count : 0 }
    ' "$1"
}

# Threads that read the image themselves, one read at a time: no service between.
fio_psync() { # ROW THREADS
    fio_run "$1" --filename="$IMAGE" --direct=1 --ioengine=psync --numjobs="$2"
}
fio_uring() { # ROW DEPTH OPTION...
    local row=$1 depth=$2
    shift 2
    fio_run "$row" --filename="$IMAGE" --direct=1 --ioengine=io_uring --registerfiles=1 --fixedbufs=1 --iodepth="$depth" "$@"
}
# relay_run ROW OPTION...: the least that a service between two processes can do (bench/relay.c).
# Nothing where there is no io_uring for it.
relay_run() {
    local row=$1 line
    shift
    RELAY_WORKS=${RELAY_WORKS-$("$PROGRAMS/relay" "$IMAGE" --mib "$IMAGE_MIB" --seconds 0.01 >/dev/null 2>&1 && echo yes)}
    [ -n "$RELAY_WORKS" ] || return 0
    line=$("$PROGRAMS/relay" "$IMAGE" --mib "$IMAGE_MIB" --seconds "$CELL_S" "$@") || die "relay $*"
    record "$row" rps "$(field per_second <<<"$line")"
    record "$row" cpu_us "$(field cpu_us <<<"$line")"
}
fio_nbd() { # ROW URI OPTION...
    local row=$1 uri=$2
    shift 2
    fio_run "$row" --ioengine=nbd --uri="$uri" "$@"
}
fio_has() { fio --enghelp 2>/dev/null | grep -qw "$1"; }

# server_start SOCKET COMMAND...: until the socket is there; its process is CHILD.
server_start() {
    local socket=$1 tries=500
    shift
    "$@" >"$socket.log" 2>&1 &
    CHILD=$!
    children+=("$CHILD")
    until [ -S "$socket" ]; do
        [ $((tries -= 1)) -gt 0 ] && kill -0 "$CHILD" 2>/dev/null || die "does not start: $*: $(cat "$socket.log")"
        sleep 0.01
    done
}
server_stop() {
    kill "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}
