/* SPDX-License-Identifier: MIT */
/* dom0_attach: an export, whose server answers when it likes: Dom0 does not wait for that. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_machine.h"
#include "fakes/fake_nbd.h"
#include "service/dom0/domain_devices.h"

enum { PAGES = 64, XVDB = 51728, HANG_S = 60 };

#define SECOND_NS UINT64_C(1000000000)

static struct fake_machine machine;
static struct fake_nbd nbd;
static struct domain *domain; /* NULL: it has ended */
static struct why why;
static struct control_peer *const asker = (struct control_peer *)&why;
static int answers, answer_status;
static char answer_text[WHY_SIZE];

void __wrap_control_answer(struct control_peer *to, int status, const char *reason);

void __wrap_control_answer(struct control_peer *to, int status, const char *reason)
{
    assert_ptr_equal(to, asker);
    answers++;
    answer_status = status;
    snprintf(answer_text, sizeof(answer_text), "%s", reason);
}

static void end_domain(void)
{
    dom0_control_ops.end_domain(machine.dom0, domain);
    domain = NULL;
}

static int setup(void **state)
{
    const struct control_request request = {.op = CONTROL_CREATE_DOMAIN, .arg0 = PAGES};
    int segment_fd;
    (void)state;
    alarm(HANG_S);
    answers = 0;
    fake_nbd_init(&nbd);
    if (fake_machine_create(&machine) < 0)
        return -1;
    machine.options.engine = DOM0_ENGINE_THREADS;
    if (fake_machine_boot(&machine) < 0)
        return -1;
    return dom0_control_ops.create_domain(machine.dom0, &request, 1, &domain, &segment_fd, &why);
}

static int teardown(void **state)
{
    (void)state;
    if (domain != NULL)
        end_domain();
    int rc = fake_machine_destroy(&machine);
    fake_nbd_kill(&nbd);
    fake_nbd_fini(&nbd);
    alarm(0);
    return rc;
}

static int attach(const char *uri)
{
    char spec[512];
    snprintf(spec, sizeof(spec), "vdev=xvdb,access=w,target=%s", uri);
    return dom0_control_ops.attach_disk(machine.dom0, 1, spec, asker, &why);
}

static void turn(void)
{
    (void)worker_turn(&machine.dom0->worker);
}

static void wait_for_answer(void)
{
    while (answers == 0)
        turn();
    assert_int_equal(answers, 1);
    assert_true(list_is_empty(&machine.dom0->attaches));
}

static const struct xenbus_back *device(void)
{
    return domain_find_device(domain, &vbd_class, XVDB);
}

static void it_is_attached_once_its_server_has_answered(void **state)
{
    (void)state;
    fake_nbd_start(&nbd);
    assert_int_equal(attach(nbd.uri), -EINPROGRESS);
    assert_null(device());
    wait_for_answer();
    assert_int_equal(answer_status, 0);
    assert_string_equal(answer_text, "");
    assert_non_null(device());
}

static void without_a_server_it_is_refused(void **state)
{
    (void)state;
    assert_int_equal(attach(nbd.uri), -EINPROGRESS);
    wait_for_answer();
    assert_int_equal(answer_status, -ENOENT);
    assert_non_null(strstr(answer_text, nbd.uri));
    assert_null(device());
}

static void a_kind_of_uri_that_is_not_served_is_refused_at_once(void **state)
{
    (void)state;
    assert_int_equal(attach("nbds://localhost/x"), -EINVAL);
    assert_non_null(strstr(why.text, "only nbd://"));
    assert_true(list_is_empty(&machine.dom0->attaches));
    turn();
    assert_int_equal(answers, 0);
}

static void a_domain_that_ends_meanwhile_gets_none(void **state)
{
    (void)state;
    fake_nbd_start(&nbd);
    assert_int_equal(attach(nbd.uri), -EINPROGRESS);
    end_domain(); /* its number may be another's when the image is there */
    assert_int_equal(answers, 1);
    assert_true(list_is_empty(&machine.dom0->attaches));
    assert_int_equal(answer_status, -ESRCH);
    assert_non_null(strstr(answer_text, "domain 1 has ended"));
    vdisks_sweep(&machine.dom0->vdisks);
    assert_null(vdisks_next(&machine.dom0->vdisks, vdisks_first(&machine.dom0->vdisks)));
}

/* It takes connections and never says a word. */
static int listen_silently(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", nbd.path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void pass(uint64_t ns)
{
    tdf_source_advance_ns(&machine.time, ns);
    worker_time_passed(&machine.dom0->worker);
    turn();
}

static void a_silent_server_is_given_up(void **state)
{
    (void)state;
    int fd = listen_silently();
    assert_int_equal(attach(nbd.uri), -EINPROGRESS);
    pass(10 * SECOND_NS - 1);
    assert_int_equal(answers, 0);
    pass(1);
    assert_int_equal(answers, 1);
    assert_int_equal(answer_status, -ETIMEDOUT);
    assert_non_null(strstr(answer_text, "its server has not answered for 10 s"));
    assert_true(list_is_empty(&machine.dom0->attaches));
    close(fd);
    unlink(nbd.path);
}

static void who_has_gone_is_not_answered(void **state)
{
    (void)state;
    int fd = listen_silently();
    assert_int_equal(attach(nbd.uri), -EINPROGRESS);
    dom0_control_ops.forget(machine.dom0, (struct control_peer *)&answers); /* somebody else */
    assert_false(list_is_empty(&machine.dom0->attaches));
    dom0_control_ops.forget(machine.dom0, asker);
    assert_true(list_is_empty(&machine.dom0->attaches));
    pass(20 * SECOND_NS);
    assert_int_equal(answers, 0);
    close(fd);
    unlink(nbd.path);
}

int main(void)
{
#define EXPORT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
#ifdef HAVE_LIBNBD
        EXPORT_TEST(it_is_attached_once_its_server_has_answered),
        EXPORT_TEST(without_a_server_it_is_refused),
        EXPORT_TEST(a_domain_that_ends_meanwhile_gets_none),
        EXPORT_TEST(a_silent_server_is_given_up),
        EXPORT_TEST(who_has_gone_is_not_answered),
#endif
        EXPORT_TEST(a_kind_of_uri_that_is_not_served_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
