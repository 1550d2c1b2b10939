#!/bin/bash
# SPDX-License-Identifier: MIT
# Rules of Dom0's bridges against the same rules in nft on a bridge of the kernel: 10,000 random frames, equal
# verdicts. Skipped where there is no nft, or no network namespace may be made.
. "$(dirname "$0")/functions.sh"
requires nft ip bridge unshare

[ -c /dev/net/tun ] || skip "there is no /dev/net/tun"
apart() { unshare --user --map-root-user --net "$@"; }
apart true 2>/dev/null || skip "no network namespace may be made here"
rc=0
apart "$TEST_BIN/nft_rules" 10000 20261130 >out 2>&1 || rc=$?
[ $rc != 77 ] || skip "not permitted here: $(tail -1 out)"
[ $rc = 0 ] || die "verdicts differ (exit $rc): $(tail -5 out)"
cat out
