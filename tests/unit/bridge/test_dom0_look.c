/* SPDX-License-Identifier: MIT */
/* dom0_look: what a Dom0 tells of the requests of a process. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory_file.h"
#include "base/rundir.h"
#include "base/unix_socket.h"
#include "bridge/dom0_look.h"
#include "splitdom/control.h"

enum { HANG_S = 60, PROCESS = 4711 };

static char directory[] = "/tmp/dom0_look.XXXXXX";

static struct rundir rundir;

static struct domu_options domain = {.rundir = directory, .name = "n"};

static struct unix_listener listener = UNIX_LISTENER_CLOSED;

static int setup(void **state)
{
    char why[256];

    (void)state;
    alarm(HANG_S);
    strcpy(directory, "/tmp/dom0_look.XXXXXX");
    return mkdtemp(directory) != NULL &&
                   rundir_resolve(directory, "n", true, &rundir, why, sizeof(why)) == 0 &&
                   unix_listener_open(&listener, rundir.control_socket, SOCK_SEQPACKET, 1) == 0
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    unix_listener_close(&listener);
    (void)rmdir(rundir.dir);
    (void)rmdir(directory);
    alarm(0);
    return 0;
}

/* ---- a Dom0 in a thread -------------------------------------------------------------------------
 */

/* Answers one question for its state with this text, of which the first NUL is in it. */
struct answer {
    const char *text;
    size_t bytes;
    pthread_t thread;
};

static void *answer_once(void *arg)
{
    const struct answer *answer = arg;
    const struct control_reply reply = {.magic = CONTROL_MAGIC};
    struct control_request request;
    int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC);
    int file = memory_file_create("status");

    if (recv(fd, &request, sizeof(request), 0) == (ssize_t)sizeof(request) &&
        request.op == CONTROL_STATUS && write(file, answer->text, answer->bytes) > 0)
        (void)unix_socket_send(fd, &reply, sizeof(reply), &file, 1, true);
    close(file);
    close(fd);
    return NULL;
}

static bool gets_on(const char *text, size_t bytes, struct dom0_progress *progress)
{
    struct answer answer = {.text = text, .bytes = bytes};

    assert_int_equal(pthread_create(&answer.thread, NULL, answer_once, &answer), 0);
    bool result = dom0_gets_on(&domain, PROCESS, progress);
    pthread_join(answer.thread, NULL);
    return result;
}

/* Another domain is there, too, which has much to do. */
static bool gets_on_with(unsigned served, unsigned waiting, struct dom0_progress *progress)
{
    char text[512] = "table";
    size_t head = strlen(text) + 1;
    int bytes =
        snprintf(text + head, sizeof(text) - head,
                 "{\"total\":{\"requests\":9},\"domains\":[{\"client_pid\":1,\"in_flight\":7,"
                 "\"requests\":8},{\"client_pid\":%d,\"in_flight\":%u,\"on_ring\":0,"
                 "\"requests\":%u,\"vbds\":[{\"requests\":5}]}]}",
                 PROCESS, waiting, served);

    return gets_on(text, head + (size_t)bytes, progress);
}

static void one_that_has_requests_gets_on_while_it_serves(void **state)
{
    struct dom0_progress progress = {0};

    (void)state;
    for (unsigned i = 0; i < 3 * DOM0_STILL_LOOKS_MAX; i++)
        assert_true(gets_on_with(i / 2, 1, &progress));
    assert_int_equal(progress.looks, 3 * DOM0_STILL_LOOKS_MAX);
}

static void one_that_stands_still_does_not_for_long(void **state)
{
    struct dom0_progress progress = {0};

    (void)state;
    for (unsigned i = 0; i < DOM0_STILL_LOOKS_MAX; i++)
        assert_true(gets_on_with(3, 1, &progress));
    assert_false(gets_on_with(3, 1, &progress));
}

static void one_without_requests_of_the_process_does_not(void **state)
{
    static const char others[] = "table\0{\"domains\":[{\"client_pid\":1,\"in_flight\":7}]}";
    struct dom0_progress progress = {0};

    (void)state;
    assert_false(gets_on_with(3, 0, &progress));
    assert_false(gets_on(others, sizeof(others) - 1, &progress));
}

static void one_that_tells_nonsense_does_not(void **state)
{
    static const char texts[][24] = {"no JSON", "table\0[]", "table\0{\"domains\":[{]}"};
    struct dom0_progress progress = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(gets_on(texts[i], sizeof(texts[i]), &progress));
}

static void one_that_does_not_answer_does_not(void **state)
{
    struct dom0_progress progress = {0};

    (void)state;
    assert_false(dom0_gets_on(&domain, PROCESS, &progress)); /* it only listens */
    assert_false(dom0_is_away(&domain));
}

static void where_nobody_listens_it_is_away(void **state)
{
    struct dom0_progress progress = {0};

    (void)state;
    unix_listener_close(&listener);
    assert_true(dom0_is_away(&domain));
    assert_false(dom0_gets_on(&domain, PROCESS, &progress));
}

int main(void)
{
#define LOOK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        LOOK_TEST(one_that_has_requests_gets_on_while_it_serves),
        LOOK_TEST(one_that_stands_still_does_not_for_long),
        LOOK_TEST(one_without_requests_of_the_process_does_not),
        LOOK_TEST(one_that_tells_nonsense_does_not),
        LOOK_TEST(one_that_does_not_answer_does_not),
        LOOK_TEST(where_nobody_listens_it_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
