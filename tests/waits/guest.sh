# SPDX-License-Identifier: MIT
# guest: a guest kernel's seconds, judged by its clock and the real one. For end-to-end scripts, after their functions.sh.
# shellcheck shell=bash

# guest_init FILE N: the first program of a guest: N times a second's sleep; before and after each the guest's clock and
# its /proc/uptime are told five times, a little apart: "AT number nanoseconds seconds".
guest_init() {
    cat >"$1" <<END
#!/bin/sh
mount -t proc proc /proc
mark() {
    k=0
    while [ \$k -lt 5 ]; do
        [ \$k = 0 ] || sleep 0.02
        while read -r first second third rest; do
            [ "\$first \$second" != 'now at' ] || break
        done </proc/timer_list
        read -r up rest </proc/uptime
        echo "AT \$i \$third \$up"
        k=\$((k + 1))
    done
}
i=0
while [ \$i -le $2 ]; do
    [ \$i = 0 ] || sleep 1
    mark
    i=\$((i + 1))
done
/sbin/poweroff -f
END
    chmod +x "$1"
}

# judge_guest TDF N: reads the guest's console. A second of the guest's clock must take TDF real ones, within 1 %, in 19
# of 20 at least, and no sleep may be shorter than a second. A line that comes late, because the machine is busy, says
# nothing: of the five at each end the one counts that came the soonest after what it tells. How long the sleeps took by the guest's
# own clock is the load's matter, and only printed. /proc/uptime, in hundredths, must rise over each sleep by what that clock does,
# but for its steps, and over all of them by a second in TDF real ones, within 1 %.
judge_guest() {
    local tdf=$1 count=$2 line
    : >marks
    while read -r line; do
        echo "$line" >>console
        case $line in
        *AT\ *)
            line=${line##*AT }
            echo "${EPOCHREALTIME/[.,]/} ${line%$'\r'}" >>marks
            ;;
        esac
    done
    [ "$(wc -l <marks)" = $((5 * (count + 1))) ] || die "the guest does not come to its end: $(tail -n 5 console)"
    awk -v tdf="$tdf" -v count="$count" '
        function judge() {
            rate = (real - real_before) / (own - own_before) / tdf
            if (rate < 0.99 || rate > 1.01) missed++
            sum += rate
        }
        { at = $1 / 1e6; now = $3 / 1e9; behind = at - tdf * now }
        NR == 1 { origin = at }
        $2 != mark || NR == 1 {
            if ($2 > 1) judge()
            if ($2 > 0) {
                slept = now - last; if (slept < 1) bad = 1; all += slept; if (slept > longest) longest = slept
                rise = $4 - up; risen += rise; if (rise > 0.985 && rise < 1.015) ones++
                if (rise < slept - 0.02 || rise > slept + 0.03) bad = 1
            }
            real_before = real; own_before = own; mark = $2; least = behind + 1
        }
        NR == 1 { up_origin = $4; own_origin = now }
        { last = now; up = $4 }
        behind < least { least = behind; real = at; own = now }
        END {
            judge()
            uptime = (up - up_origin) / (last - own_origin)
            printf "/proc/uptime rises by %.4f s in a sleep, in %d of %d by 1.00 or 1 %% more or less; by %.4f of the clock\n",
                risen / count, ones, count, uptime
            if (uptime < 0.99 || uptime > 1.01) bad = 1
            printf "%d of %d seconds within 1 %%, mean %.4f; sleeps of %.3f s, the longest %.3f, by the guest'"'"'s clock\n",
                count - missed, count, sum / count, all / count, longest
            exit bad || missed > count / 20
        }' marks || die "real microseconds, number, the guest's nanoseconds: $(cat marks)"
}
