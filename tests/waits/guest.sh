# SPDX-License-Identifier: MIT
# guest: a guest kernel's seconds, judged by the real clock. For end-to-end scripts, after their functions.sh.
# shellcheck shell=bash

# guest_init FILE N: the first program of a guest: N times a second's sleep, its uptime told before and after each.
guest_init() {
    cat >"$1" <<END
#!/bin/sh
mount -t proc proc /proc
i=0
while [ \$i -le $2 ]; do
    [ \$i = 0 ] || sleep 1
    read -r uptime rest </proc/uptime
    echo "UPTIME \$uptime"
    i=\$((i + 1))
done
/sbin/poweroff -f
END
    chmod +x "$1"
}

# judge_guest TDF N: reads the guest's console. No second may be shorter than TDF real ones, but for 1 %; longer ones
# are the machine's load, in which at least half must be within 1 %. The guest's own uptime tells hundredths.
judge_guest() {
    local tdf=$1 count=$2 line uptime
    : >seconds
    while read -r line; do
        echo "$line" >>console
        case $line in
        *UPTIME*)
            uptime=${line##*UPTIME }
            echo "$(now_ms) ${uptime%$'\r'}" >>seconds
            ;;
        esac
    done
    [ "$(wc -l <seconds)" = $((count + 1)) ] || die "the guest does not come to its end: $(tail -n 5 console)"
    awk -v tdf="$tdf" -v count="$count" '
        NR > 1 {
            real = ($1 - at) / 1000 / tdf; own = $2 - up
            if (real < 0.99 || own < 0.985) bad = 1
            if (real <= 1.01 && own <= 1.015) good++
            sum += real; rise += own
        }
        { at = $1; up = $2 }
        END {
            printf "%d of %d seconds within 1 %%; means: %.3f real seconds over %s, uptime %.3f\n", good, count,
                sum / count, tdf, rise / count
            exit bad || good * 2 < count
        }' seconds || die "real milliseconds and uptime: $(cat seconds)"
}
