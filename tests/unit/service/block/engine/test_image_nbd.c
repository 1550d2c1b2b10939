/* SPDX-License-Identifier: MIT */
/* image_nbd: which URIs are served, and what becomes of connections that nobody answers. What is
 * read and written through one: e2e/nbd_images.sh, with a server. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "faults/fault_walk.h"
#include "service/block/engine/image.h"
#include "service/block/engine/image_nbd.h"

static char directory[64], path[96], uri[160];

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/splitdom-nbd-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/s", directory);
    snprintf(uri, sizeof(uri), "nbd+unix:///?socket=%s", path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void uris_are_told_from_paths(void **state)
{
    (void)state;
    assert_true(image_nbd_is_uri("nbd://host/export") && image_nbd_is_uri("nbd+unix:///?socket=s"));
    assert_true(image_nbd_is_uri("nbds://host"));
    assert_false(image_nbd_is_uri("/nbd://x") || image_nbd_is_uri("nbd") ||
                 image_nbd_is_uri("nbd:/x"));
}

#ifdef HAVE_LIBNBD

static int listen_silently(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void tls_and_others_are_refused(void **state)
{
    struct image image;
    struct why why;
    (void)state;
    assert_int_equal(image_open("nbds://localhost/x", false, &image, &why), -EINVAL);
    assert_non_null(strstr(why.text, "only nbd://"));
    assert_int_equal(image.fd, -1);
}

static void no_server_is_an_error(void **state)
{
    struct image image;
    struct why why;
    (void)state;
    assert_int_equal(image_open(uri, false, &image, &why), -ENOENT);
    assert_non_null(strstr(why.text, uri));
    assert_true(image.fd == -1 && image.nbd == NULL);
}

/* It accepts, says nothing, and hangs up. */
static void a_server_that_hangs_up_is_an_error(void **state)
{
    struct image_opener *opener;
    struct image image;
    struct why why;
    (void)state;
    int fd = listen_silently();
    assert_int_equal(image_opener_start(uri, true, &opener, &why), 0);
    int peer = accept(fd, NULL, NULL);
    struct pollfd over = {.fd = image_opener_fd(opener), .events = POLLIN};
    assert_int_equal(poll(&over, 1, 0), 0); /* it waits for a greeting */
    close(peer);
    assert_true(image_opener_finish(opener, &image, &why) < 0);
    assert_true(image.fd == -1 && image.nbd == NULL && strlen(why.text) > 0);
    close(fd);
}

/* Whoever asked has gone; the thread ends by itself when the server does. */
static void nobody_need_wait_for_a_silent_server(void **state)
{
    struct image_opener *opener;
    struct why why;
    char byte;
    (void)state;
    int fd = listen_silently();
    assert_int_equal(image_opener_start(uri, false, &opener, &why), 0);
    int peer = accept(fd, NULL, NULL);
    image_opener_drop(opener);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    assert_int_equal(read(peer, &byte, 1), 0); /* it has closed its end */
    close(peer);
    close(fd);
    image_opener_drop(NULL);
}

/* Its thread has ended: who drops it gives its memory back. */
static void an_opener_that_is_over_can_be_dropped(void **state)
{
    struct image_opener *opener;
    struct why why;
    (void)state;
    int64_t blocks = fault_live_blocks();
    uint32_t descriptors = fault_open_descriptors();
    assert_int_equal(image_opener_start(uri, false, &opener, &why), 0); /* nobody serves */
    struct pollfd over = {.fd = image_opener_fd(opener), .events = POLLIN};
    assert_int_equal(poll(&over, 1, -1), 1);
    image_opener_drop(opener);
    assert_true(fault_walk_is_clean(blocks, descriptors));
}

#else

static void without_libnbd_they_are_refused(void **state)
{
    struct image image;
    struct why why;
    (void)state;
    assert_int_equal(image_open(uri, false, &image, &why), -ENOTSUP);
    assert_non_null(strstr(why.text, "without libnbd"));
}

#endif

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(uris_are_told_from_paths),
#ifdef HAVE_LIBNBD
        WITH(tls_and_others_are_refused),
        WITH(no_server_is_an_error),
        WITH(an_opener_that_is_over_can_be_dropped),
        WITH(a_server_that_hangs_up_is_an_error),
        WITH(nobody_need_wait_for_a_silent_server),
#else
        WITH(without_libnbd_they_are_refused),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
