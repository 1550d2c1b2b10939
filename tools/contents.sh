#!/bin/bash
# SPDX-License-Identifier: MIT
# Prints the table of contents of the source tree, as docs/architecture.md has it: a row for each noun (a .c with
# its .h), with the first sentence of its head. contents.sh --write puts it there.
set -u
cd "$(dirname "$0")/.." || exit 1

rooms='include/splitdom|between the two halves, and the library for programs
include/splitdom/xen|the layouts of Xen
src/base|what several rooms need; nothing of Xen but the names of disks
src/ring|shared memory between two that do not trust each other
src/trace|the lives of requests: written down by both halves, read by both programs
src/tdf|clocks that run at another rate
src/xenstore|the store: what both ends share, and the end of the domain
src/xenstore/tree|the store: nodes, watches, transactions
src/xenstore/server|the store: requests and connections
src/service/loop|the one place that sleeps
src/service/block|disks: no ring, no grant, no domain
src/service/block/cache|which sectors stay in memory
src/service/block/engine|what really reads
src/service/net|the network inside Dom0: no ring, no grant, no domain
src/service/back|back ends of any class
src/service/back/vbd|the back end of a disk
src/service/back/vif|the back end of a network interface
src/service/dom0|domains and their administration
src/service/dom0/disks|what disks are called, and those that Dom0 has
src/service/dom0/memory|the memory of domains, and how much there may be
src/service/dom0/vifs|what network interfaces are called, and the network that Dom0 has
src/service/dom0/tracing|who traces, and the memory that it takes
src/service/cli|the verbs of `service`
src/service/cli/top|`service top`: what is shown, and how
src/domu|the library: a process as a domain
src/domu/blkfront|the front end of a disk
src/domu/netfront|the front end of a network interface
src/run|the verbs of `domu`; unmodified programs on the clock of a domain
src/run/traffic|frames at a rate, and what became of them
src/run/shim|inside of such a program, on no libc: how it begins
src/run/shim/call|the mediated system calls
src/run/shim/core|what the calls stand on
src/client|the workload program
src/bridge|disks and networks of a domain for software that knows nothing of them
src/bridge/nbdkit|as NBD exports
src/bridge/fio|as an engine of fio
src/bridge/vhost|as a vhost-user-blk device
src/bridge/net|network interfaces as tap devices and captures
tools/integrity|the judge of what was read'

# first_sentence FILE NOUN: of the first comment behind the licence line, without the noun in front, which may be
# called as its functions are (net_rules), or as its verb (tap).
first_sentence() {
    awk -v noun="$2" '
        FNR == 1 { next }
        /^\/\*/ { inside = 1 }
        !inside { exit }
        {
            end = /\*\//
            gsub(/^\/?\*+ ?|^ \* ?| ?\*\/$/, "")
            if (/^ *\*?$/ && text != "") exit
            text = text (text == "" || $0 == "" ? "" : " ") $0
            if (end) exit
        }
        END {
            gsub(/ +/, " ", text)
            sub(/^ /, "", text)
            short = noun
            sub(/^(verb|link)_/, "", short)
            sub("^(net_)?(" noun "|" short ")[a-z_{},. *]*: ", "", text)
            if (match(text, /[.:;] /)) text = substr(text, 1, RSTART - 1)
            if (text ~ /\([^)]*$/) sub(/ *\([^)]*$/, "", text) # the cut was within parentheses
            sub(/[.:;]$/, "", text)
            gsub(/\|/, "\\|", text)
            print text
        }' "$1"
}

contents() {
    local room about noun file text
    echo '| where | what |'
    echo '|---|---|'
    while IFS='|' read -r room about; do
        printf '| **`%s/`** | **%s** |\n' "$room" "$about"
        for noun in $(find "$room" -maxdepth 1 -name '*.[ch]' -printf '%f\n' | sed 's/\.[ch]$//' | sort -u); do
            text=
            for file in "$room/$noun.h" "$room/$noun.c"; do
                [ -z "$text" ] && [ -e "$file" ] && text=$(first_sentence "$file" "$noun")
            done
            printf '| `%s` | %s |\n' "$noun" "$text"
        done
    done <<<"$rooms"
}

case ${1:-} in
'') contents ;;
--write)
    page=docs/architecture.md
    { sed '/^<!-- contents -->$/q' "$page"; contents; sed -n '/^<!-- end of contents -->$/,$p' "$page"; } >"$page.new" &&
        cat "$page.new" >"$page" && rm "$page.new"
    ;;
*)
    echo "usage: contents.sh [--write]" >&2
    exit 2
    ;;
esac
