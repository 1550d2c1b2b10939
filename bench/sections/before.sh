# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# This tree against another checkout of it, built: BEFORE=DIRECTORY bench/run.sh before. Both run the same
# loads in turn; who goes first changes from round to round. Not part of a run without arguments.
begin_section before 'This revision over another one'

# BEFORE_LOADS: only these.
read -ra before_loads <<<"${BEFORE_LOADS:-cold-1 cold-8 cold-64 cold-d8 cold-d32 hot-1 hot-64 hot-d32 ring-1 ring-64 ring-d32 zipf-8 hotset-8}"

# before_client LOAD: the client's words.
before_client() {
    local words=(1 "$MANY")
    case $1 in
    *-d*) words+=(--depth "${1##*-d}") ;;
    *) words[0]=${1##*-} ;;
    esac
    case $1 in
    hot-* | ring-*) words+=(--pattern "$HOT") ;;
    zipf-*) words+=(--pattern zipf:0.99) ;;
    hotset-*) words+=(--pattern hotset:10) ;;
    esac
    echo "${words[*]}"
}

# before_serve before|after BIN: hits are measured with a CPU for each side, or their rate would tell mostly
# of where the scheduler puts both.
before_serve() {
    local BIN=$2 ring
    service_start "cold.$1"
    before_pid[cold.$1]=$SERVICE_PID
    service_start "hot.$1" --cpu 1
    before_pid[hot.$1]=$SERVICE_PID
    # A hand-over each, where it can be told to.
    if "$BIN/service" --help | grep -q -e --shared-cache; then ring=(--shared-cache off); else ring=(); fi
    service_start "ring.$1" --cpu 1 "${ring[@]}"
    before_pid[ring.$1]=$SERVICE_PID
    service_start "skew.$1"
    before_pid[skew.$1]=$SERVICE_PID
}

# Each by the program that started it: the two may not speak the same protocol.
before_stop() { # before|after BIN
    local BIN=$2
    service_stop "cold.$1"
    service_stop "hot.$1"
    service_stop "ring.$1"
    service_stop "skew.$1"
}

# before_take LOAD before|after BIN
before_take() {
    local words kind=${1%-*} place=()
    read -ra words < <(before_client "$1")
    case $kind in
    cold) ;;
    zipf | hotset) kind=skew ;; # a part of them are hits, as many as the cache lets be
    *) place=(taskset -c 0) ;;
    esac
    SERVICE_PID=${before_pid[$kind.$2]}
    client_run "$1 $2" "$kind.$2" ${place[@]+"${place[@]}"} "$3/client" "${words[@]}" --duration "$CELL_S"
}

# The same law without a service, for loads that have one.
before_fio() {
    local law
    case $1 in
    zipf-*) law=zipf:0.99 ;;
    hotset-*) law=zoned:90/10:10/90 ;;
    *) return ;;
    esac
    fio_run "$1 fio" --filename="$IMAGE" --direct=1 --ioengine=psync --numjobs="${1##*-}" --random_distribution="$law"
}

before_round() {
    local load
    for load in "${before_loads[@]}"; do
        before_fio "$load"
        if [ $((ROUND % 2)) = 1 ]; then
            before_take "$load" after "$BIN"
            before_take "$load" before "$BEFORE/bin"
        else
            before_take "$load" before "$BEFORE/bin"
            before_take "$load" after "$BIN"
        fi
    done
}

[ -n "${BEFORE:-}" ] && [ -x "$BEFORE/bin/service" ] && [ -x "$BEFORE/bin/client" ] ||
    die "before: BEFORE must be the directory of another checkout that is built"
declare -A before_pid
before_serve after "$BIN"
before_serve before "$BEFORE/bin"
rounds "$ROUNDS" before_round
before_stop after "$BIN"
before_stop before "$BEFORE/bin"
note "before is $(git -C "$BEFORE" describe --always --dirty 2>/dev/null || echo unknown)"
for load in "${before_loads[@]}"; do
    goal_ratio "$load: rate over before" rps "$load after" "$load before" '>=' 0.97 1
done
for load in "${before_loads[@]}"; do
    case $load in zipf-* | hotset-*) goal_ratio "$load: rate over fio without a service" rps "$load after" "$load fio" '>=' 1 1 ;; esac
done
for load in "${before_loads[@]}"; do
    goal_ratio "$load: CPU per read over before" cpu_us "$load after" "$load before" '<=' 1.03 1
done
finish_section rps p50_ns p99_ns cpu_us
