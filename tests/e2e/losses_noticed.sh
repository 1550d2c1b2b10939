# SPDX-License-Identifier: MIT
# Would nothing_lost.sh and flushed_found.sh notice a loss? Each against a Dom0 with a fault planted in a copy of the
# sources: an acknowledgement sent before the write is made, and a flush that does nothing. Both must fail.
# timeout: 900
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "builds Dom0 twice more: TEST_LONG=1"
[ -z "${TEST_SAN:-}" ] || skip "once is enough, without sanitizers"
requires gcc make
engine=src/service/block/engine/disk_threads.c
unset TEST_LONG MAKEFLAGS MAKELEVEL VARIANT SAN

# twin NAME SED-SCRIPT: a tree with a broken engine, built
twin() {
    mkdir "$1"
    (cd "$TOP" && cp -r Makefile include src tests bench tools "$SCRATCH/$1/") || die "no copy"
    sed -i "$2" "$1/$engine"
    cmp -s "$TOP/$engine" "$1/$engine" && die "twin $1 is none"
    make -C "$1" --no-print-directory -j2 bin/service bin/client >build.log 2>&1 ||
        die "twin $1 does not build: $(tail -n 5 build.log)"
}
# must_fail NAME SCRIPT PATTERN: the script says what was lost
must_fail() {
    if BIN=$PWD/$1/bin ENGINES=threads bash "$TOP/tests/e2e/$2" >log 2>&1; then
        die "$2 holds with twin $1: it would not notice"
    fi
    grep -q "$3" log || die "$2 fails otherwise with twin $1: $(cat log)"
    echo "twin $1 is noticed: $(grep -m 1 FAILED log)"
}

# The answer goes out, then the write is made, from a copy. Nobody can tell, as long as Dom0 lives: what comes
# next waits for the write.
twin early '
s|^static void \*pool_main|static int behind_count;\n&|
s|while (dt->waiting.first == NULL && !dt->is_stopping)|while ((dt->waiting.first == NULL \|\| behind_count > 0) \&\& !dt->is_stopping)|
s|^        struct disk_io \*io = list_take_first.*|&\n        struct disk_io behind = *io;\n        bool early = io->operation == DISK_WRITE \&\& io->iov_count == 0;\n        behind_count += early;|
s|^        carry_out(io);|        if (early) {\n            behind.buffer = aligned_alloc(4096, (io->length_bytes + 4095u) / 4096 * 4096);\n            __builtin_memcpy(behind.buffer, io->buffer, io->length_bytes);\n            (void)disk_span_result(io, io->length_bytes);\n        } else {\n            carry_out(io);\n        }|
/^            (void)rc;/{n;s|$|\n        if (early) {\n            pthread_mutex_unlock(\&dt->mutex);\n            usleep(1000);\n            carry_out(\&behind);\n            free(behind.buffer);\n            pthread_mutex_lock(\&dt->mutex);\n            behind_count--;\n            pthread_cond_broadcast(\&dt->work);\n        }|}'
must_fail early nothing_lost.sh 'FAILED: after kill .* sectors: .*instead of'

# The flush is answered, and the disk knows nothing of it.
twin no_flush 's|return fdatasync(io->image->fd);|return 0;|'
must_fail no_flush flushed_found.sh 'FAILED: after loss .* sectors: .*instead of'
