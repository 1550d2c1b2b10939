/* SPDX-License-Identifier: MIT */
/* service_options: verbs and options that are taken. */
#include "service/dom0/placement.h"
#include "unit/service/cli/service_options_fixture.h"

static void start_has_defaults(void **state)
{
    struct service_options o;

    (void)state;
    assert_int_equal(parse("start", &o), 0);
    assert_int_equal(o.verb, SERVICE_START);
    assert_false(o.foreground);
    assert_string_equal(o.dom0.image_path, "disk1.img");
    assert_int_equal(o.dom0.engine, DOM0_ENGINE_AUTO);
    assert_int_equal(o.dom0.cache_ppm, 10000);
    assert_true(o.dom0.cache_bytes == DOM0_CACHE_BYTES_UNSET);
    assert_string_equal(o.dom0.cache_policy, "lru");
    assert_true(o.dom0.idle_timeout_ns == UINT64_C(300000000000));
    assert_int_equal(o.dom0.cpu, PLACEMENT_AUTO);
    assert_true(o.dom0.depth >= o.dom0.depth_isolated);
}

static void the_usage_tells_the_defaults(void **state)
{
    (void)state;
    const struct dom0_options defaults = dom0_options_default();
    const char *line = strstr(service_options_usage(), "--depth-isolated N");
    char expected[64];
    assert_non_null(line);
    snprintf(expected, sizeof(expected), "(default %u)\n", defaults.depth_isolated);
    assert_ptr_equal(strstr(line, "(default"), strstr(line, expected));
    line = strstr(service_options_usage(), "--depth N");
    assert_non_null(line);
    snprintf(expected, sizeof(expected), "(default %u; alone %u)\n", defaults.depth,
             defaults.depth_alone);
    assert_ptr_equal(strstr(line, "(default"), strstr(line, expected));
}

static void start_takes_all_its_options(void **state)
{
    struct service_options o;

    (void)state;
    assert_int_equal(
        parse("start --image F --engine model --model mean=1us --cache-percent 0.25 "
              "--cache-policy clock --idle-timeout 0.5 --tdf 1/100 --cpu 1 --depth 128 "
              "--disk-scale 2.5 --depth-isolated 7 --max-domains 3 --max-pages 64 "
              "--max-ring-page-order 0 --no-spin --foreground --name N --rundir R",
              &o),
        0);
    assert_string_equal(o.dom0.image_path, "F");
    assert_int_equal(o.dom0.engine, DOM0_ENGINE_MODEL);
    assert_string_equal(o.dom0.model, "mean=1us");
    assert_int_equal(o.dom0.cache_ppm, 2500);
    assert_string_equal(o.dom0.cache_policy, "clock");
    assert_int_equal(o.dom0.idle_timeout_ns, 500000000);
    assert_int_equal(o.dom0.tdf_num, 1);
    assert_int_equal(o.dom0.tdf_den, 100);
    assert_int_equal(o.dom0.scale_num, 5);
    assert_int_equal(o.dom0.scale_den, 2);
    assert_int_equal(o.dom0.cpu, 1);
    assert_int_equal(o.dom0.depth, 128);
    assert_int_equal(o.dom0.depth_alone, 128);
    assert_int_equal(o.dom0.depth_isolated, 7);
    assert_int_equal(o.dom0.max_domains, 3);
    assert_int_equal(o.dom0.max_pages, 64);
    assert_int_equal(o.dom0.max_ring_page_order, 0);
    assert_true(o.dom0.no_spin && o.foreground);
    assert_string_equal(o.name, "N");
    assert_string_equal(o.rundir, "R");
    assert_int_equal(parse("start --cache-bytes 4096", &o), 0);
    assert_int_equal(o.dom0.cache_bytes, 4096);
    assert_int_equal(parse("start --cache-bytes 4096 --cache-percent 0", &o), 0); /* last wins */
    assert_true(o.dom0.cache_bytes == DOM0_CACHE_BYTES_UNSET);
    assert_int_equal(o.dom0.cache_ppm, 0);
}

static void disks_come_beside_an_image_or_instead_of_it(void **state)
{
    struct service_options o;

    (void)state;
    assert_int_equal(parse("start --disk F,,xvda,r --disk G,,xvdb", &o), 0);
    assert_null(o.dom0.image_path);
    assert_int_equal(o.dom0.disk_count, 2);
    assert_string_equal(o.disks[1], "G,,xvdb");
    assert_int_equal(parse("start --disk F,,xvdb,r --image I", &o), 0);
    assert_string_equal(o.dom0.image_path, "I");
    assert_int_equal(o.dom0.disk_count, 1);
}

static void engines_have_names(void **state)
{
    struct service_options o;

    (void)state;
    assert_int_equal(parse("start --engine uring", &o), 0);
    assert_int_equal(o.dom0.engine, DOM0_ENGINE_URING);
    assert_int_equal(parse("start --engine threads", &o), 0);
    assert_int_equal(o.dom0.engine, DOM0_ENGINE_THREADS);
    assert_int_equal(parse("start --engine null", &o), 0);
    assert_int_equal(o.dom0.engine, DOM0_ENGINE_NULL);
}

static void services_are_asked_and_stopped(void **state)
{
    struct service_options o;

    (void)state;
    assert_int_equal(parse("stop --name x", &o), 0);
    assert_int_equal(o.verb, SERVICE_STOP);
    assert_string_equal(o.name, "x");
    assert_int_equal(parse("status --json", &o), 0);
    assert_true(o.json);
    assert_int_equal(parse("env", &o), 0);
    assert_int_equal(o.verb, SERVICE_ENV);
    assert_int_equal(parse("list", &o), 0);
    assert_false(o.has_domid);
    assert_int_equal(parse("list 0", &o), 0);
    assert_true(o.has_domid);
    assert_int_equal(parse("list -l", &o), 0);
    assert_true(o.details);
    assert_int_equal(parse("list --long", &o), 0);
    assert_true(o.details);
    assert_int_equal(parse("--help", &o), 0);
    assert_int_equal(o.verb, SERVICE_HELP);
    assert_int_equal(parse("start --help", &o), 0);
    assert_int_equal(o.verb, SERVICE_HELP);
    assert_int_equal(parse("--version", &o), 0);
    assert_int_equal(o.verb, SERVICE_VERSION);
}

static void domains_are_set_and_ended(void **state)
{
    struct service_options o;

    (void)state;
    assert_int_equal(parse("set 3 weight 1", &o), 0);
    assert_int_equal(parse("set 3 weight 65535", &o), 0);
    assert_int_equal(parse("set 3 weight 512", &o), 0);
    assert_int_equal(o.domid, 3);
    assert_int_equal(o.key, SERVICE_KEY_WEIGHT);
    assert_string_equal(o.value, "512");
    assert_int_equal(parse("set 3 --name n tdf 1/100", &o), 0);
    assert_int_equal(o.key, SERVICE_KEY_TDF);
    assert_string_equal(o.value, "1/100");
    assert_int_equal(parse("pause 4", &o), 0);
    assert_int_equal(o.verb, SERVICE_PAUSE);
    assert_int_equal(parse("unpause 4", &o), 0);
    assert_int_equal(parse("shutdown 32751", &o), 0);
    assert_int_equal(o.domid, 32751);
    assert_int_equal(parse("destroy 3", &o), 0);
    assert_int_equal(o.verb, SERVICE_DESTROY);
    assert_int_equal(o.domid, 3);
    assert_int_equal(parse("set 3 cpu-share 25%", &o), 0);
    assert_int_equal(o.key, SERVICE_KEY_CPU_SHARE);
    assert_string_equal(o.value, "1/4");
    assert_int_equal(parse("set 3 cpu-share 1", &o), 0);
    assert_string_equal(o.value, "1");
}

static void a_domain_is_meant_by_its_number_or_its_name(void **state)
{
    struct service_options o;

    (void)state;
    assert_int_equal(parse("pause 7", &o), 0);
    assert_null(o.domain);
    assert_int_equal(o.domid, 7);
    assert_int_equal(parse("block-detach 7x xvdb", &o), 0);
    assert_string_equal(o.domain, "7x");
    assert_string_equal(o.value, "xvdb");
    assert_int_equal(parse("trace --domain web", &o), 0);
    assert_string_equal(o.domain, "web");
    assert_int_equal(parse("uptime", &o), 0);
    assert_null(o.domain);
}

static void disks_come_go_and_grow(void **state)
{
    struct service_options o;

    (void)state;
    assert_int_equal(parse("resize", &o), 0);
    assert_int_equal(o.domid, 0);
    assert_int_equal(parse("resize xvdb", &o), 0);
    assert_string_equal(o.value, "xvdb");
    assert_int_equal(parse("block-attach 7 F,raw,xvdb,w", &o), 0);
    assert_int_equal(o.verb, SERVICE_BLOCK_ATTACH);
    assert_int_equal(o.domid, 7);
    assert_string_equal(o.words[0], "F,raw,xvdb,w");
    assert_null(o.words[1]);
    assert_int_equal(parse("block-attach 7 phy:/dev/x xvdb w", &o), 0);
    assert_string_equal(o.words[2], "w");
    assert_int_equal(parse("block-detach 7 xvdb", &o), 0);
    assert_int_equal(o.verb, SERVICE_BLOCK_DETACH);
    assert_string_equal(o.value, "xvdb");
    assert_false(o.force);
    assert_int_equal(parse("block-detach -f 7 xvdb", &o), 0);
    assert_true(o.force);
    assert_int_equal(parse("block-detach 7 xvdb --force", &o), 0);
    assert_true(o.force);
    assert_int_equal(parse("block-list 7", &o), 0);
    assert_int_equal(o.verb, SERVICE_BLOCK_LIST);
}

static void networks_come_and_go(void **state)
{
    struct service_options o;

    (void)state;
    assert_int_equal(parse("network-attach 7 mac=00:16:3e:00:00:01 bridge=b", &o), 0);
    assert_int_equal(o.verb, SERVICE_NETWORK_ATTACH);
    assert_int_equal(o.domid, 7);
    assert_string_equal(o.words[0], "mac=00:16:3e:00:00:01");
    assert_string_equal(o.words[1], "bridge=b");
    assert_null(o.words[2]);
    assert_int_equal(parse("network-attach 7", &o), 0);
    assert_null(o.words[0]);
    assert_int_equal(parse("network-detach -f 7 00:16:3e:00:00:01", &o), 0);
    assert_int_equal(o.verb, SERVICE_NETWORK_DETACH);
    assert_string_equal(o.value, "00:16:3e:00:00:01");
    assert_true(o.force);
    assert_int_equal(parse("network-list 7", &o), 0);
    assert_int_equal(o.verb, SERVICE_NETWORK_LIST);
    assert_int_equal(
        parse("start --bridge a --vif bridge=b,rate=1Mb/s --bridge b --vif mtu=9000", &o), 0);
    assert_int_equal(o.dom0.bridge_count, 2);
    assert_string_equal(o.dom0.bridges[1], "b");
    assert_int_equal(o.dom0.vif_count, 2);
    assert_string_equal(o.dom0.vifs[0].bridge, "b");
    assert_int_equal(o.dom0.vifs[1].mtu, 9000);
}

static void a_trace_of_all_or_of_some(void **state)
{
    struct service_options o;

    (void)state;
    assert_int_equal(parse("trace", &o), 0);
    assert_int_equal(o.verb, SERVICE_TRACE);
    assert_int_equal(o.seconds_ms, 5000);
    assert_int_equal(o.sample, 0);
    assert_int_equal(o.domid, 0);
    assert_null(o.value);
    assert_int_equal(parse("trace --seconds 0.25 --sample 10 --domain 3 t.json", &o), 0);
    assert_int_equal(o.seconds_ms, 250);
    assert_int_equal(o.sample, 10);
    assert_int_equal(o.domid, 3);
    assert_string_equal(o.value, "t.json");
    assert_int_equal(parse("trace --sample auto", &o), 0);
    assert_int_equal(o.sample, TRACE_SAMPLE_AUTO);
    assert_refused("trace --seconds 0", "--seconds");
    assert_refused("trace --sample 0", "--sample");
    assert_refused("trace --domain 0", "--domain");
    assert_refused("trace -b", "belongs to top");
    assert_refused("top --sample 2", "belongs to trace");
    assert_refused("trace a b", "at most one argument");
}

static void top_and_names(void **state)
{
    struct service_options o;

    (void)state;
    assert_int_equal(parse("top", &o), 0);
    assert_int_equal(o.verb, SERVICE_TOP);
    assert_false(o.batch || o.details || o.networks);
    assert_int_equal(o.iterations, 0);
    assert_int_equal(o.delay_ms, 3000);
    assert_int_equal(parse("top -b -i 7 -d 0.25 -x", &o), 0);
    assert_true(o.batch && o.details && !o.networks);
    assert_int_equal(o.iterations, 7);
    assert_int_equal(o.delay_ms, 250);
    assert_int_equal(parse("top --batch --iterations 2 --delay 1 --vbds", &o), 0);
    assert_true(o.batch && o.details && o.iterations == 2 && o.delay_ms == 1000);
    assert_int_equal(parse("top -n", &o), 0);
    assert_true(o.networks && !o.details);
    assert_int_equal(parse("top --networks", &o), 0);
    assert_true(o.networks);
    assert_refused("list -n", "belongs to top");
    assert_refused("top -d 0.01", "--delay");
    assert_refused("top -d 1h", "--delay");
    assert_refused("top -i 0", "--iterations");
    assert_refused("top 1", "no arguments");
    assert_refused("status -b", "--batch");
    assert_refused("list -d 1", "belongs to top");
    assert_int_equal(parse("uptime", &o), 0);
    assert_false(o.has_domid);
    assert_int_equal(parse("uptime 0", &o), 0);
    assert_true(o.has_domid && o.domid == 0);
    assert_int_equal(parse("domname 7", &o), 0);
    assert_true(o.verb == SERVICE_DOMNAME && o.domid == 7);
    assert_int_equal(parse("domid web", &o), 0);
    assert_string_equal(o.value, "web");
    assert_int_equal(parse("rename 7 web.1", &o), 0);
    assert_true(o.verb == SERVICE_RENAME && o.domid == 7);
    assert_string_equal(o.value, "web.1");
    assert_refused("rename 0 web", "DOMID");
    assert_refused("rename 7", "DOMID NAME");
    assert_refused("rename 7 a/b", "a name");
    assert_refused("domname web", "DOMID");
    assert_refused("domid", "NAME");
}

/* Dom0 reads them: all that stands behind the verb is handed on. */
static void the_network_has_words_of_its_own(void **state)
{
    struct service_options o;
    (void)state;
    assert_int_equal(parse("net-link vif1.0 rate=10Mbit delay=1ms", &o), 0);
    assert_int_equal(o.verb, SERVICE_NET_LINK);
    assert_string_equal(o.words[0], "vif1.0");
    assert_string_equal(o.words[2], "delay=1ms");
    assert_null(o.words[3]);
    assert_int_equal(parse("net-link", &o), 0); /* lists them */
    assert_null(o.words[0]);
    assert_int_equal(parse("rule add in=vif1.0 drop", &o), 0);
    assert_int_equal(o.verb, SERVICE_RULE);
    assert_string_equal(o.words[0], "add");
    assert_string_equal(o.words[2], "drop");
    assert_null(o.words[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_has_defaults),
        cmocka_unit_test(the_usage_tells_the_defaults),
        cmocka_unit_test(start_takes_all_its_options),
        cmocka_unit_test(disks_come_beside_an_image_or_instead_of_it),
        cmocka_unit_test(engines_have_names),
        cmocka_unit_test(services_are_asked_and_stopped),
        cmocka_unit_test(domains_are_set_and_ended),
        cmocka_unit_test(a_domain_is_meant_by_its_number_or_its_name),
        cmocka_unit_test(disks_come_go_and_grow),
        cmocka_unit_test(networks_come_and_go),
        cmocka_unit_test(the_network_has_words_of_its_own),
        cmocka_unit_test(top_and_names),
        cmocka_unit_test(a_trace_of_all_or_of_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
