# SPDX-License-Identifier: MIT
# Programs that are built with sanitizers, under domu run: the conformance test's own, with AddressSanitizer and
# UndefinedBehaviorSanitizer, and with ThreadSanitizer; nothing is found in it, and its waits are right.
# timeout: 900
. "$(dirname "$0")/functions.sh"

[ -z "${TEST_SAN:-}" ] || skip "what runs in programs is not sanitized; domu_run.sh has the rest"
[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
[ -n "${TEST_LONG:-}" ] || skip "a long test: TEST_LONG=1"
WAITS=${TEST_BIN%/e2e}/waits
[ -x "$WAITS/waits" ] || die "$WAITS/waits is not built"
image disk1.img 4
start_service --idle-timeout 0

# ThreadSanitizer holds signals back, with and without a domain, and handles faults by itself.
cp "$TOP/tests/waits/undilated.txt" except.address
{ cat except.address && printf '%s\n' 'timer SIGEV_THREAD' 'a bad address' "a handler's mask" sigsuspend 'pselect with a mask' 'ppoll with a mask' 'epoll_pwait with a mask'; } >except.thread
for sanitizer in address,undefined thread; do
    name=${sanitizer%%,*}
    (cd "$TOP" && "${CC:-gcc}" -std=gnu11 -O1 -g -D_GNU_SOURCE -Iinclude -Isrc -I. -fsanitize="$sanitizer" \
        -fno-sanitize-recover=undefined -pthread -o "$SCRATCH/waits_$name" tests/waits/*.c -lrt) 2>why ||
        skip "no sanitizers: $(tail -n 1 why)"
    # Some kernels place programs where ThreadSanitizer can't have them, in a domain or not.
    place='env'
    "$SCRATCH/waits_$name" --list >/dev/null 2>why || place='setarch -R'
    if ! $place "$SCRATCH/waits_$name" --list >/dev/null 2>why; then
        echo "$sanitizer: left out, as its programs do not run here without a domain either: $(head -n 1 why)"
        continue
    fi
    # shellcheck disable=SC2086
    timeout -k 2 400 "$WAITS/waits" --tdf 10 --quiet --tolerance 20 --slack 50 --tries 4 --jobs 12 --wait 40 --except except.$name \
        --program "$SCRATCH/waits_$name" -- $place "$BIN/domu" run --tdf 10 -- >found 2>errors || die "$name: $(cat found; head -n 20 errors)"
    ! grep -aE 'Sanitizer|runtime error' errors || die "$name: $(head -n 20 errors)"
    echo "$sanitizer: $(tail -n 1 found)"
done
