/* SPDX-License-Identifier: MIT */
/* ports: a vCPU and a port for each device, against a Dom0 that hands ports out one by one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "domu/ports.h"
#include "fakes/fake_dom0.h"

enum { VCPUS_FOR_DEVICES = XEN_LEGACY_MAX_VCPUS - LIFE_VCPU_DEVICES };

static char base[64], why[256];
static struct fake_dom0 *dom0;
static struct rundir rundir;
static struct life life;
static struct ports ports;
static int owners[VCPUS_FOR_DEVICES + 1];

static void begin(void)
{
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){0});
    assert_non_null(dom0);
    assert_int_equal(rundir_resolve(base, "fake", false, &rundir, why, sizeof(why)), 0);
    assert_int_equal(life_create(&life, &rundir, segment_pages_for(1), (struct tdf){0, 0}, NULL,
                                 why, sizeof(why)),
                     0);
}

static void end(void)
{
    life_destroy(&life);
    fake_dom0_stop(dom0);
}

static int setup(void **state)
{
    (void)state;
    alarm(60);
    ports = (struct ports){0};
    life_init(&life);
    snprintf(base, sizeof(base), "/tmp/splitdom-ports-XXXXXX");
    if (mkdtemp(base) == NULL)
        return -1;
    begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    end();
    alarm(0);
    return rmdir(base);
}

static void each_owner_has_a_vcpu_and_a_port_of_its_own(void **state)
{
    (void)state;
    int first = ports_open(&ports, &life, &owners[0]);
    int second = ports_open(&ports, &life, &owners[1]);
    assert_int_equal(first, LIFE_VCPU_DEVICES);
    assert_int_equal(second, LIFE_VCPU_DEVICES + 1);
    assert_int_not_equal(ports_port(&ports, (uint32_t)first, &owners[0]),
                         ports_port(&ports, (uint32_t)second, &owners[1]));
}

static void there_are_as_many_as_vcpus(void **state)
{
    (void)state;
    char reason[128];
    for (int i = 0; i < VCPUS_FOR_DEVICES; i++)
        assert_int_equal(ports_open(&ports, &life, &owners[i]), LIFE_VCPU_DEVICES + i);
    assert_int_equal(ports_open(&ports, &life, &owners[VCPUS_FOR_DEVICES]), -ENOSPC);
    ports_explain(-ENOSPC, reason, sizeof(reason));
    assert_non_null(strstr(reason, "31 vCPUs"));
    ports_explain(-ENOTCONN, reason, sizeof(reason));
    assert_non_null(strstr(reason, strerror(ENOTCONN)));
    ports_close(&ports, &life, 5, &owners[5 - LIFE_VCPU_DEVICES]);
    assert_int_equal(ports_open(&ports, &life, &owners[VCPUS_FOR_DEVICES]), 5);
}

static void a_port_is_closed_at_dom0(void **state)
{
    (void)state;
    int vcpu = ports_open(&ports, &life, &owners[0]);
    ports_close(&ports, &life, (uint32_t)vcpu, &owners[0]);
    assert_int_equal(fake_dom0_closed_ports(dom0), 1);
}

static void vcpus_stay_when_ports_are_opened_at_the_next_dom0(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        (void)ports_open(&ports, &life, &owners[i]);
    ports_close(&ports, &life, LIFE_VCPU_DEVICES, &owners[0]);
    evtchn_port_t gone = ports_port(&ports, LIFE_VCPU_DEVICES + 2, &owners[2]);
    end();
    begin();
    assert_int_equal(ports_reopen(&ports, &life), 0);
    /* There ports are counted from the beginning again, and the closed one is not opened. */
    assert_int_equal(ports_port(&ports, LIFE_VCPU_DEVICES + 2, &owners[2]), gone - 1);
    assert_int_equal(ports_open(&ports, &life, &owners[0]), LIFE_VCPU_DEVICES);
}

int main(void)
{
#define PORTS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        PORTS_TEST(each_owner_has_a_vcpu_and_a_port_of_its_own),
        PORTS_TEST(there_are_as_many_as_vcpus),
        PORTS_TEST(a_port_is_closed_at_dom0),
        PORTS_TEST(vcpus_stay_when_ports_are_opened_at_the_next_dom0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
