#!/bin/bash
# SPDX-License-Identifier: MIT
# Completion of bash: each verb that is offered is one that the program knows, each option of a usage text is offered
# with its verb, and nothing else is.
# sanitizers: long: it asks for words that --help has, which service_arguments and client_arguments ask for
. "$(dirname "$0")/functions.sh"
# shellcheck source=tools/completion.bash
. "$TOP/tools/completion.bash"

# offered PROGRAM WORD...: what is offered for the last word
offered() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _splitdom "$1"
    printf '%s\n' "${COMPREPLY[@]}"
}
options_in() { grep -oE -- '--[a-z][a-z-]*' | sort -u; }

for program in service domu; do
    count=0
    for verb in $(offered "$BIN/$program" '' | grep -v '^-'); do
        "$BIN/$program" "$verb" --no-such-option >out 2>&1 </dev/null
        grep -qE "unknown verb|no verb" out && die "$program has no verb $verb: $(cat out)"
        count=$((count + 1))
        offered "$BIN/$program" "$verb" -- >>all.$program
    done
    [ $count -ge 2 ] || die "$count verbs of $program"
    # Together they have all that the usage text has.
    sort -u "all.$program" >got
    "$BIN/$program" --help | options_in >wanted
    cmp -s got wanted || die "options of $program: $(diff wanted got)"
done
[ "$(offered "$BIN/service" un)" = unpause ] || die "un: $(offered "$BIN/service" un)"
offered "$BIN/service" start --ima | grep -qx -- --image || die "start --ima"
offered "$BIN/service" stop --ima | grep -qx -- --image && die "stop has no --image"
offered "$BIN/service" stop --na | grep -qx -- --name || die "stop --na"
touch disk9.img
[ "$(offered "$BIN/service" start --image dis)" = disk9.img ] || die "a file behind --image"
offered "$BIN/client" 1 2 -- | sort -u >got
"$BIN/client" --help | options_in >wanted
cmp -s got wanted || die "options of client: $(diff wanted got)"
