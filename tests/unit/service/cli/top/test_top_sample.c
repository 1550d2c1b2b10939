/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/cli/top/top_sample.h"

static const char status[] =
    "{\"name\":\"default\",\"pid\":77,\"engine\":\"uring\",\"tdf\":\"10\",\"up_ns\":5,"
    "\"age_ns\":6,\"images\":[{\"path\":\"a\"}],"
    "\"cache\":{\"policy\":\"lru\",\"hits\":3,\"reported_hits\":4,\"misses\":5},"
    "\"disk\":{\"reads\":6,\"in_flight\":2},\"total\":{\"requests\":9,\"rate_now\":8},"
    "\"domains\":["
    "{\"domid\":2,\"name\":\"a b\\u0007\",\"client_pid\":30,\"pages\":38,\"weight\":512,"
    "\"weight_binds\":true,\"paused\":true,\"tdf\":\"2.5\",\"rate_now\":11,\"age_ns\":12,"
    "\"ring_entries\":32,\"on_ring\":1,\"in_flight\":6,\"wait_for_turn\":2,\"at_disk\":4,"
    "\"halted\":true,\"reported_hits\":13,\"requests\":14,\"rd_req\":15,\"wr_req\":16,"
    "\"oo_req\":17,\"rd_sect\":18,\"wr_sect\":19,"
    "\"vbds\":[{\"vdev\":\"xvda\",\"devid\":51712,\"image\":\"/d\",\"image_hit_ratio\":0.25,"
    "\"rd_req\":20},{\"vdev\":\"xvdb\",\"devid\":51728,\"wr_sect\":21}],"
    "\"vifs\":[{\"devid\":0,\"name\":\"vif2.0\",\"mac\":\"00:16:3e:00:00:01\","
    "\"tx_frames\":22,\"tx_bytes\":23,\"rx_frames\":24,\"rx_bytes\":25,"
    "\"dropped\":{\"spoofed\":1,\"rule\":2,\"no-room\":4,\"stalled\":8},"
    "\"tx_errors\":26,\"rx_errors\":27,\"link\":{\"up\":{\"lost\":9}}},{\"devid\":3}]},"
    "{\"domid\":5,\"name\":\"\",\"vbds\":[{\"devid\":51744}]}]}";

static void the_status_is_read(void **state)
{
    struct top_sample s;
    (void)state;
    assert_int_equal(top_sample_read(&s, status, sizeof(status) - 1), 0);
    assert_int_equal(s.pid, 77);
    assert_string_equal(s.tdf, "10");
    assert_int_equal(s.hits * 100 + s.reported_hits * 10 + s.misses, 345);
    assert_int_equal(s.disk_reads * 10 + s.disk_in_flight, 62);
    assert_int_equal(s.requests * 10 + s.rate_now, 98);
    assert_int_equal(s.domain_count, 2);
    const struct top_domain *d = &s.domains[0];
    assert_int_equal(d->domid, 2);
    assert_int_equal(d->pid, 30);
    assert_int_equal(d->pages, 38);
    assert_int_equal(d->weight, 512);
    assert_true(d->weight_binds && d->paused && d->load.halted);
    assert_string_equal(d->tdf, "2.5");
    assert_int_equal(d->rate_now, 11);
    assert_int_equal(d->age_ns, 12);
    const struct top_load load = {.requests = 14,
                                  .reads = 15,
                                  .writes = 16,
                                  .out_of_room = 17,
                                  .read_sectors = 18,
                                  .written_sectors = 19,
                                  .reported_hits = 13,
                                  .ring_entries = 32,
                                  .on_ring = 1,
                                  .in_flight = 6,
                                  .wait_for_turn = 2,
                                  .at_disk = 4};
    assert_memory_equal(&d->load, &load, offsetof(struct top_load, halted));
    top_sample_free(&s);
}

static void disks_are_their_domains(void **state)
{
    struct top_sample s;
    (void)state;
    assert_int_equal(top_sample_read(&s, status, sizeof(status) - 1), 0);
    assert_int_equal(s.disk_count, 3);
    assert_int_equal(s.domains[0].first_disk, 0);
    assert_int_equal(s.domains[0].disk_count, 2);
    assert_int_equal(s.domains[1].first_disk, 2);
    assert_int_equal(s.domains[1].disk_count, 1);
    assert_int_equal(s.disks[0].devid, 51712);
    assert_true(s.disks[0].hit_ratio == 0.25);
    assert_int_equal(s.disks[0].load.reads, 20);
    assert_int_equal(s.disks[1].load.written_sectors, 21);
    assert_int_equal(s.disks[2].devid, 51744);
    top_sample_free(&s);
}

static void vifs_are_as_dom0_sees_them(void **state)
{
    struct top_sample s;
    (void)state;
    assert_int_equal(top_sample_read(&s, status, sizeof(status) - 1), 0);
    assert_int_equal(s.vif_count, 2);
    assert_int_equal(s.domains[0].first_vif, 0);
    assert_int_equal(s.domains[0].vif_count, 2);
    assert_int_equal(s.domains[1].vif_count, 0);
    const struct top_vif *vif = &s.vifs[0];
    assert_string_equal(vif->name, "vif2.0");
    assert_string_equal(vif->mac, "00:16:3e:00:00:01");
    assert_int_equal(vif->rx_frames * 100 + vif->rx_bytes, 2223);
    assert_int_equal(vif->tx_frames * 100 + vif->tx_bytes, 2425);
    assert_int_equal(vif->rx_errors * 100 + vif->tx_errors, 2627);
    assert_int_equal(vif->rx_dropped, 3);
    assert_int_equal(vif->tx_dropped, 12);
    assert_int_equal(s.vifs[1].devid, 3);
    assert_string_equal(s.vifs[1].name, "-");
    top_sample_free(&s);
}

static void a_name_is_one_word(void **state)
{
    struct top_sample s;
    (void)state;
    assert_int_equal(top_sample_read(&s, status, sizeof(status) - 1), 0);
    assert_string_equal(s.domains[0].name, "a?b?");
    assert_string_equal(s.domains[1].name, "-");
    top_sample_free(&s);
}

static void what_is_no_status_is_refused(void **state)
{
    static const char *const texts[] = {"", "{}", "[]", "{\"pid\":1,\"domains\":[{}]}",
                                        "{\"pid\":1,\"domains\":[{\"domid\":\"1\"}]}"};
    struct top_sample s;
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(top_sample_read(&s, texts[i], strlen(texts[i])), -EPROTO);
        top_sample_free(&s);
    }
    for (size_t bytes = 0; bytes < sizeof(status) - 1; bytes++) {
        assert_int_equal(top_sample_read(&s, status, bytes), -EPROTO);
        top_sample_free(&s);
    }
}

static void many_domains_fit(void **state)
{
    static char text[64 * 1024];
    struct top_sample s;
    size_t used = (size_t)snprintf(text, sizeof(text), "{\"pid\":1,\"domains\":[");
    (void)state;
    for (int i = 1; i <= 1000; i++)
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used,
                             "%s{\"domid\":%d,\"vbds\":[{\"devid\":%d}]}", i > 1 ? "," : "", i, i);
    used += (size_t)snprintf(text + used, sizeof(text) - used, "]}");
    assert_int_equal(top_sample_read(&s, text, used), 0);
    assert_int_equal(s.domain_count, 1000);
    assert_int_equal(s.domains[999].domid, 1000);
    assert_int_equal(s.disks[s.domains[999].first_disk].devid, 1000);
    top_sample_free(&s);
}

static void another_domain_of_that_number_is_another(void **state)
{
    struct top_domain before[] = {{.domid = 2, .pid = 30, .load = {.requests = 10}},
                                  {.domid = 5, .pid = 31}};
    const struct top_sample sample = {.domains = before, .domain_count = 2}, none = {0};
    struct top_domain now = {.domid = 2, .pid = 30, .load = {.requests = 10}};
    (void)state;
    assert_ptr_equal(top_sample_find(&sample, &now), &before[0]);
    now.load.requests = 9;
    assert_null(top_sample_find(&sample, &now));
    now.load.requests = 11;
    now.pid = 31;
    assert_null(top_sample_find(&sample, &now));
    now.domid = 5;
    assert_ptr_equal(top_sample_find(&sample, &now), &before[1]);
    now.domid = 3;
    assert_null(top_sample_find(&sample, &now));
    assert_null(top_sample_find(&none, &now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_is_read),
        cmocka_unit_test(disks_are_their_domains),
        cmocka_unit_test(vifs_are_as_dom0_sees_them),
        cmocka_unit_test(a_name_is_one_word),
        cmocka_unit_test(what_is_no_status_is_refused),
        cmocka_unit_test(many_domains_fit),
        cmocka_unit_test(another_domain_of_that_number_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
