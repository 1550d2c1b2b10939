# SPDX-License-Identifier: MIT
# Four domains read, write, discard and flush the same sectors of one disk: each read finds what a byte array allows.
# Engines uring and threads, the shared cache on and off. TEST_LONG: ten minutes in all.
# timeout: 900
. "$(dirname "$0")/functions.sh"

seconds=2
[ -z "${TEST_SAN:-}" ] || seconds=1
[ -z "${TEST_LONG:-}" ] || seconds=${ORACLE_SECONDS:-150}
for setting in 'uring on' 'uring off' 'threads on' 'threads off'; do
    read -r engine shared <<<"$setting"
    seed=$RANDOM
    rm -f disk1.img
    truncate -s 16M disk1.img # the cache takes 1 % of it
    start_service --disk "$PWD/disk1.img,raw,xvda,w!" --engine "$engine" --shared-cache "$shared"
    # In a session of its own: one that has found a fault ends all.
    setsid -w "$TEST_BIN/shared_oracle" "$seconds" $seed private >out 2>err ||
        die "$setting, seed $seed: exit $?: $(cat err)"
    [ "$(sed 's/ .*//' out)" -gt 100 ] || die "$setting: $(cat out)"
    echo "$setting: $(cat out)"
    service stop >/dev/null || die "stop"
done
