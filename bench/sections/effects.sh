# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What each idea of the code is worth: bench/ablations/NAME.patch takes one away, and the two builds
# run the same loads in turn. The first lines of a patch say what it takes away, and which loads it is
# expected to matter for. Not part of a run without arguments: it takes about ten minutes.
begin_section effects 'What each idea is worth: rate with it over rate without'

# EFFECTS_LOADS: only these for the row that shows the noise.
read -ra effects_loads <<<"${EFFECTS_LOADS:-cold-1 cold-8 cold-64 cold-d32 hot-1 hot-64 hot-d32 writes-8 writes-64 writes-d32}"

# effects_client LOAD: the client's words.
effects_client() {
    case $1 in
    cold-1) echo 1 $MANY ;;
    cold-8) echo 8 $MANY ;;
    cold-64) echo 64 $MANY ;;
    cold-d32) echo 1 $MANY --depth 32 ;;
    hot-1) echo 1 $MANY --pattern "$HOT" ;;
    hot-64) echo 64 $MANY --pattern "$HOT" ;;
    hot-d32) echo 1 $MANY --depth 32 --pattern "$HOT" ;;
    writes-8) echo 8 $MANY --disk xvda --write 100 --sectors-per-request 8 ;;
    writes-64) echo 64 $MANY --disk xvda --write 100 --sectors-per-request 8 ;;
    writes-d32) echo 1 $MANY --disk xvda --depth 32 --write 100 --sectors-per-request 8 ;;
    esac
}

# effects_build NAME: this tree without the idea, in build/ablations/NAME; only what differs is compiled.
effects_build() {
    local tree=$TOP/build/ablations/$1 unpatched=$TOP/bench/ablations/$1.patch
    rm -rf "$tree"
    mkdir -p "$tree/build"
    cp -a "$TOP/Makefile" "$TOP/include" "$TOP/src" "$TOP/tools" "$TOP/tests" "$TOP/bench" "$tree" &&
        cp -a "$TOP/build/plain" "$tree/build" && mkdir "$tree/bin" || die "no room for $tree"
    [ "$1" = nothing ] || patch -s -p0 -d "$tree" <"$unpatched" || die "$unpatched does not fit this tree"
    make -s -C "$tree" all >"$TMP/build.log" 2>&1 || die "$1 does not build: $(tail -n 5 "$TMP/build.log")"
}

# effects_serve with|without BIN: hits are hand-overs (--shared-cache off), measured with a CPU for each side, or their rate would tell
# mostly of where the scheduler puts both.
effects_serve() {
    local BIN=$2
    service_start "cold.$1"
    echo "$SERVICE_PID" >"$TMP/effects.cold.$1"
    service_start "hot.$1" --cpu 1 --shared-cache off
    echo "$SERVICE_PID" >"$TMP/effects.hot.$1"
}

# The image of the section writes: its content is nobody's. One service at a time may write there.
effects_serve_writes() { # with|without BIN
    make_writes_image
    services+=("writes.$1")
    "$2/service" start --name "writes.$1" --disk "$writes_image,raw,xvda,w!" --idle-timeout 0 || die "no service: writes.$1"
    service_status "writes.$1"
    json_number "$TMP/status.json" pid >"$TMP/effects.writes.$1"
}

# effects_take NAME LOAD with|without BIN
effects_take() {
    local words kind=${2%-*} place=()
    read -ra words < <(effects_client "$2")
    [ "$kind" != hot ] || place=(taskset -c 0)
    [ "$kind" != writes ] || effects_serve_writes "$3" "$4"
    SERVICE_PID=$(<"$TMP/effects.$kind.$3")
    client_run "$1 $2 $3" "$kind.$3" ${place[@]+"${place[@]}"} "$4/client" "${words[@]}" --duration "$CELL_S"
    [ "$kind" != writes ] || service_stop "writes.$3"
}

effects_round() {
    local load
    for load in $loads; do
        if [ $((ROUND % 2)) = 1 ]; then
            effects_take "$idea" "$load" with "$TOP/bin"
            effects_take "$idea" "$load" without "$TOP/build/ablations/$idea/bin"
        else
            effects_take "$idea" "$load" without "$TOP/build/ablations/$idea/bin"
            effects_take "$idea" "$load" with "$TOP/bin"
        fi
    done
}

# effects_cell METRIC LOAD: with over without; median, smallest, largest.
effects_cell() {
    local median smallest largest
    read -r median smallest largest < <(ratios "$1" "$idea $2 with" "$idea $2 without" | spread)
    [ -n "$median" ] || { # the host moved in each round
        printf -- -
        return
    }
    printf '%.2f (%.2f..%.2f)' "$median" "$smallest" "$largest"
}

effects_table() { # METRIC
    local idea load loads
    printf '| idea |'
    printf ' %s |' "${effects_loads[@]}"
    printf '\n| --- |'
    printf ' ---: |%.0s' "${effects_loads[@]}"
    echo
    for idea in "${ideas[@]}"; do
        effects_about "$idea"
        printf '| %s |' "$what"
        for load in "${effects_loads[@]}"; do
            case " $loads " in *" $load "*) printf ' %s |' "$(effects_cell "$1" "$load")" ;; *) printf ' |' ;; esac
        done
        echo
    done
}

effects_about() { # NAME: sets what, loads
    if [ "$1" = nothing ]; then
        what='nothing (both builds are the same: the noise of this table)' loads=${effects_loads[*]}
        return
    fi
    what=$(sed -n 's/^what: //p' "$TOP/bench/ablations/$1.patch")
    loads=$(sed -n 's/^loads: //p' "$TOP/bench/ablations/$1.patch")
}

# EFFECTS: only these patches, by their names.
ideas=(nothing)
for idea in "$TOP"/bench/ablations/*.patch; do
    idea=${idea##*/}
    idea=${idea%.patch}
    case " ${EFFECTS:-$idea} " in *" $idea "*) ideas+=("$idea") ;; esac
done
for idea in "${ideas[@]}"; do effects_build "$idea"; done
for idea in "${ideas[@]}"; do
    effects_about "$idea"
    effects_serve with "$TOP/bin"
    effects_serve without "$TOP/build/ablations/$idea/bin"
    rounds "$ROUNDS" effects_round
    for kind in cold hot; do
        service_stop $kind.with
        service_stop $kind.without
    done
done
{
    echo "# $TITLE"
    echo
    echo "$ROUNDS_DONE rounds of $CELL_S s per cell and build, in turn: median of the ratios, in brackets the smallest and largest."
    echo 'Above 1 the idea helps; in rows "not kept" the patch puts one in, and above 1 it is better without. cold: uniform reads of the whole image, nothing pinned; hot: hits, Dom0 on CPU 1'
    echo 'and the client on CPU 0; writes: 4 KiB each, nothing pinned; N threads, or d32: one thread with 32 asynchronous requests. Each row: bench/ablations/ has the patch that takes the idea away.'
    echo
    effects_table rps
    echo
    echo 'CPU time a read, client and Dom0, with the idea over without: below 1 the idea saves.'
    echo
    effects_table cpu_us
} >"$RESULTS/effects.md"
on_terminal <"$RESULTS/effects.md"
