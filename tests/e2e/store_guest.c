/* SPDX-License-Identifier: MIT */
/*
 * store_guest: a domain that only uses the store, over its ring, and not as a well-behaved one
 * would.
 *
 *   store_guest quotas        runs into each limit and expects the right error
 *   store_guest permissions   touches what is not its own
 *   store_guest flap COUNT    changes the state of its disk so many times
 *   store_guest look          reads the nodes whose paths are the lines of stdin; prints a line for
 *                             each: the value, or the error
 *
 * The first two then print "holding" and keep all they got until the end of stdin.
 * Exit 0: as expected; 1: the failed expectation on stderr.
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rundir.h"
#include "domu/life.h"
#include "ring/segment.h"

enum {
    NODES = 1000,
    NODES_IN_A_DIRECTORY = 100,
    WATCHES = 129, /* refused when more than 128 are set */
    TRANSACTIONS = 11,
    NODE_BYTES = 2048, /* too many; 24 are the node's own and 8 each permission's */
};

static void expect(const char *what, int got, int wanted)
{
    if (got != wanted)
        errx(1, "%s: %s instead of %s", what, got < 0 ? strerror(-got) : "success",
             wanted < 0 ? strerror(-wanted) : "success");
}

/* Repeats a request until it fails: by wanted, after at least min and at most max successes. */
static void check_count(const char *what, int count, int min, int max)
{
    if (count < min || count > max)
        errx(1, "%s: %d, not %d..%d", what, count, min, max);
}

static void test_nodes(struct xs_client *store)
{
    char path[64];
    int count = 0, rc;
    do {
        snprintf(path, sizeof(path), "data/%d/node-%d", count / NODES_IN_A_DIRECTORY, count);
        rc = xs_client_write(store, 0, path, "x");
    } while (rc == 0 && ++count <= NODES);
    expect("one node too many", rc, -ENOSPC);
    check_count("nodes", count, NODES - 100, NODES); /* the disk's are its own, too */
    expect("writing to a node that is there", xs_client_write(store, 0, "data/0/node-0", "y"), 0);
    expect("giving one back", xs_client_rm(store, 0, "data/0/node-1"), 0);
    expect("and taking another", xs_client_write(store, 0, "data/0/other", "z"), 0);
}

static void test_value(struct xs_client *store)
{
    static char value[NODE_BYTES];
    memset(value, 'v', sizeof(value) - 1);
    value[NODE_BYTES - 24 - 8] = '\0'; /* with one permission */
    expect("a value too long", xs_client_write(store, 0, "data/value", value), -ENOSPC);
    value[NODE_BYTES - 24 - 2 * 8 - 1] = '\0'; /* even with two */
    expect("a long value", xs_client_write(store, 0, "data/value", value), 0);
    expect("removing it", xs_client_rm(store, 0, "data/value"), 0);
}

static void test_watches(struct xs_client *store)
{
    char token[32];
    int count = 0, rc;
    do {
        snprintf(token, sizeof(token), "token-%d", count);
        rc = xs_client_watch(store, "data", token);
    } while (rc == 0 && ++count <= WATCHES);
    expect("one watch too many", rc, -E2BIG);
    check_count("watches", count, WATCHES, WATCHES);
}

static void test_transactions(struct xs_client *store)
{
    uint32_t tx;
    int count = 0, rc;
    while ((rc = xs_client_transaction_start(store, &tx)) == 0 && count < TRANSACTIONS)
        count++;
    expect("one transaction too many", rc, -ENOSPC);
    check_count("transactions", count, TRANSACTIONS, TRANSACTIONS);
}

static void test_permissions(struct xs_client *store)
{
    static const char *const foreign[] = {"/local/domain/0/backend/vbd", "/tool/xenstored",
                                          "/local/domain/0/splitdom/image/refresh",
                                          "/local/domain/4000/data"};
    char value[64];
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        expect(foreign[i], xs_client_write(store, 0, foreign[i], "1"), -EACCES);
        expect(foreign[i], xs_client_rm(store, 0, foreign[i]), -EACCES);
        expect(foreign[i], xs_client_read(store, 0, foreign[i], value, sizeof(value)), -EACCES);
    }
    expect("its own clock", xs_client_write(store, 0, "tdf", "1/1000"), -EACCES);
    expect("its own weight", xs_client_write(store, 0, "sched/weight", "65535"), -EACCES);
    expect("a new node at home", xs_client_write(store, 0, "mine", "1"), -EACCES);
    expect("its own data", xs_client_write(store, 0, "data/mine", "1"), 0);
    expect("its name", xs_client_read(store, 0, "name", value, sizeof(value)) > 0 ? 0 : -EIO, 0);
}

/* Through all states, valid steps or not; Dom0 may give the device up, but the store goes on. */
static void flap(struct xs_client *store, long count)
{
    for (long i = 0; i < count; i++) {
        int rc = xs_client_writef(store, 0, "device/vbd/51712/state", "%ld", (i * 5 + i / 9) % 9);
        if (rc < 0)
            errx(1, "state change %ld: %s", i, strerror(-rc));
    }
}

static void look(struct xs_client *store, long count)
{
    char line[256], value[256];
    (void)count;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        int rc = xs_client_read(store, 0, line, value, sizeof(value));
        puts(rc < 0 ? strerrorname_np(-rc) : value);
        fflush(stdout);
    }
}

static void quotas(struct xs_client *store, long count)
{
    (void)count;
    test_value(store);
    test_nodes(store);
    test_watches(store);
    test_transactions(store);
}

static void permissions(struct xs_client *store, long count)
{
    (void)count;
    test_permissions(store);
}

static const struct mode {
    const char *name;
    void (*run)(struct xs_client *store, long count);
    bool counts, holds;
} modes[] = {{"quotas", quotas, false, true},
             {"permissions", permissions, false, true},
             {"flap", flap, true, false},
             {"look", look, false, false}};

int main(int argc, char **argv)
{
    struct rundir rundir;
    struct life domu;
    char why[512];
    const struct mode *mode = NULL;
    for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            mode = &modes[i];
    if (mode == NULL || argc != 2 + mode->counts)
        errx(2, "usage: store_guest quotas | permissions | flap COUNT | look");
    if (rundir_resolve(NULL, NULL, false, &rundir, why, sizeof(why)) < 0 ||
        life_create(&domu, &rundir, segment_pages_for(1), (struct tdf){0, 0}, NULL, why,
                    sizeof(why)) < 0)
        errx(1, "%s", why);
    mode->run(domu.store, mode->counts ? strtol(argv[2], NULL, 10) : 0);
    if (mode->holds) {
        puts("holding");
        fflush(stdout);
        while (getchar() != EOF)
            continue;
    }
    life_destroy(&domu);
    return 0;
}
