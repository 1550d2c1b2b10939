/* SPDX-License-Identifier: MIT */
/* vifs_report: what status says of bridges, ports and interfaces. */
#include "service/dom0/vifs/vifs_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "ring/segment.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

enum { DOMID = 3, DEVID = 1, PAGES = 64 };

static struct tdf_source source;
static struct tdf_clock real_clock;
static struct timers timers;
static struct timer_clock real_time;
static struct vifs vifs;
static struct net_port port[2];
static char *text;
static size_t text_bytes;
static FILE *out;
static struct json json;

static void deliver(struct net_port *p, struct net_frame *frame, uint64_t at_ns)
{
    (void)p;
    (void)frame;
    (void)at_ns;
}

static uint32_t take(struct net_port *p, uint32_t budget_bytes)
{
    (void)p;
    (void)budget_bytes;
    return 0;
}

static const struct net_port_ops ops = {.deliver = deliver, .take = take};

static int setup(void **state)
{
    struct net_bridge *bridge;
    (void)state;
    timers_init(&timers);
    if (tdf_source_manual(&source, 1000000000, 1000000, 0) < 0 ||
        tdf_clock_init(&real_clock, &source, NULL, 0, (struct tdf){1, 1}) < 0)
        return -1;
    timers_add_clock(&timers, &real_time, &real_clock);
    if (vifs_init(&vifs,
                  &(struct vifs_config){.timers = &timers, .real_time = &real_time, .seed = 7}) <
            0 ||
        net_add_bridge(&vifs.net, "xenbr0", &bridge) < 0 ||
        net_add_bridge(&vifs.net, "xenbr1", &bridge) < 0)
        return -1;
    memset(port, 0, sizeof(port));
    out = open_memstream(&text, &text_bytes);
    return out != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(text);
    net_disconnect(&port[0]);
    net_disconnect(&port[1]);
    vifs_fini(&vifs);
    return 0;
}

static void end_text(void)
{
    assert_int_equal(fclose(out), 0);
}

/* Two ports of one bridge: the first sends a frame to all, the second one back to it. */
static void talk(void)
{
    static const char *const names[] = {"vif1.0", "vif2.0"};
    for (int i = 0; i < 2; i++) {
        const struct net_port_config config = {.mac = 0};
        net_port_init(&port[i], &ops, names[i], 1);
        assert_int_equal(net_connect(&vifs.net, &port[i], "xenbr0", &config), 0);
    }
    struct net_frame *frame = net_frame_new(100);
    memset(frame->data, 0, 100);
    frame->data[0] = 2; /* to 02:..:00, which nobody has yet */
    frame->data[6] = 4;
    net_port_input(&port[0], frame);
    net_frame_put(frame);
    frame = net_frame_new(60);
    memset(frame->data, 0, 60);
    frame->data[0] = 4;
    frame->data[6] = 2;
    net_port_input(&port[1], frame);
    net_frame_put(frame);
    net_port_drop(&port[1], NET_DROP_RULE);
    net_port_drop(&port[1], NET_DROP_NO_ROOM);
    net_port_drop(&port[1], NET_DROP_NO_ROOM);
}

static void bridges_that_are_used_are_printed_with_their_ports(void **state)
{
    (void)state;
    talk();
    vifs_report_print(&vifs, out);
    end_text();
    assert_string_equal(
        text, "bridge xenbr0: 2 ports, 2 addresses; 1 frames forwarded, 1 copies flooded\n"
              "  vif1.0          tx 1 frames, 100 bytes; rx 1 frames, 60 bytes; "
              "dropped 0\n"
              "  vif2.0          tx 1 frames, 60 bytes; rx 1 frames, 100 bytes; "
              "dropped 3 (rule 1, no-room 2)\n");
}

static void a_bridge_that_lost_its_ports_is_printed_still(void **state)
{
    (void)state;
    talk();
    net_disconnect(&port[0]);
    net_disconnect(&port[1]);
    vifs_report_print(&vifs, out);
    end_text();
    assert_string_equal(
        text, "bridge xenbr0: 0 ports, 0 addresses; 1 frames forwarded, 1 copies flooded\n");
}

static void the_network_is_told_as_json(void **state)
{
    (void)state;
    talk();
    json_start(&json, out, JSON_COMPACT);
    json_object(&json, NULL);
    vifs_report_write_network(&vifs, &json);
    json_end(&json);
    end_text();
    assert_string_equal(
        text,
        "{\"bridges\":[{\"name\":\"xenbr0\",\"ports\":2,\"addresses\":2,\"addresses_moved\":0,"
        "\"addresses_recycled\":0,\"forwarded_frames\":1,\"forwarded_bytes\":60,"
        "\"flooded_frames\":1,\"flooded_bytes\":100},"
        "{\"name\":\"xenbr1\",\"ports\":0,\"addresses\":0,\"addresses_moved\":0,"
        "\"addresses_recycled\":0,\"forwarded_frames\":0,\"forwarded_bytes\":0,"
        "\"flooded_frames\":0,\"flooded_bytes\":0}],"
        "\"links\":[],\"connections\":0,\"rules\":[]}");
}

static void lost(void *ctx)
{
    (void)ctx;
}

static void gone(void *ctx, struct xenbus_back *back)
{
    (void)ctx;
    (void)back;
}

/* An interface whose front end has not come yet. */
static void an_interface_is_told_as_json(void **state)
{
    static const struct xenbus_key key = {"vif", DOMID, DEVID};
    struct back_settings settings = {.weight = 300, .disk_scale = {1, 1}};
    struct back_domain domain = {.domid = DOMID, .fault_slot = -1, .settings = &settings};
    struct log_limit log_limit = {0};
    struct back_host host = {.log_limit = &log_limit};
    struct xenbus_back *back;
    struct vifs_use *use;
    struct vif_spec spec;
    struct why why;
    char path[XENBUS_PATH_MAX];
    (void)state;
    assert_int_equal(
        vif_spec_parse("mac=00:16:3e:00:00:06,vifname=foo,rate=8Mb/s@50ms", &spec, &why), 0);
    const struct vifs_owner owner = {DOMID, 0, &real_clock};
    assert_int_equal(vifs_prepare(&vifs, &owner, DEVID, &spec, false, &use, &why), 0);
    assert_int_equal(log_open(&(struct log_options){.path = "/dev/null"}, &host.log), 0);
    assert_int_equal(xs_server_create(NULL, &host.store), 0);
    assert_int_equal(xs_server_introduce(host.store, DOMID), 0);
    xenbus_front_path(path, &key, "state");
    assert_int_equal(xs_local_write(host.store, path, "1"), 0);
    const struct back_spec made = {&vif_class, DEVID, &use->options};
    assert_int_equal(xenbus_back_create(&host, &domain, &made,
                                        &(struct back_owner){.lost = lost, .gone = gone}, &back),
                     0);
    json_start(&json, out, JSON_COMPACT);
    vifs_report_write(&json, back);
    end_text();
    static const char begin[] =
        "{\"devid\":1,\"name\":\"foo\",\"mac\":\"00:16:3e:00:00:06\",\"bridge\":\"xenbr0\","
        "\"state\":\"InitWait\",\"stalled\":false,\"rate_bytes\":50000,"
        "\"rate_interval_us\":50000,\"weight\":300,"
        "\"tx_frames\":0,\"tx_bytes\":0,\"rx_frames\":0,\"rx_bytes\":0,\"dropped\":{";
    static const char end[] = "},\"tx_slots\":0,\"tx_errors\":0,\"rx_slots\":0,\"rx_errors\":0,"
                              "\"rx_expired\":0,\"rx_stalls\":0,\"notifies\":0,"
                              "\"persistent_grants\":0}";
    assert_true(text_bytes > sizeof(begin) + sizeof(end));
    for (int i = 0; i < NET_DROPS; i++) {
        char member[64];
        snprintf(member, sizeof(member), "\"%s\":0", net_drop_name((enum net_drop)i));
        assert_non_null(strstr(text, member));
    }
    text[sizeof(begin) - 1] = '\0';
    assert_string_equal(text, begin);
    assert_string_equal(text + text_bytes - (sizeof(end) - 1), end);
    xenbus_back_destroy(back);
    vifs_release(use);
    xs_server_destroy(host.store);
    log_close(host.log);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(bridges_that_are_used_are_printed_with_their_ports),
        WITH(a_bridge_that_lost_its_ports_is_printed_still),
        WITH(the_network_is_told_as_json),
        WITH(an_interface_is_told_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
