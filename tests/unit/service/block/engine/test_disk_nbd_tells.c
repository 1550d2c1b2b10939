/* SPDX-License-Identifier: MIT */
/* disk_nbd: what the log tells of a server that was away. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "unit/service/block/engine/disk_nbd_fixture.h"

#ifdef HAVE_LIBNBD

static char log_path[] = "/tmp/splitdom-nbd-log-XXXXXX", text[4096];
static struct log *log_;

static int setup_log(void **state)
{
    static const char template[] = "/tmp/splitdom-nbd-log-XXXXXX";
    memcpy(log_path, template, sizeof(template));
    int fd = mkstemp(log_path);
    if (fd < 0 || close(fd) < 0 || unlink(log_path) < 0 ||
        log_open(&(struct log_options){.path = log_path}, &log_) < 0)
        return -1;
    return setup(state);
}

static int teardown_log(void **state)
{
    int rc = teardown(state);
    log_close(log_);
    unlink(log_path);
    return rc;
}

static void open_told_disk(struct fixture *f)
{
    const struct disk_nbd_options options = {
        .reconnect_ms = LONG_MS, .log = log_, .reconnected = on_reconnected, .ctx = f};
    const struct disk_config config = {.poller = f->poller, .depth = DEPTH, .nbd = &options};
    struct why why;
    fake_nbd_start(&f->server);
    assert_int_equal(image_open(f->server.uri, true, &f->image, &why), 0);
    assert_int_equal(disk_nbd_ops.create(&config, &f->disk, &why), 0);
    disk_nbd_ops.attach(f->disk, &f->image);
}

/* The server goes and comes back. Returns the last line that was told from "its server" on. */
static const char *come_back(struct fixture *f)
{
    fake_nbd_kill(&f->server);
    run_until(f, DISK_NBD_AWAY);
    fake_nbd_start(&f->server);
    run_until(f, DISK_NBD_CONNECTED);
    FILE *file = fopen(log_path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    const char *last = NULL;
    for (const char *at = text; (at = strstr(at, "its server")) != NULL; at++)
        last = at;
    assert_non_null(last);
    return last;
}

static void how_long_it_was_away_is_told(void **state)
{
    struct fixture *f = *state;
    double away_s;
    unsigned again;
    open_told_disk(f);
    const char *line = come_back(f);
    assert_int_equal(
        sscanf(line, "its server is there again after %lf s: %u requests", &away_s, &again), 2);
    assert_true(away_s >= 0 && away_s < LONG_MS / 1000);
    assert_int_equal(again, 0);
    assert_null(strstr(line, "flushed"));
}

/* Nobody has a copy of what was answered and not flushed. */
static void changes_that_no_flush_covered_are_told_once(void **state)
{
    struct fixture *f = *state;
    open_told_disk(f);
    submit(f, DISK_WRITE, 0x11);
    run_until_done(f);
    submit(f, DISK_FLUSH, 0);
    run_until_done(f);
    assert_null(strstr(come_back(f), "flushed"));
    submit(f, DISK_WRITE, 0x22);
    submit(f, DISK_DISCARD, 0);
    run_until_done(f);
    assert_non_null(strstr(come_back(f), "; 2 writes and discards had been answered and not "
                                         "flushed"));
    assert_null(strstr(come_back(f), "flushed"));
}

#endif

int main(void)
{
#ifdef HAVE_LIBNBD
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(how_long_it_was_away_is_told, setup_log, teardown_log),
        cmocka_unit_test_setup_teardown(changes_that_no_flush_covered_are_told_once, setup_log,
                                        teardown_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    return 77; /* skipped: built without libnbd */
#endif
}
