# SPDX-License-Identifier: MIT
# Completion of bash for splitdom's programs: verbs and options as the programs' own --help tells them, so that
# there is no second list.
# shellcheck shell=bash

# _splitdom_usage PROGRAM [VERB]: verbs, a line each; with VERB: its options and those of every verb.
_splitdom_usage() {
    "$1" --help 2>/dev/null | awk -v wanted="${2:-}" '
        # Verbs stand at the beginning, by at most two blanks; behind two more comes what they do.
        /^ ? ?[a-z]/ && !/^(usage|options|stdout)/ {
            left = $0
            sub(/^ */, "", left)
            sub(/  .*/, "", left)
            mine = 0
            count = split(left, uses, ", ")
            for (i = 1; i <= count; i++) {
                if (uses[i] !~ /^[a-z]/) continue
                verb = uses[i]
                sub(/ .*/, "", verb)
                if (wanted == "" && !(verb in seen)) print verb
                seen[verb] = 1
                if (verb == wanted) mine = 1
            }
            verbs = 1
        }
        /^(options|--)|^  --/ { mine = 1 } # of every verb
        wanted != "" && mine {
            text = $0
            while (match(text, /--[a-z][a-z-]*/)) {
                option = substr(text, RSTART, RLENGTH)
                if (!(option in seen)) print option
                seen[option] = 1
                text = substr(text, RSTART + RLENGTH)
            }
        }'
}

_splitdom() {
    local program=$1 word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]} words
    case $previous in
    --image | --dump-latencies | --trace | --disk)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --rundir)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    esac
    if [ "$COMP_CWORD" = 1 ]; then
        words="$(_splitdom_usage "$program")"
        [ -n "$words" ] || words=$(_splitdom_usage "$program" -) # a program without verbs
        words+=" --help --version"
    else
        words=$(_splitdom_usage "$program" "$verb")
    fi
    case $word in
    -*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word") ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W "$([ "$COMP_CWORD" != 1 ] || echo "$words")" -- "$word")
        [ ${#COMPREPLY[@]} != 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    esac
}

complete -F _splitdom splitdom-service splitdom-client splitdom-domu
