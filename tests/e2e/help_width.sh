#!/bin/bash
# SPDX-License-Identifier: MIT
# What --help and a usage error print fits a terminal of 80 columns.
. "$(dirname "$0")/functions.sh"

fits() { # COMMAND...: whatever its exit status is
    "$@" >out 2>&1 </dev/null
    [ -s out ] || die "$* says nothing"
    ! grep -nE '^.{81}' out || die "$*: wider than 80 columns"
}
for program in service client domu tool_for_integrity; do
    fits "$BIN/$program" --help
    fits "$BIN/$program" --no-such-option
done
for verb in run tap pcap traffic nbd vhost-user-blk; do
    fits "$BIN/domu" "$verb" --help
done
for verb in tap pcap traffic nbd vhost-user-blk; do
    fits "$BIN/domu" "$verb" --no-such-option
done
