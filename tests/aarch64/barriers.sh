#!/bin/bash
# SPDX-License-Identifier: MIT
# What orders memory in aarch64's instructions, where QEMU can't show it: on x86 it makes plain stores
# and loads of stlr and ldar, and they pass each other.
#   The sleep protocol: each push, each final check and who lies down stores by stlr, then loads by ldar, which
#   never passes an earlier stlr (ldapr and ldr may).
#   The clock: the counter is read after a dsb, which waits for the stores before it.
# tests/aarch64/barriers.sh [BUILD]: default build/aarch64. Exit status: 0 so it is, 1 it is not, 77 no tool.
set -u
build=${1:-build/aarch64}
objdump=aarch64-linux-gnu-objdump
command -v $objdump >/dev/null || {
    echo "needs $objdump (Debian: binutils-aarch64-linux-gnu)"
    exit 77
}
failures=0
# expect FILE FUNCTION PATTERN: the function's ordering instructions, in their order
expect() {
    local order
    order=$($objdump -d --no-show-raw-insn "$build/$1" |
        awk -v "head=<$2>:" '$2 == head { on = 1; next } on && NF == 0 { exit } on { print $2 }' |
        grep -E '^(stlr|ldar|ldapr|dmb|dsb|isb|mrs)$' | tr '\n' ' ')
    if [[ $order =~ $3 ]]; then
        printf '%-28s %s\n' "$2" "$order"
    else
        printf '%-28s %s\n' "$2" "has '$order', not '$3'"
        failures=$((failures + 1))
    fi
}
for function in front_push front_final_check front_lie_down back_push back_final_check; do
    expect tests/stress/ring_litmus $function '^stlr ldar $'
done
expect tests/stress/ring_litmus back_push_and_look '^stlr ldar ldar $'
expect src/tdf/source.o tdf_source_counter_ordered '^dsb isb mrs dsb '
exit $((failures != 0))
