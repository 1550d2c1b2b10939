# SPDX-License-Identifier: MIT
# Where the system has no memory files that can be sealed, or forbids them, the service does not start
# and says what is missing. A client needs none of its own.
. "$(dirname "$0")/functions.sh"

"$TEST_BIN/no_seals" create 1 true || skip "seccomp filters are not allowed here"
image disk1.img 4
for what in create seal; do
    for error in 1 13 22 38; do # EPERM, EACCES, EINVAL, ENOSYS
        expect 1 'cannot make memory for domains \(memfd_create, F_ADD_SEALS' \
            "$TEST_BIN/no_seals" $what $error "$BIN/service" start
        expect 3 'no service' service status
    done
done
start_service
"$TEST_BIN/no_seals" create 38 "$BIN/client" 4 500 >/dev/null || die "a client needs memfd_create"
verify_all 500
