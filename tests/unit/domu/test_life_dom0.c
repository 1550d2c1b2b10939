/* SPDX-License-Identifier: MIT */
/* life: how it begins with a Dom0, how it is refused, and how it ends. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "domu/life.h"
#include "fakes/fake_dom0.h"
#include "splitdom/control.h"

/* As store_client has it: reads wait until Dom0 says something, or is gone. */
static void whoever_waits_for_the_store_is_told_that_dom0_is_gone(void **state)
{
    (void)state;
    char base[] = "/tmp/splitdom-life-XXXXXX", why[256], value[16];
    struct patience patience;
    struct rundir rundir;
    struct life life;
    assert_non_null(mkdtemp(base));
    struct fake_dom0 *dom0 = fake_dom0_start(base, &(struct fake_dom0_script){0});
    assert_non_null(dom0);
    patience_init(&patience);
    assert_int_equal(rundir_resolve(base, "fake", false, &rundir, why, 256), 0);
    assert_int_equal(life_create(&life, &rundir, 64, (struct tdf){0, 0}, &patience, why, 256), 0);
    assert_int_equal(xs_client_read(life.store, 0, "domid", value, sizeof(value)), 1);
    fake_dom0_stop(dom0);
    while (!life_is_dead(&life))
        sched_yield();
    assert_int_equal(xs_client_read(life.store, 0, "domid", value, sizeof(value)), -ENOTCONN);
    life_destroy(&life);
    assert_int_equal(rmdir(base), 0);
}

/* Whoever asked the old one whether it is dead asks the next one now. */
static void a_life_that_takes_the_place_of_a_dead_one_lives(void **state)
{
    (void)state;
    char base[] = "/tmp/splitdom-life-XXXXXX", why[256], value[16];
    struct patience patience;
    struct rundir rundir;
    struct life life, fresh;
    assert_non_null(mkdtemp(base));
    struct fake_dom0 *dom0 = fake_dom0_start(base, &(struct fake_dom0_script){0});
    assert_non_null(dom0);
    patience_init(&patience);
    assert_int_equal(rundir_resolve(base, "fake", false, &rundir, why, 256), 0);
    assert_int_equal(life_create(&life, &rundir, 64, (struct tdf){0, 0}, &patience, why, 256), 0);
    const void *memory = life.segment.base;
    fake_dom0_stop(dom0);
    while (!life_is_dead(&life))
        sched_yield();
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){0});
    assert_non_null(dom0);
    assert_int_equal(life_create(&fresh, &rundir, 64, (struct tdf){0, 0}, &patience, why, 256), 0);
    assert_int_equal(life_move(&fresh, &life), 0);
    assert_false(life_is_dead(&life));
    assert_ptr_equal(life.segment.base, memory);
    assert_int_equal(xs_client_read(life.store, 0, "domid", value, sizeof(value)), 1);
    life_destroy(&life);
    fake_dom0_stop(dom0);
    assert_int_equal(rmdir(base), 0);
}

static int live(const struct fake_dom0_script *script, char why[256])
{
    char base[] = "/tmp/splitdom-life-XXXXXX";
    struct patience patience;
    struct rundir rundir;
    struct life life;
    assert_non_null(mkdtemp(base));
    struct fake_dom0 *dom0 = fake_dom0_start(base, script);
    assert_non_null(dom0);
    patience_init(&patience);
    why[0] = '\0';
    assert_int_equal(rundir_resolve(base, "fake", false, &rundir, why, 256), 0);
    int rc = life_create(&life, &rundir, 64, (struct tdf){0, 0}, &patience, why, 256);
    if (rc == 0) {
        assert_int_equal(life.segment.nr_pages, 64);
        assert_false(life_is_dead(&life));
        life_destroy(&life);
    }
    fake_dom0_stop(dom0);
    assert_int_equal(rmdir(base), 0);
    return rc;
}

static void a_life_begins_when_dom0_has_the_memory(void **state)
{
    char why[256];
    (void)state;
    assert_int_equal(live(&(struct fake_dom0_script){0}, why), 0);
    assert_string_equal(why, "");
    assert_int_equal(live(&(struct fake_dom0_script){.mapped_status = -EPERM}, why), -EPERM);
    assert_string_equal(why, "the service does not take the domain's memory: "
                             "Operation not permitted");
}

static void without_a_service_no_life_begins(void **state)
{
    char base[] = "/tmp/splitdom-life-XXXXXX", why[256];
    struct patience patience;
    struct rundir rundir;
    struct life life;
    (void)state;
    assert_non_null(mkdtemp(base));
    patience_init(&patience);
    assert_int_equal(rundir_resolve(base, "fake", true, &rundir, why, 256), 0);
    assert_int_equal(life_create(&life, &rundir, 64, (struct tdf){0, 0}, &patience, why, 256),
                     -ENOENT);
    assert_non_null(strstr(why, "no service 'fake' is running"));
    assert_true(life.control_fd == -1 && life.doorbell_fd == -1 && life.stop_fd == -1 &&
                life.memory_fd == -1);
    assert_int_equal(rmdir(rundir.dir), 0);
    assert_int_equal(rmdir(base), 0);
}

static void refuse_with_reason(struct control_reply *reply, int *fd_count)
{
    reply->status = -ENOSPC;
    strcpy(reply->reason, "there are too many");
    *fd_count = 0;
}

static void refuse_without_reason(struct control_reply *reply, int *fd_count)
{
    reply->status = -ENOSPC;
    reply->reason[0] = '\0';
    *fd_count = 0;
}

static void take_another_number(struct control_reply *reply, int *fd_count)
{
    (void)fd_count;
    reply->arg0++;
}

static void a_refused_domain_is_explained(void **state)
{
    static const struct {
        struct fake_dom0_script script;
        int rc;
        const char *why;
    } rows[] = {
        {{.change_reply = refuse_with_reason},
         -ENOSPC,
         "the service refused a domain of 64 pages: there are too many"},
        {{.change_reply = refuse_without_reason},
         -ENOSPC,
         "the service refused a domain of 64 pages: No space left on device"},
        {{.change_reply = take_another_number},
         -EPROTO,
         "what the service sent is of no use (Protocol error): are service and client of the same "
         "version?"},
    };
    char why[256];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(live(&rows[i].script, why), rows[i].rc);
        assert_string_equal(why, rows[i].why);
    }
}

static void a_line_that_is_cut_before_there_is_a_domain_is_explained(void **state)
{
    char why[256];
    (void)state;
    assert_true(life_error_is_death(live(&(struct fake_dom0_script){.hangs_up = true}, why)));
    assert_non_null(strstr(why, "gave up this connection before it had made a domain"));
}

static int lowest_free_fd(void)
{
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);
    close(fd);
    return fd;
}

static void a_life_that_could_not_begin_leaves_no_descriptor(void **state)
{
    char why[256];
    (void)state;
    int before = lowest_free_fd();
    assert_true(live(&(struct fake_dom0_script){.hangs_up = true}, why) < 0);
    assert_int_equal(lowest_free_fd(), before);
    assert_true(live(&(struct fake_dom0_script){.change_reply = refuse_with_reason}, why) < 0);
    assert_int_equal(lowest_free_fd(), before);
}

static void take_an_ordinary_file_for_the_doorbell(struct fake_dom0 *dom0, int fds[2])
{
    (void)dom0;
    fds[0] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
    fds[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void what_is_no_doorbell_is_refused(void **state)
{
    char why[256];
    (void)state;
    const struct fake_dom0_script script = {.change_fds = take_an_ordinary_file_for_the_doorbell};
    assert_true(live(&script, why) < 0);
    assert_non_null(strstr(why, "its doorbell is no eventfd"));
}

static struct fake_dom0 *begin_life(char *base, struct life *life, const struct patience *patience)
{
    char why[256];
    struct rundir rundir;
    assert_non_null(mkdtemp(base));
    struct fake_dom0 *dom0 = fake_dom0_start(base, &(struct fake_dom0_script){0});
    assert_non_null(dom0);
    assert_int_equal(rundir_resolve(base, "fake", false, &rundir, why, 256), 0);
    assert_int_equal(life_create(life, &rundir, 64, (struct tdf){0, 0}, patience, why, 256), 0);
    return dom0;
}

/* Not every end of a line is somebody's will. */
static void a_domain_hears_that_it_was_destroyed(void **state)
{
    (void)state;
    for (int destroyed = 0; destroyed <= 1; destroyed++) {
        char base[] = "/tmp/splitdom-life-XXXXXX";
        struct patience patience;
        struct life life;
        patience_init(&patience);
        struct fake_dom0 *dom0 = begin_life(base, &life, &patience);
        assert_false(life_is_destroyed(&life));
        if (destroyed == 1)
            fake_dom0_destroy_domain(dom0);
        else
            fake_dom0_stop(dom0);
        while (!life_is_dead(&life))
            sched_yield();
        assert_int_equal(life_is_destroyed(&life), destroyed);
        assert_int_equal(life_idle(&life), -ENOTCONN); /* who sleeps is told, too */
        life_destroy(&life);
        if (destroyed == 1)
            fake_dom0_stop(dom0);
        assert_int_equal(rmdir(base), 0);
    }
}

static void who_is_idle_can_be_interrupted(void **state)
{
    (void)state;
    char base[] = "/tmp/splitdom-life-XXXXXX", path[64], token[16];
    struct patience patience;
    struct life life;
    patience_init(&patience);
    struct fake_dom0 *dom0 = begin_life(base, &life, &patience);
    life_interrupt(&life);
    assert_int_equal(life_idle(&life), -ECANCELED);
    assert_int_equal(life_next_event(&life, path, sizeof(path), token, sizeof(token)), -ECANCELED);
    /* A call is no idleness: it goes on. */
    assert_int_equal(xs_client_read(life.store, 0, "domid", path, sizeof(path)), 1);
    life_resume(&life);
    life_destroy(&life);
    fake_dom0_stop(dom0);
    assert_int_equal(rmdir(base), 0);
}

static void *interrupt_soon(void *arg)
{
    (void)poll(NULL, 0, 50); /* the other thread may sleep by then; it need not */
    life_interrupt(arg);
    return NULL;
}

/* Patience is for steps of Dom0. Whoever is in a hurry may be idle for long before it ends. */
static void who_is_idle_needs_no_patience(void **state)
{
    (void)state;
    char base[] = "/tmp/splitdom-life-XXXXXX", path[64], token[16];
    struct patience patience;
    struct life life;
    pthread_t thread;
    patience_init(&patience);
    struct fake_dom0 *dom0 = begin_life(base, &life, &patience);
    patience_cut(&patience, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, &life), 0);
        int rc = i == 0 ? life_idle(&life)
                        : life_next_event(&life, path, sizeof(path), token, sizeof(token));
        pthread_join(thread, NULL);
        assert_int_equal(rc, -ECANCELED);
        life_resume(&life);
    }
    life_destroy(&life);
    fake_dom0_stop(dom0);
    assert_int_equal(rmdir(base), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_life_begins_when_dom0_has_the_memory),
        cmocka_unit_test(a_life_that_takes_the_place_of_a_dead_one_lives),
        cmocka_unit_test(whoever_waits_for_the_store_is_told_that_dom0_is_gone),
        cmocka_unit_test(without_a_service_no_life_begins),
        cmocka_unit_test(a_refused_domain_is_explained),
        cmocka_unit_test(a_line_that_is_cut_before_there_is_a_domain_is_explained),
        cmocka_unit_test(a_life_that_could_not_begin_leaves_no_descriptor),
        cmocka_unit_test(what_is_no_doorbell_is_refused),
        cmocka_unit_test(a_domain_hears_that_it_was_destroyed),
        cmocka_unit_test(who_is_idle_can_be_interrupted),
        cmocka_unit_test(who_is_idle_needs_no_patience),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
