/* SPDX-License-Identifier: MIT */
/* A child plays Dom0: it answers one request as the case says. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/unix_socket.h"
#include "base/why.h"
#include "faults/fault.h"
#include "service/cli/control_client.h"

struct answer {
    struct control_reply reply;
    size_t reply_bytes; /* 0: hangs up */
    const char *file;   /* NULL: no descriptor */
    size_t file_bytes;
    const char *path;   /* of a descriptor of another kind; NULL: none such */
    enum control_op op; /* the request that is expected */
};

struct fixture {
    char directory[64];
    char path[96], plain[96];
    struct unix_listener listener;
    struct why why;
    char *text;
    size_t text_bytes;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->directory, sizeof(f->directory), "/tmp/test_control.XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/socket", f->directory);
    snprintf(f->plain, sizeof(f->plain), "%s/plain", f->directory);
    close(open(f->plain, O_CREAT | O_WRONLY, 0600));
    *state = f;
    return unix_listener_open(&f->listener, f->path, SOCK_SEQPACKET, 1);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    unix_listener_close(&f->listener);
    unlink(f->plain);
    rmdir(f->directory);
    free(f);
    return 0;
}

static int file_of(const struct answer *answer)
{
    if (answer->path != NULL)
        return open(answer->path, O_RDONLY);
    int fd = memfd_create("answer", 0);
    return write(fd, answer->file, answer->file_bytes) == (ssize_t)answer->file_bytes ? fd : -1;
}

/* In the child. */
static void answer_one(int listen_fd, const struct answer *answer)
{
    struct control_request request;
    int file_fd = -1;
    const int fd = accept(listen_fd, NULL, NULL);

    if (recv(fd, &request, sizeof(request), 0) != (ssize_t)sizeof(request) ||
        request.magic != CONTROL_MAGIC || request.version != CONTROL_VERSION ||
        request.op != answer->op)
        _exit(1);
    if (answer->reply_bytes == 0)
        _exit(0);
    if (answer->file != NULL || answer->path != NULL)
        file_fd = file_of(answer);
    _exit(unix_socket_send(fd, &answer->reply, answer->reply_bytes, &file_fd, file_fd >= 0, true) ==
                  0
              ? 0
              : 2);
}

static int ask(struct fixture *f, const struct answer *answer)
{
    const pid_t child = fork();
    int status, rc;

    if (child == 0)
        answer_one(f->listener.fd, answer);
    rc = control_client_ask(f->path, answer->op, &f->text, &f->text_bytes, &f->why);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    if (rc != 0) {
        assert_null(f->text);
        assert_true(f->why.text[0] != '\0');
    }
    return rc;
}

static struct answer good_answer(void)
{
    return (struct answer){.op = CONTROL_STATUS,
                           .reply = {.magic = CONTROL_MAGIC},
                           .reply_bytes = sizeof(struct control_reply),
                           .file = "table\0{}",
                           .file_bytes = 8};
}

static void the_file_is_handed_over_whole(void **state)
{
    struct fixture *f = *state;
    struct answer answer = good_answer();

    assert_int_equal(ask(f, &answer), 0);
    assert_int_equal(f->text_bytes, 8);
    assert_memory_equal(f->text, "table\0{}", 9); /* and a NUL behind it */
    free(f->text);
    answer.file_bytes = 0;
    assert_int_equal(ask(f, &answer), 0);
    assert_string_equal(f->text, "");
    free(f->text);
}

/* Dom0 ends, but had no room for its farewell: it must not be killed for that. */
static void a_farewell_may_be_missing(void **state)
{
    struct fixture *f = *state;
    struct answer answer = good_answer();

    answer.op = CONTROL_STOP;
    answer.file = NULL;
    assert_int_equal(ask(f, &answer), 0);
    assert_int_equal(f->text_bytes, 0);
    assert_string_equal(f->text, "");
    free(f->text);
}

static void a_refusal_comes_with_its_reason(void **state)
{
    struct fixture *f = *state;
    struct answer answer = good_answer();

    answer.reply.status = -EBUSY;
    snprintf(answer.reply.reason, sizeof(answer.reply.reason), "it is Sunday");
    assert_int_equal(ask(f, &answer), -EBUSY);
    assert_non_null(strstr(f->why.text, "it is Sunday"));
    snprintf(answer.reply.reason, sizeof(answer.reply.reason), "?");
    assert_int_equal(ask(f, &answer), -EBUSY);
    assert_string_equal(f->why.text, "Dom0 refused: ?");
    answer.reply.reason[0] = '\0';
    assert_int_equal(ask(f, &answer), -EBUSY);
    assert_non_null(strstr(f->why.text, strerror(EBUSY)));
}

static void nonsense_is_refused(void **state)
{
    struct fixture *f = *state;
    struct answer answer = good_answer();

    answer.reply.magic++;
    assert_int_equal(ask(f, &answer), -EPROTO);
    answer = good_answer();
    answer.reply.status = 1;
    assert_int_equal(ask(f, &answer), -EPROTO);
    answer = good_answer();
    answer.reply_bytes--;
    assert_int_equal(ask(f, &answer), -EPROTO);
    answer = good_answer();
    memset(answer.reply.reason, 'x', sizeof(answer.reply.reason));
    assert_int_equal(ask(f, &answer), -EPROTO);
    answer = good_answer();
    answer.file = NULL;
    assert_int_equal(ask(f, &answer), -EPROTO);
    answer.path = "/dev/zero"; /* no file in memory, though one could read it */
    assert_int_equal(ask(f, &answer), -EPROTO);
    answer.path = f->plain; /* nor is one on a disk */
    assert_int_equal(ask(f, &answer), -EPROTO);
}

static void a_dom0_that_hangs_up_is_an_error(void **state)
{
    struct answer answer = good_answer();

    answer.reply_bytes = 0;
    assert_int_equal(ask(*state, &answer), -ECONNRESET);
}

static int lowest_free_fd(void)
{
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

    close(fd);
    return fd;
}

static void a_verb_leaves_no_descriptor_open(void **state)
{
    struct fixture *f = *state;
    struct answer answer = good_answer();
    int before = lowest_free_fd(), status;

    answer.op = CONTROL_DESTROY;
    const pid_t child = fork();
    if (child == 0)
        answer_one(f->listener.fd, &answer);
    assert_int_equal(control_client_tell(f->path, CONTROL_DESTROY, 3, NULL, 60, &f->why), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(lowest_free_fd(), before);
}

static void nobody_there_is_told_apart(void **state)
{
    struct fixture *f = *state;

    close(f->listener.fd);
    assert_int_equal(control_client_ask(f->path, CONTROL_STOP, &f->text, &f->text_bytes, &f->why),
                     -ECONNREFUSED);
    unlink(f->path);
    assert_int_equal(control_client_ask(f->path, CONTROL_STOP, &f->text, &f->text_bytes, &f->why),
                     -ENOENT);
    assert_non_null(strstr(f->why.text, f->path));
    f->listener.fd = -1;
}

static int open_count(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static int command(struct fixture *f, const struct answer *answer, char **text)
{
    const pid_t child = fork();
    int status, rc;

    if (child == 0)
        answer_one(f->listener.fd, answer);
    rc = control_client_command(f->path, answer->op, 7, NULL, 60, text, &f->why);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return rc;
}

/* Neither the socket nor the file that came: who watches a service asks again and again. */
static void whatever_is_answered_all_is_closed(void **state)
{
    struct fixture *f = *state;
    struct answer answer = good_answer();
    char *text = NULL;
    int before = open_count();

    assert_int_equal(ask(f, &answer), 0);
    free(f->text);
    answer.file = "done";
    answer.file_bytes = 4;
    assert_int_equal(command(f, &answer, &text), 0);
    assert_string_equal(text, "done");
    free(text);
    assert_int_equal(command(f, &answer, NULL), 0);
    answer.reply.status = -EBUSY;
    answer.file = "it is Sunday, all day";
    answer.file_bytes = 21;
    assert_int_equal(command(f, &answer, &text), -EBUSY);
    assert_string_equal(f->why.text, "it is Sunday, all day");
    answer.file = NULL;
    snprintf(answer.reply.reason, sizeof(answer.reply.reason), "it is Sunday");
    assert_int_equal(command(f, &answer, &text), -EBUSY);
    assert_string_equal(f->why.text, "it is Sunday");
    answer.reply_bytes = 0;
    assert_int_equal(command(f, &answer, &text), -ECONNRESET);
    assert_non_null(strstr(f->why.text, f->path)); /* not what was said before */
    assert_int_equal(open_count(), before);
}

static void a_short_answer_is_in_the_reply(void **state)
{
    struct fixture *f = *state;
    struct answer answer = good_answer();
    char *text = NULL;

    answer.file = NULL;
    snprintf(answer.reply.reason, sizeof(answer.reply.reason), "xenbr0");
    assert_int_equal(command(f, &answer, &text), 0);
    assert_string_equal(text, "xenbr0");
    free(text);
}

/* In the child: the request's text, to its last byte. */
static void expect_text(int listen_fd, const char *text)
{
    struct {
        struct control_request request;
        char text[CONTROL_TEXT_MAX];
    } packet;
    const struct control_reply reply = {.magic = CONTROL_MAGIC};
    const int fd = accept(listen_fd, NULL, NULL);
    size_t bytes = strlen(text) + 1;

    if (recv(fd, &packet, sizeof(packet), 0) != (ssize_t)(sizeof(packet.request) + bytes) ||
        packet.request.arg0 != 7 || memcmp(packet.text, text, bytes) != 0)
        _exit(1);
    _exit(unix_socket_send(fd, &reply, sizeof(reply), NULL, 0, true) == 0 ? 0 : 2);
}

static void a_text_goes_along_as_far_as_there_is_room(void **state)
{
    struct fixture *f = *state;
    char text[CONTROL_TEXT_MAX + 1];
    int status;

    memset(text, 'x', sizeof(text));
    text[CONTROL_TEXT_MAX - 1] = '\0';
    const pid_t child = fork();
    if (child == 0)
        expect_text(f->listener.fd, text);
    assert_int_equal(control_client_tell(f->path, CONTROL_DESTROY, 7, text, 60, &f->why), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    text[CONTROL_TEXT_MAX - 1] = 'x';
    text[CONTROL_TEXT_MAX] = '\0';
    assert_int_equal(control_client_tell(f->path, CONTROL_DESTROY, 7, text, 60, &f->why), -E2BIG);
    assert_non_null(strstr(f->why.text, f->path));
}

/* Whoever it is that listens there: what is asked may be more than he should know. */
static void who_cannot_be_told_apart_from_another_user_is_asked_nothing(void **state)
{
    struct fixture *f = *state;
    fault_arm_call("getsockopt", 1, EINVAL);
    uint32_t descriptors = fault_open_descriptors();
    int rc = control_client_ask(f->path, CONTROL_STATUS, &f->text, &f->text_bytes, &f->why);
    fault_disarm();
    assert_int_equal(rc, -EINVAL);
    assert_int_equal(fault_open_descriptors(), descriptors);
}

static void an_answer_that_cannot_be_read_is_an_error(void **state)
{
    static const struct {
        const char *call;
        int error, rc;
    } faults[] = {{"calloc", ENOMEM, -ENOMEM}, {"pread", EIO, -EPROTO}, {"fstat", EIO, -EIO}};
    struct fixture *f = *state;
    struct answer answer = good_answer();
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        int64_t blocks = fault_live_blocks();
        fault_arm_call(faults[i].call, 1, faults[i].error);
        int rc = ask(f, &answer);
        fault_disarm();
        assert_int_equal(rc, faults[i].rc);
        assert_int_equal(fault_live_blocks(), blocks);
    }
    fault_arm_call("pread", 1, EINTR);
    assert_int_equal(ask(f, &answer), 0);
    fault_disarm();
    free(f->text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_file_is_handed_over_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_farewell_may_be_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_comes_with_its_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dom0_that_hangs_up_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_verb_leaves_no_descriptor_open, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_is_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_is_answered_all_is_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_short_answer_is_in_the_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(a_text_goes_along_as_far_as_there_is_room, setup, teardown),
        cmocka_unit_test_setup_teardown(who_cannot_be_told_apart_from_another_user_is_asked_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_cannot_be_read_is_an_error, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
