#!/bin/bash
# SPDX-License-Identifier: MIT
# The runner of the tests itself: who is run once more, and what is said of that. Its scripts count how often they
# are run.
. "$(dirname "$0")/files.sh"

TOP=$PWD
tree=$(mktemp -d) || exit 2
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{bin,scripts}
for program in service client; do
    printf '#!/bin/sh\n' >"$tree/bin/$program" && chmod +x "$tree/bin/$program"
done

script() { # NAME TEXT: run once, it is $1 = 1, and so on
    cat >"$tree/scripts/$1.sh" <<END
runs=\$(cat "$tree/$1.runs" 2>/dev/null || echo 0)
runs=\$((runs + 1)) && echo \$runs >"$tree/$1.runs"
$2
END
}
script passes 'exit 0'
script skips 'echo "needs nothing"; exit 77'
script fails_twice 'echo "try $runs"; exit 1'
script fails_once 'echo "try $runs"; [ $runs = 2 ]'
script nothing_lost 'echo "$0: line 3"; [ $runs = 2 ]'
script reported 'echo "==7==ERROR: LeakSanitizer: detected memory leaks"; [ $runs = 2 ]'
script reports_beside 'touch "$TEST_LOG.report.7"; [ $runs = 2 ]'
script dies 'echo "line 3: 77 Segmentation fault"; [ $runs = 2 ]'
script loses 'echo "after kill 1: 3 sectors lost"; [ $runs = 2 ]'
script wants_quiet '# alone
[ $runs = 2 ]'
script plain_alone '
# sanitizers: long'

# run_by COMMAND...: in a shell of its own; the paths of logs are below TOP
run_by() {
    (
        cd "$tree" || exit 2
        TOP=$tree LOGS=logs JOBS=2
        mkdir -p logs
        . "$OLDPWD/tests/runner.sh"
        "$@"
        summary
        echo "summary says $?"
    ) >"$tree/out" 2>&1
}
run_the_scripts() { begin_stage e2e && e2e_scripts e2e "$tree/bin" 1 run_one "$1"; }
run() { run_by run_the_scripts "$1"; } # SCRIPTS

findings=''
complain() { findings+="tests/runner.sh:1: $*"$'\n'; }
runs() { # NAME COUNT
    [ "$(cat "$tree/$1.runs")" = "$2" ] || complain "$1 was run $(cat "$tree/$1.runs") times instead of $2"
}
says() { grep -qE -- "$1" "$tree/out" || complain "does not say '$1': $(cat "$tree/out")"; }

run scripts
for name in passes plain_alone skips reported reports_beside dies loses; do runs $name 1; done
for name in fails_once fails_twice nothing_lost wants_quiet; do runs $name 2; done
for name in fails_twice reported reports_beside dies loses; do
    says "^  FAIL  e2e/$name "
    says "^FAILED: .*/$name.log"
done
says '^  later e2e/fails_once '
says '^  again e2e/fails_once .*fails_once.first.log'
says '^        try 1'
says '^passed at the second try: 3: e2e/fails_once e2e/nothing_lost e2e/wants_quiet$'
says '^5 passed, 5 failed, 1 skipped$'
says '^summary says 1$'

# Programs likewise.
for name in passes fails_twice fails_once dies; do
    sed '1i #!/bin/bash' "$tree/scripts/$name.sh" >"$tree/bin/$name" && chmod +x "$tree/bin/$name"
done
rm -rf "$tree"/logs "$tree"/{passes,fails_once,fails_twice,dies}.runs
run_the_programs() {
    mkdir -p logs
    begin_stage unit
    # shellcheck disable=SC2317 # in_parallel calls it
    one() { run_one unit "$(basename "$1")" 20 "$1"; }
    in_parallel one unit bin/passes bin/fails_twice bin/fails_once bin/dies
}
run_by run_the_programs
for name in passes dies; do runs $name 1; done
for name in fails_once fails_twice; do runs $name 2; done
says '^  again unit/fails_once .*fails_once.first.log'
says '^passed at the second try: 1: unit/fails_once$'
says '^2 passed, 2 failed, 0 skipped$'
rm -rf "$tree"/logs

# What a script says of sanitizers is kept, but for the long run.
TEST_SAN=address run scripts
runs plain_alone 1
says 'left to make check-long: plain_alone$'
TEST_SAN=address TEST_LONG=1 run scripts
runs plain_alone 2

# So many failures are no accident, and not worth the time.
rm -rf "$tree"/logs "$tree"/*.runs "$tree"/scripts/*
for name in one two three four five; do script $name '[ $runs = 2 ]'; done
run scripts
for name in one two three four five; do runs $name 1; done
says '^0 passed, 5 failed, 0 skipped$'

# The machine is asked for by those alone that want to be alone, or are run once more.
asks() { # COUNT
    # shellcheck disable=SC2317 # the runner calls it
    run_counted() {
        by_itself() { say "asks for the machine" && "$@"; }
        run_the_scripts scripts
    }
    rm -rf "$tree"/logs "$tree"/*.runs
    run_by run_counted
    [ "$(grep -c 'asks for the machine' "$tree/out")" = "$1" ] || complain "the machine is not asked for $1 times: $(cat "$tree/out")"
}
rm -f "$tree"/scripts/*
script passes 'exit 0'
script dies 'echo "line 3: 77 Segmentation fault"; exit 1'
asks 0
script wants_quiet '# alone
exit 0'
asks 1
rm "$tree/scripts/wants_quiet.sh"
script fails_once '[ $runs = 2 ]'
asks 1

finish "$findings"
