/* SPDX-License-Identifier: MIT */
/* vif_links: links by name, made, changed, listed and removed. */
#include "service/dom0/vifs/vif_links.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "faults/fault_walk.h"

static struct tdf_source source;
static struct tdf_clock domain_clock, real_clock;
static struct timers timers;
static struct timer_clock real_time;
static struct vifs vifs;
static struct vifs_use *use;
static struct net_port port;
static struct why why;
static char *answer;

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

static void join(void)
{
    const char *what = "";
    net_port_init(&port, &ops, use->name, 1);
    assert_int_equal(use->options.network->join(use, &port, NULL, &use->options, &what), 0);
}

static void leave(void)
{
    use->options.network->leave(use, &port);
}

static int begin(void **state)
{
    (void)state;
    const struct tdf one = {1, 1};
    struct vif_spec spec;
    struct net_bridge *bridge;
    timers_init(&timers);
    if (tdf_source_manual(&source, 1000000000, 1000000, 0) < 0 ||
        tdf_clock_init(&domain_clock, &source, NULL, 0, one) < 0 ||
        tdf_clock_init(&real_clock, &source, NULL, 0, one) < 0)
        return -1;
    timers_add_clock(&timers, &real_time, &real_clock);
    if (vifs_init(&vifs,
                  &(struct vifs_config){.timers = &timers, .real_time = &real_time, .seed = 7}) < 0)
        return -1;
    for (int i = 0; i < 3; i++) {
        char name[] = "xenbr0";
        name[5] = (char)('0' + i);
        if (net_add_bridge(&vifs.net, name, &bridge) < 0)
            return -1;
    }
    answer = NULL;
    const struct vifs_owner owner = {1, 0, &domain_clock};
    return vif_spec_parse("", &spec, &why) == 0
               ? vifs_prepare(&vifs, &owner, 0, &spec, false, &use, &why)
               : -1;
}

static int end(void **state)
{
    (void)state;
    if (use->port != NULL)
        leave();
    vifs_release(use);
    vifs_fini(&vifs);
    free(answer);
    return 0;
}

static int command(const char *text)
{
    free(answer);
    return vif_links_command(&vifs, text, &answer, &why);
}

static const struct net_pipe *pipe_of(enum net_way way)
{
    return &use->link->net.way[way].pipe;
}

static void a_vif_gets_a_link_and_keeps_it(void **state)
{
    (void)state;
    assert_int_equal(command("vif1.0 rate=10Mbit delay=10ms"), 0);
    assert_null(answer);
    assert_null(use->link->net.time); /* nothing is connected */
    join();
    assert_ptr_equal(use->link->net.time, &use->link_time);
    assert_ptr_equal(use->link->net.port, &port);
    leave();
    assert_null(use->link->net.time);
    join(); /* another front end finds the same link */
    assert_int_equal(pipe_of(NET_WAY_UP)->config.rate_bps, 10000000);
}

static void a_link_changes_while_it_is_used(void **state)
{
    (void)state;
    join();
    assert_int_equal(command("vif1.0 rate=10Mbit delay=10ms"), 0);
    assert_int_equal(command("vif1.0 delay=20ms way=down rate=1Mbit"), 0);
    assert_int_equal(pipe_of(NET_WAY_UP)->config.rate_bps, 10000000);
    assert_int_equal(pipe_of(NET_WAY_DOWN)->config.rate_bps, 1000000);
    assert_int_equal(pipe_of(NET_WAY_UP)->config.delay_ns, 20000000);
    assert_int_equal(command("vif1.0 frame=real"), 0);
    assert_ptr_equal(use->link->net.time, &real_time);
    assert_int_equal(pipe_of(NET_WAY_UP)->config.delay_ns, 20000000);
}

static void links_are_listed_as_they_were_asked_for(void **state)
{
    (void)state;
    assert_int_equal(command(""), 0);
    assert_string_equal(answer, "");
    assert_int_equal(command("vif1.0 rate=8Mbit"), 0);
    assert_int_equal(command("xenbr0 xenbr1 delay=1ms"), 0);
    assert_int_equal(command(""), 0);
    assert_non_null(strstr(answer, "vif1.0 frame=domain\n  up   rate=8000000bit queue=1000\n"));
    assert_non_null(
        strstr(answer, "xenbr0 xenbr1 frame=real\n  up   delay=1000000ns queue=1000\n"));
    assert_int_equal(command("vif1.0"), 0);
    assert_non_null(strstr(answer, "vif1.0"));
    assert_null(strstr(answer, "xenbr0"));
}

static void a_link_is_removed(void **state)
{
    (void)state;
    join();
    assert_int_equal(command("vif1.0 rate=8Mbit"), 0);
    assert_int_equal(command("vif1.0 remove"), 0);
    assert_null(use->link);
    assert_null(port.down);
    assert_int_equal(command("vif1.0 remove"), -ENOENT);
    assert_int_equal(command("xenbr0 xenbr1"), 0); /* a link that does nothing joins all the same */
    assert_int_equal(command("xenbr0 xenbr1 remove"), 0);
    assert_int_equal(net_find_bridge(&vifs.net, "xenbr0")->port_count, 1);
}

static void circles_of_bridges_are_refused(void **state)
{
    (void)state;
    assert_int_equal(command("xenbr0 xenbr1 delay=1ms"), 0);
    assert_int_equal(command("xenbr1 xenbr2 delay=1ms"), 0);
    assert_int_equal(command("xenbr0 xenbr2 delay=1ms"), -ELOOP);
    assert_int_equal(command("xenbr1 xenbr0 delay=1ms"), -ELOOP);
    assert_int_equal(command("xenbr0 xenbr0 delay=1ms"), -ELOOP);
    assert_int_equal(command("xenbr1 xenbr2 remove"), 0);
    assert_int_equal(command("xenbr0 xenbr2 delay=1ms"), 0);
}

static uint32_t clocks(void)
{
    uint32_t count = 0;
    for (struct list_node *node = list_first(&timers.clocks); node != NULL;
         node = list_next(&timers.clocks, node))
        count++;
    return count;
}

/* Each turn of the loop looks at all of its clocks, and there may be a thousand vifs. */
static void a_vif_without_link_and_rate_has_no_clock_in_the_loop(void **state)
{
    (void)state;
    join();
    assert_int_equal(clocks(), 1); /* real time */
    assert_int_equal(command("vif1.0 rate=8Mbit"), 0);
    assert_int_equal(clocks(), 2);
    assert_int_equal(command("vif1.0 remove"), 0);
    assert_int_equal(clocks(), 1);
    assert_int_equal(command("vif1.0 rate=8Mbit"), 0);
    assert_int_equal(clocks(), 2);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_int_equal(command("vif9.0 delay=1ms"), -ENODEV);
    assert_int_equal(command("xenbr0 delay=1ms"), -ENODEV);
    assert_int_equal(command("xenbr0"), -EINVAL);
    assert_int_equal(command("vif1.0 delay=soon"), -EINVAL);
    assert_string_equal(why.text, "invalid value in `delay=soon'");
    assert_null(use->link);
    char name[1100];
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(command(name), -EINVAL);
    assert_string_equal(
        why.text, "the name and the words of a link have up to 1023 characters together, not 1099");
}

#define WAY                                                                                        \
    "\"in_frames\":0,\"in_bytes\":0,\"out_frames\":0,\"out_bytes\":0,\"waiting_frames\":0,"        \
    "\"waiting_bytes\":0,\"under_way_frames\":0,\"lost\":0,\"queue_full\":0,\"early\":0,"          \
    "\"marked\":0,\"duplicated\":0,\"reordered\":0,"                                               \
    "\"late_mean_ns\":0,\"late_p50_ns\":0,\"late_p99_ns\":0,\"late_max_ns\":0}"

/* Each way with its own words, in JSON that is well-formed. */
static void links_are_told_as_json(void **state)
{
    struct json json;
    char *text;
    size_t bytes;
    (void)state;
    assert_int_equal(command("vif1.0 delay=2ms"), 0);
    assert_int_equal(command("xenbr0 xenbr1 frame=real way=up rate=8Mbit way=down loss=1%"), 0);
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    json_start(&json, out, JSON_COMPACT);
    json_object(&json, NULL);
    vif_links_write(&json, use);
    vif_links_write_trunks(&json, &vifs);
    json_end(&json);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "{\"link\":{\"frame\":\"domain\","
                              "\"up\":{\"words\":\"delay=2000000ns queue=1000\"," WAY ","
                              "\"down\":{\"words\":\"delay=2000000ns queue=1000\"," WAY "},"
                              "\"links\":[{\"from\":\"xenbr0\",\"to\":\"xenbr1\","
                              "\"up\":{\"words\":\"rate=8000000bit queue=1000\"," WAY ","
                              "\"down\":{\"words\":\"loss=1% queue=1000\"," WAY "}]}");
    free(text);
}

static void give_counts(struct net_link_way *way)
{
    net_lateness_add(&way->late, 11);
    way->pipe.stats = (struct net_pipe_stats){.in = {1, 2},
                                              .out = {3, 4},
                                              .lost = 5,
                                              .full = 6,
                                              .early = 7,
                                              .marked = 8,
                                              .duplicated = 9,
                                              .reordered = 10};
}

/* Each counter under its own name, and of its own way. */
static void what_a_link_has_done_is_told_by_way(void **state)
{
    struct json json;
    char *text;
    size_t bytes;
    (void)state;
    assert_int_equal(command("vif1.0 delay=2ms"), 0);
    give_counts(&use->link->net.way[NET_WAY_DOWN]);
    assert_int_equal(command("vif1.0"), 0);
    assert_string_equal(
        answer, "vif1.0 frame=domain\n"
                "  up   delay=2000000ns queue=1000\n"
                "       in 0, out 0, waiting 0, under way 0, lost 0, queue full 0, early 0, "
                "marked 0, duplicated 0, reordered 0\n"
                "  down delay=2000000ns queue=1000\n"
                "       in 1, out 3, waiting 0, under way 0, lost 5, queue full 6, early 7, "
                "marked 8, duplicated 9, reordered 10\n");
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    json_start(&json, out, JSON_COMPACT);
    json_object(&json, NULL);
    vif_links_write(&json, use);
    json_end(&json);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "\"up\":{\"words\":\"delay=2000000ns queue=1000\"," WAY));
    assert_non_null(strstr(
        text, "\"in_frames\":1,\"in_bytes\":2,\"out_frames\":3,\"out_bytes\":4,"
              "\"waiting_frames\":0,\"waiting_bytes\":0,\"under_way_frames\":0,\"lost\":5,"
              "\"queue_full\":6,\"early\":7,\"marked\":8,\"duplicated\":9,\"reordered\":10,"
              "\"late_mean_ns\":11,\"late_p50_ns\":11,\"late_p99_ns\":11,\"late_max_ns\":11}"));
    free(text);
}

static void a_vif_without_a_link_tells_of_none(void **state)
{
    struct json json;
    char *text;
    size_t bytes;
    (void)state;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    json_start(&json, out, JSON_COMPACT);
    json_object(&json, NULL);
    vif_links_write(&json, use);
    vif_links_write_trunks(&json, &vifs);
    json_end(&json);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "{\"links\":[]}");
    free(text);
}

static void blanks_between_words_do_not_count(void **state)
{
    (void)state;
    assert_int_equal(command("  vif1.0    rate=8Mbit"), 0);
    assert_int_equal(command("  xenbr0   xenbr1   delay=1ms"), 0);
    assert_int_equal(command("  xenbr0   xenbr1  "), 0);
    assert_non_null(strstr(answer, "xenbr0 xenbr1 frame=real"));
    assert_null(strstr(answer, "vif1.0"));
    assert_int_equal(command("   vif1.0   remove"), 0);
    assert_int_equal(command("vif1.0"), 0); /* of none that is there: it is made */
    assert_non_null(use->link);
    assert_int_equal(command("   "), 0); /* all */
    assert_non_null(strstr(answer, "xenbr0"));
}

/* Whatever its words say: there is no domain whose time it could have. */
static void a_trunk_is_of_real_time(void **state)
{
    (void)state;
    assert_int_equal(command("xenbr0 xenbr1 frame=domain delay=1ms"), 0);
    assert_int_equal(command("xenbr0 xenbr1"), 0);
    assert_non_null(strstr(answer, "frame=real"));
    assert_int_equal(command("xenbr1 xenbr0"), -ELOOP); /* its name has an order */
    assert_int_equal(command("xenbr0 nobody delay=1ms"), -ENODEV);
    assert_string_equal(why.text, "a link of a bridge needs a second bridge: xenbr0 BRIDGE");
}

static void the_longest_command_is_taken(void **state)
{
    (void)state;
    char text[1100];
    memset(text, ' ', sizeof(text));
    memcpy(text, "vif1.0 rate=8Mbit", strlen("vif1.0 rate=8Mbit"));
    text[1023] = '\0';
    assert_int_equal(command(text), 0);
    text[1023] = ' ';
    text[1024] = '\0';
    assert_int_equal(command(text), -EINVAL);
}

static int make_and_remove(void *words)
{
    int rc = command(words);
    if (rc < 0)
        return rc;
    const char *last = strrchr(words, ' ');
    char removal[64];
    snprintf(removal, sizeof(removal), "%.*s remove", (int)(last - (const char *)words),
             (const char *)words);
    assert_int_equal(command(removal), 0);
    return 0;
}

static void without_memory_there_is_no_link_and_no_trunk(void **state)
{
    (void)state;
    join();
    assert_true(fault_walk(make_and_remove, "vif1.0 delay=1ms") >= 1);
    assert_true(fault_walk(make_and_remove, "xenbr0 xenbr1 delay=1ms") >= 2);
    leave();
}

#define WITH_LINKS(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LINKS(a_vif_gets_a_link_and_keeps_it),
        WITH_LINKS(a_link_changes_while_it_is_used),
        WITH_LINKS(links_are_listed_as_they_were_asked_for),
        WITH_LINKS(a_link_is_removed),
        WITH_LINKS(circles_of_bridges_are_refused),
        WITH_LINKS(a_vif_without_link_and_rate_has_no_clock_in_the_loop),
        WITH_LINKS(what_is_wrong_is_said),
        WITH_LINKS(links_are_told_as_json),
        WITH_LINKS(what_a_link_has_done_is_told_by_way),
        WITH_LINKS(a_vif_without_a_link_tells_of_none),
        WITH_LINKS(blanks_between_words_do_not_count),
        WITH_LINKS(a_trunk_is_of_real_time),
        WITH_LINKS(the_longest_command_is_taken),
        WITH_LINKS(without_memory_there_is_no_link_and_no_trunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
