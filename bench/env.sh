#!/bin/bash
# SPDX-License-Identifier: MIT
# Prints the facts of this machine that a measurement depends on, as lines "name: value".
#   bench/env.sh [FILE]     FILE: the image, for the disk that it lies on
set -u
image=${1:-.}

first() { sed -n "s/^$1[^:]*: *//p" "$2" 2>/dev/null | head -n 1; }
read_or() { cat "$1" 2>/dev/null || echo unknown; }

say() { printf '%s: %s\n' "$1" "$2"; }

say date "$(date -u +%Y-%m-%dT%H:%MZ)"
say kernel "$(uname -srm)"
say cpu "$(first 'model name' /proc/cpuinfo), $(nproc) CPUs, $(lscpu 2>/dev/null | first 'Thread(s) per core' /dev/stdin) thread(s) per core"
say hypervisor "$(lscpu 2>/dev/null | first 'Hypervisor vendor' /dev/stdin)"
say memory "$(awk '/MemTotal/ {printf "%.1f GiB", $2 / 1048576}' /proc/meminfo)"

source=$(df --output=source "$image" 2>/dev/null | tail -n 1)
say filesystem "$(df --output=fstype "$image" 2>/dev/null | tail -n 1) on $source"
disk=$(lsblk -ndso NAME "$source" 2>/dev/null | tail -n 1)
if [ -n "$disk" ] && [ -d "/sys/block/$disk/queue" ]; then
    queue=/sys/block/$disk/queue
    say disk "$disk, $(find "/sys/block/$disk/mq" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | wc -l) queue(s) of $(read_or "$queue/nr_requests"), rotational $(read_or "$queue/rotational")"
    say scheduler "$(read_or "$queue/scheduler" | sed "s, *$,,")"
    say 'logical block' "$(read_or "$queue/logical_block_size") bytes, physical $(read_or "$queue/physical_block_size")"
fi
say load "$(cut -d ' ' -f 1-3 /proc/loadavg)"
# Time that the host gave to others, in percent of all since the start of the machine.
say steal "$(awk '/^cpu / {all = 0; for (i = 2; i <= 9; i++) all += $i; printf "%.2f %%", all ? 100 * $9 / all : 0}' /proc/stat)"
say compiler "$(${CC:-gcc} --version 2>/dev/null | head -n 1)"
for tool in fio nbdkit qemu-nbd qemu-storage-daemon strace gnuplot; do
    command -v "$tool" >/dev/null && say "$tool" "$("$tool" --version 2>/dev/null | head -n 1)"
done
say revision "$(git describe --always --dirty 2>/dev/null || echo unknown)"
