/* SPDX-License-Identifier: MIT */
/*
 * Debian's libxenstore against a running store (XENSTORED_PATH): conflicts, watches from two
 * connections, special watches, watches with a depth, a directory that needs DIRECTORY_PART, binary
 * values, permissions. There is a domain 1.
 *
 * Exit 0: all as expected; 1: the failed expectation on stderr.
 */
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>
#include <xenstore.h>

enum { BIG = 5000 };

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            err(1, "%s:%d: %s", __FILE__, __LINE__, #condition);                                   \
    } while (0)

static void expect_value(struct xs_handle *xs, xs_transaction_t t, const char *path,
                         const void *value, unsigned len)
{
    unsigned got_len;
    char *got = xs_read(xs, t, path, &got_len);
    EXPECT(got != NULL && got_len == len && memcmp(got, value, len) == 0);
    free(got);
}

static void test_values(struct xs_handle *xs)
{
    static const char binary[] = {0, 1, (char)0xff, '\n', 0, 'x'};
    EXPECT(xs_write(xs, XBT_NULL, "/test/binary", binary, sizeof(binary)));
    expect_value(xs, XBT_NULL, "/test/binary", binary, sizeof(binary));
    EXPECT(xs_write(xs, XBT_NULL, "relative", "r", 1));
    expect_value(xs, XBT_NULL, "/local/domain/0/relative", "r", 1);
    EXPECT(xs_read(xs, XBT_NULL, "/test/missing", NULL) == NULL && errno == ENOENT);
    EXPECT(xs_mkdir(xs, XBT_NULL, "/test/binary")); /* keeps what is there */
    expect_value(xs, XBT_NULL, "/test/binary", binary, sizeof(binary));
    EXPECT(xs_rm(xs, XBT_NULL, "/test/missing"));
    EXPECT(!xs_rm(xs, XBT_NULL, "/test/missing/deeper") && errno == ENOENT);
    EXPECT(!xs_rm(xs, XBT_NULL, "/") && errno == EINVAL);
    EXPECT(!xs_write(xs, XBT_NULL, "/bad//path", "", 0) && errno == EINVAL);
    char *home = xs_get_domain_path(xs, 7);
    EXPECT(home != NULL && strcmp(home, "/local/domain/7") == 0);
    free(home);
}

/* The toolstack's requests: domains are brought in by nobody but their processes. */
static void test_domains(struct xs_handle *xs)
{
    EXPECT(xs_is_domain_introduced(xs, 0));
    EXPECT(!xs_is_domain_introduced(xs, 7000));
    EXPECT(!xs_introduce_domain(xs, 7000, 1, 1) && errno == EINVAL);
    EXPECT(!xs_release_domain(xs, 7000) && errno == ENOENT);
    EXPECT(!xs_release_domain(xs, 0) && errno == EINVAL);
    EXPECT(!xs_resume_domain(xs, 7000) && errno == ENOENT);
    EXPECT(!xs_set_target(xs, 7000, 1) && errno == ENOENT);
    EXPECT(xs_is_domain_introduced(xs, 1));
    EXPECT(xs_introduce_domain(xs, 1, 1, 1)); /* is there */
    EXPECT(xs_resume_domain(xs, 1));
    char *text = xs_control_command(xs, "help", NULL, 0);
    EXPECT(text != NULL && strstr(text, "quota") != NULL);
    free(text);
    text = xs_control_command(xs, "check", NULL, 0);
    EXPECT(text != NULL && strcmp(text, "OK") == 0);
    free(text);
}

static void test_permissions(struct xs_handle *xs)
{
    struct xs_permissions perms[2] = {{.id = 1, .perms = XS_PERM_NONE},
                                      {.id = 2, .perms = XS_PERM_READ | XS_PERM_WRITE}};
    unsigned count;
    EXPECT(xs_write(xs, XBT_NULL, "/test/perms", "", 0));
    EXPECT(xs_set_permissions(xs, XBT_NULL, "/test/perms", perms, 2));
    EXPECT(xs_write(xs, XBT_NULL, "/test/perms/child", "", 0));
    struct xs_permissions *got = xs_get_permissions(xs, XBT_NULL, "/test/perms/child", &count);
    EXPECT(got != NULL && count == 2 && got[0].id == 1 && got[1].id == 2 &&
           got[1].perms == (XS_PERM_READ | XS_PERM_WRITE));
    free(got);
}

static void test_transactions(struct xs_handle *one, struct xs_handle *two)
{
    EXPECT(xs_write(one, XBT_NULL, "/test/counter", "0", 1));
    xs_transaction_t t = xs_transaction_start(one);
    EXPECT(t != XBT_NULL);
    expect_value(one, t, "/test/counter", "0", 1);
    EXPECT(xs_write(one, t, "/test/counter", "1", 1));
    expect_value(two, XBT_NULL, "/test/counter", "0", 1);
    EXPECT(xs_write(two, XBT_NULL, "/test/counter", "5", 1));
    expect_value(one, t, "/test/counter", "1", 1);
    EXPECT(!xs_transaction_end(one, t, false) && errno == EAGAIN);
    expect_value(two, XBT_NULL, "/test/counter", "5", 1);

    t = xs_transaction_start(one);
    expect_value(one, t, "/test/counter", "5", 1);
    EXPECT(xs_write(one, t, "/test/counter", "6", 1));
    EXPECT(xs_transaction_end(one, t, false));
    expect_value(two, XBT_NULL, "/test/counter", "6", 1);

    t = xs_transaction_start(one);
    EXPECT(xs_rm(one, t, "/test/counter"));
    EXPECT(xs_transaction_end(one, t, true)); /* aborted */
    expect_value(two, XBT_NULL, "/test/counter", "6", 1);
}

static void expect_event(struct xs_handle *xs, const char *path, const char *token)
{
    unsigned count;
    char **event = xs_read_watch(xs, &count);
    EXPECT(event != NULL && strcmp(event[XS_WATCH_PATH], path) == 0 &&
           strcmp(event[XS_WATCH_TOKEN], token) == 0);
    free(event);
}

static void test_watches(struct xs_handle *one, struct xs_handle *two)
{
    EXPECT(xs_watch(one, "/test/w", "t1"));
    expect_event(one, "/test/w", "t1");
    EXPECT(xs_watch(two, "/test/w/a", "t2"));
    expect_event(two, "/test/w/a", "t2");
    EXPECT(!xs_watch(two, "/test/w/a", "t2") && errno == EEXIST);
    EXPECT(xs_write(one, XBT_NULL, "/test/w/a/b", "", 0));
    expect_event(one, "/test/w/a/b", "t1");
    expect_event(two, "/test/w/a/b", "t2");
    EXPECT(xs_rm(one, XBT_NULL, "/test/w"));
    expect_event(one, "/test/w", "t1");
    expect_event(two, "/test/w/a", "t2"); /* an ancestor went: its own path is reported */
    EXPECT(xs_unwatch(two, "/test/w/a", "t2"));
    EXPECT(!xs_unwatch(two, "/test/w/a", "t2") && errno == ENOENT);
    EXPECT(xs_unwatch(one, "/test/w", "t1"));
}

/* Any special name can be watched, and fires at once; what it may hear is a matter of permissions,
 * which can be set. */
static void test_special_watches(struct xs_handle *one)
{
    struct xs_permissions perms[2] = {{.id = 0, .perms = XS_PERM_NONE},
                                      {.id = 1, .perms = XS_PERM_READ}};
    static const char *const name[] = {"@introduceDomain", "@releaseDomain", "@releaseDomain/1",
                                       "@nosuch"};
    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        EXPECT(xs_watch(one, name[i], "special"));
        expect_event(one, name[i], "special");
        EXPECT(!xs_watch(one, name[i], "special") && errno == EEXIST);
        EXPECT(xs_unwatch(one, name[i], "special"));
    }
    EXPECT(xs_set_permissions(one, XBT_NULL, "@introduceDomain", perms, 2));
    EXPECT(xs_set_permissions(one, XBT_NULL, "@introduceDomain", perms, 1));
    EXPECT(!xs_set_permissions(one, XBT_NULL, "@nosuch", perms, 1) && errno == ENOENT);
    EXPECT(xs_read(one, XBT_NULL, "@introduceDomain", NULL) == NULL && errno == EINVAL);
}

/* One message of a socket; its payload ends with an extra NUL. */
static void receive(int fd, struct xsd_sockmsg *hdr, char payload[XENSTORE_PAYLOAD_MAX + 1])
{
    EXPECT(recv(fd, hdr, sizeof(*hdr), MSG_WAITALL) == sizeof(*hdr));
    EXPECT(hdr->len <= XENSTORE_PAYLOAD_MAX);
    EXPECT(hdr->len == 0 || recv(fd, payload, hdr->len, MSG_WAITALL) == (ssize_t)hdr->len);
    payload[hdr->len] = '\0';
}

static void ask(int fd, uint32_t type, const char *payload, uint32_t len)
{
    const struct xsd_sockmsg hdr = {.type = type, .len = len};
    EXPECT(send(fd, &hdr, sizeof(hdr), 0) == sizeof(hdr) &&
           send(fd, payload, len, 0) == (ssize_t)len);
}

/* What a later client library asks for: this one has no call for a depth. */
static void test_depth(struct xs_handle *one)
{
    static const char watch[] = "/test/deep\0depth\0001";
    static char payload[XENSTORE_PAYLOAD_MAX + 1];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct xsd_sockmsg hdr;
    const char *path = getenv("XENSTORED_PATH");
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT(path != NULL && strlen(path) < sizeof(address.sun_path));
    strcpy(address.sun_path, path);
    EXPECT(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    ask(fd, 23, "", 0); /* GET_FEATURE */
    receive(fd, &hdr, payload);
    EXPECT(hdr.type == 23 && (atoi(payload) & 4) != 0); /* XENSTORE_SERVER_FEATURE_WATCHDEPTH */
    ask(fd, XS_WATCH, watch, sizeof(watch));
    receive(fd, &hdr, payload);
    EXPECT(hdr.type == XS_WATCH);
    receive(fd, &hdr, payload);
    EXPECT(hdr.type == XS_WATCH_EVENT && strcmp(payload, "/test/deep") == 0);
    EXPECT(xs_write(one, XBT_NULL, "/test/deep/a/b", "", 0)); /* too deep */
    EXPECT(xs_write(one, XBT_NULL, "/test/deep/c", "", 0));
    receive(fd, &hdr, payload);
    EXPECT(hdr.type == XS_WATCH_EVENT && strcmp(payload, "/test/deep/c") == 0);
    close(fd);
}

static void test_big_directory(struct xs_handle *xs)
{
    char path[64], seen[BIG] = {0};
    unsigned count;
    for (int i = 0; i < BIG; i++) {
        snprintf(path, sizeof(path), "/test/big/entry-%d", i);
        EXPECT(xs_write(xs, XBT_NULL, path, "", 0));
    }
    char **names = xs_directory(xs, XBT_NULL, "/test/big", &count);
    EXPECT(names != NULL && count == BIG);
    for (unsigned i = 0; i < count; i++) {
        int n = atoi(names[i] + strlen("entry-"));
        EXPECT(n >= 0 && n < BIG && seen[n]++ == 0);
    }
    free(names);
    EXPECT(xs_rm(xs, XBT_NULL, "/test/big"));
}

int main(void)
{
    struct xs_handle *one = xs_open(0), *two = xs_open(0);
    if (one == NULL || two == NULL)
        err(1, "no store (set XENSTORED_PATH)");
    test_values(one);
    test_domains(one);
    test_permissions(one);
    test_transactions(one, two);
    test_watches(one, two);
    test_special_watches(one);
    test_depth(one);
    test_big_directory(one);
    EXPECT(xs_rm(one, XBT_NULL, "/test"));
    EXPECT(xs_rm(one, XBT_NULL, "relative"));
    xs_close(one);
    xs_close(two);
    return 0;
}
