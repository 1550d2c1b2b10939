/* SPDX-License-Identifier: MIT */
/* control: packets, and verbs that carry text. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "faults/fault.h"
#include "unit/service/dom0/control_fixture.h"

/* text_bytes: of the text, as far as it is sent. */
static void ask_with_text(int fd, uint32_t op, uint32_t arg0, const char *text, size_t text_bytes)
{
    char packet[sizeof(struct control_request) + CONTROL_TEXT_MAX + 1];
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = op, .arg0 = arg0};
    memcpy(packet, &request, sizeof(request));
    memcpy(packet + sizeof(request), text, text_bytes);
    assert_int_equal(send(fd, packet, sizeof(request) + text_bytes, MSG_NOSIGNAL),
                     sizeof(request) + text_bytes);
}

static void verbs_about_disks_carry_their_text(void **state)
{
    static const struct {
        uint32_t op;
        const char *asked;
    } rows[] = {{CONTROL_BLOCK_ATTACH, "attach 3 text"},
                {CONTROL_BLOCK_DESTROY, "destroy 3 text"},
                {CONTROL_RESIZE, "resize text"}};
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask_with_text(fd, rows[i].op, 3, "text", 5);
        run(f);
        assert_int_equal(reply_of(fd, &reply), 0);
        assert_int_equal(reply.status, 0);
        assert_string_equal(f->asked, rows[i].asked);
    }
}

static void a_long_reason_comes_as_a_file(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    f->refuse = -EBUSY;
    ask_with_text(fd, CONTROL_BLOCK_ATTACH, 3, "text", 5);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 1);
    assert_int_equal(reply.status, -EBUSY);
    assert_int_equal(reply.arg0, 150);
    assert_int_equal(strlen(reply.reason), sizeof(reply.reason) - 1);
}

static void text_ends_with_its_packet(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    static char most[CONTROL_TEXT_MAX + 1];
    static const struct {
        const char *text;
        size_t bytes;
    } wrong[] = {{"", 0}, {"text", 4}, {"te\0xt", 6}, {most, CONTROL_TEXT_MAX + 1}};
    memset(most, 'x', CONTROL_TEXT_MAX - 1);
    int fd = dial(f);
    ask_with_text(fd, CONTROL_RESIZE, 0, most, CONTROL_TEXT_MAX);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        fd = dial(f);
        ask_with_text(fd, CONTROL_RESIZE, 0, wrong[i].text, wrong[i].bytes);
        run(f);
        assert_int_equal(reply_of(fd, &reply), -1);
        hang_up(f, fd);
    }
}

static void a_domain_cannot_change_disks(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    ask_with_text(fd, CONTROL_BLOCK_ATTACH, 3, "text", 5);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -EPERM);
    assert_string_equal(f->asked, "");
}

static void verbs_about_the_network_may_be_answered_by_text(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    static char most[CONTROL_TEXT_MAX];
    int fd = dial(f);
    ask_with_text(fd, CONTROL_NETWORK_ATTACH, 3, "text", 5);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, 0);
    assert_string_equal(reply.reason, "text");
    assert_string_equal(f->asked, "network 48 3 text");
    memset(most, 'x', sizeof(most) - 1);
    ask_with_text(fd, CONTROL_NETWORK_ATTACH, 3, most, sizeof(most));
    run(f);
    assert_int_equal(reply_of(fd, &reply), 1);
    assert_int_equal(reply.arg0, sizeof(most) - 1);
    f->refuse = -ENODEV; /* then the reason is the answer */
    ask_with_text(fd, CONTROL_NETWORK_ATTACH, 3, "text", 5);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -ENODEV);
    assert_string_equal(reply.reason, "refused");
}

static void a_domain_cannot_change_the_network(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    ask_with_text(fd, CONTROL_NETWORK_ATTACH, 3, "text", 5);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -EPERM);
    assert_string_equal(f->asked, "");
}

static bool nothing_has_come(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void a_detach_is_answered_when_it_is_over(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    ask_with_text(fd, CONTROL_BLOCK_DETACH, 3, "xvdb", 5);
    run(f);
    assert_string_equal(f->asked, "detach 3 xvdb");
    assert_true(nothing_has_come(fd));
    control_answer(f->waiting, -ETIMEDOUT, "too long");
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -ETIMEDOUT);
    assert_string_equal(reply.reason, "too long");
    assert_int_equal(call(f, fd, CONTROL_STATUS, 0, &reply), 1); /* and goes on */
    hang_up(f, fd);
    run(f);
    assert_int_equal(f->forgotten, 0);
}

static void who_waits_and_goes_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    ask_with_text(fd, CONTROL_BLOCK_DETACH, 3, "xvdb", 5);
    run(f);
    hang_up(f, fd);
    run(f);
    assert_int_equal(f->forgotten, 1);
    fd = dial(f);
    ask_with_text(fd, CONTROL_BLOCK_DETACH, 3, "xvdb", 5);
    run(f);
    ask(fd, CONTROL_STATUS, 0); /* one question at a time */
    run(f);
    assert_int_equal(reply_of(fd, &reply), -1);
    assert_int_equal(f->forgotten, 2);
}

/* Its question and its end come at once: no edge tells of the end later. */
static void who_asks_and_goes_at_once_is_forgotten(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    ask_with_text(fd, CONTROL_BLOCK_DETACH, 3, "xvdb", 5);
    hang_up(f, fd);
    run(f);
    assert_string_equal(f->asked, "detach 3 xvdb");
    assert_int_equal(f->forgotten, 1);
}

static void packets_that_make_no_sense_end_the_connection(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    static const size_t sizes[] = {0, 1, 15, 17, 200};
    char bytes[256] = {0};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = dial(f);
        (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
        memcpy(bytes,
               &(struct control_request){
                   .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_STATUS},
               sizeof(struct control_request));
        assert_int_equal(send(fd, bytes, sizes[i], MSG_NOSIGNAL), sizes[i]);
        run(f);
        assert_int_equal(reply_of(fd, &reply), -1);
        assert_int_equal(f->ended, i + 1);
        hang_up(f, fd);
    }
    int fd = dial(f);
    const struct control_request old = {.magic = CONTROL_MAGIC, .version = CONTROL_VERSION + 1};
    assert_int_equal(send(fd, &old, sizeof(old), MSG_NOSIGNAL), sizeof(old));
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.arg0, 0);
    assert_int_equal(reply.status, -EPROTO);
    assert_int_equal(reply_of(fd, &reply), -1);
}

static int open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* Dom0 wants none from its peers. */
static void descriptors_that_come_do_not_stay_open(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_STATUS};
    const int sent[UNIX_SOCKET_FDS_MAX] = {f->segment_fd, f->segment_fd, f->segment_fd,
                                           f->segment_fd};
    int fd = dial(f);
    run(f);
    int before = open_fds();
    for (size_t count = 1; count <= UNIX_SOCKET_FDS_MAX; count++) {
        assert_int_equal(unix_socket_send(fd, &request, sizeof(request), sent, count, false), 0);
        run(f);
        assert_int_equal(reply_of(fd, &reply), 1);
        assert_int_equal(open_fds(), before);
    }
}

static void tell_name(int fd, const char *name, size_t bytes)
{
    struct {
        struct control_request request;
        char name[CONTROL_TEXT_MAX];
    } packet = {{.magic = CONTROL_MAGIC,
                 .version = CONTROL_VERSION,
                 .op = CONTROL_DESCRIBE,
                 .arg0 = 512,
                 .tdf_num = 1,
                 .tdf_den = 4},
                ""};
    memcpy(packet.name, name, bytes);
    bytes += sizeof(packet.request);
    assert_int_equal(send(fd, &packet, bytes, MSG_NOSIGNAL), bytes);
}

static void a_domain_tells_its_name(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    tell_name(fd, "early", sizeof("early"));
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -ENODEV);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    tell_name(fd, "mine", sizeof("mine"));
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, 0);
    assert_string_equal(f->name, "1 mine 1/4 512");
    tell_name(fd, "taken", sizeof("taken"));
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -EEXIST);
    assert_string_equal(reply.reason, "somebody has it");
}

/* One NUL, at its end: what follows would be read by nobody, or by everybody. */
static void a_text_ends_where_its_packet_does(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    static const struct {
        const char *bytes;
        size_t count;
    } bad[] = {{"", 0}, {"abc", 3}, {"a\0c", 4}, {"a\0", 3}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = dial(f);
        (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
        tell_name(fd, bad[i].bytes, bad[i].count);
        run(f);
        assert_int_equal(reply_of(fd, &reply), -1);
        hang_up(f, fd);
    }
    assert_string_equal(f->name, "");
}

/* It is cut off then, and nothing stays open. */
static void a_long_reason_without_a_file_is_cut_off(void **state)
{
    static const char *const calls[] = {"memfd_create", "write"};
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    run(f);
    f->refuse = -EBUSY;
    int before = open_fds();
    for (int i = 0; i < 2; i++) {
        ask_with_text(fd, CONTROL_BLOCK_ATTACH, 3, "text", 5);
        fault_arm_call(calls[i], 1, ENOSPC);
        run(f);
        assert_string_equal(fault_disarm(), calls[i]);
        assert_int_equal(reply_of(fd, &reply), 0);
        assert_int_equal(reply.status, -EBUSY);
        assert_int_equal(reply.arg0, 0);
        assert_int_equal(strlen(reply.reason), sizeof(reply.reason) - 1);
        assert_int_equal(open_fds(), before);
    }
}

static void a_refusal_carries_its_reason(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    f->refuse = -ENOSPC;
    int fd = dial(f);
    assert_int_equal(call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply), 0);
    assert_int_equal(reply.status, -ENOSPC);
    assert_string_equal(reply.reason, "because");
    f->refuse = 0; /* the same connection may try again */
    assert_int_equal(call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply), 2);
}

/* The reply has no room for a long path: its middle goes, and what is to be done stays. */
static void a_long_reason_keeps_its_ends(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    char reason[300] = "File /";
    memset(reason + strlen(reason), 'x', 200);
    strcat(reason, " is in use; access w! forces it");
    f->refuse = -EBUSY, f->reason = reason;
    int fd = dial(f);
    assert_int_equal(call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply), 0);
    assert_non_null(strstr(reply.reason, "File /x"));
    assert_non_null(strstr(reply.reason, "x...x"));
    assert_non_null(strstr(reply.reason, "x is in use; access w! forces it"));
    hang_up(f, fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTROL_TEST(a_refusal_carries_its_reason),
        CONTROL_TEST(a_long_reason_keeps_its_ends),
        CONTROL_TEST(verbs_about_disks_carry_their_text),
        CONTROL_TEST(a_long_reason_comes_as_a_file),
        CONTROL_TEST(text_ends_with_its_packet),
        CONTROL_TEST(a_domain_cannot_change_disks),
        CONTROL_TEST(verbs_about_the_network_may_be_answered_by_text),
        CONTROL_TEST(a_domain_cannot_change_the_network),
        CONTROL_TEST(a_detach_is_answered_when_it_is_over),
        CONTROL_TEST(who_waits_and_goes_is_forgotten),
        CONTROL_TEST(who_asks_and_goes_at_once_is_forgotten),
        CONTROL_TEST(packets_that_make_no_sense_end_the_connection),
        CONTROL_TEST(descriptors_that_come_do_not_stay_open),
        CONTROL_TEST(a_domain_tells_its_name),
        CONTROL_TEST(a_text_ends_where_its_packet_does),
        CONTROL_TEST(a_long_reason_without_a_file_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
