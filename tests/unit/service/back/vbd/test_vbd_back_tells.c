/* SPDX-License-Identifier: MIT */
/* vbd_back: what the back end of a disk tells its front end of it. */
#include <stdio.h>
#include <string.h>

#include "unit/service/back/vbd/vbd_back_fixture.h"

static void it_says_what_it_can_do(void **state)
{
    (void)state;
    assert_int_equal(f->back->state, XenbusStateInitWait);
    assert_string_equal(back_node("max-ring-page-order"), "2");
    assert_string_equal(back_node("multi-queue-max-queues"), "4");
    assert_string_equal(back_node("feature-max-indirect-segments"), "256");
    assert_string_equal(back_node("feature-persistent"), "(none)"); /* only when it connects */
    assert_string_equal(back_node("feature-virtual-completion"), "(none)");
}

static void only_a_model_completes_in_virtual_time(void **state)
{
    (void)state;
    offer();
    set_front("feature-virtual-completion", "1");
    go("3", XenbusStateConnected);
    assert_false(ring()->config.virtual_completion); /* it was not offered */
    xenbus_back_destroy(f->back);
    f->options.virtual_completion = true;
    create();
    assert_string_equal(back_node("feature-virtual-completion"), "1");
    go("3", XenbusStateConnected);
    assert_true(ring()->config.virtual_completion);
}

static void it_describes_the_disk(void **state)
{
    (void)state;
    assert_string_equal(back_node("sectors"), "(none)");
    offer();
    go("3", XenbusStateConnected);
    assert_string_equal(back_node("sectors"), "2048");
    assert_string_equal(back_node("sector-size"), "512");
    assert_string_equal(back_node("physical-sector-size"), "4096");
    assert_string_equal(back_node("info"), "4");
    assert_non_null(ring());
    assert_int_equal(ring()->config.port, f->port);
    assert_int_equal(ring()->config.vcpu, 1);
    assert_false(ring()->config.persistent_grants);
}

static void collect(void *ctx, const char *node, const char *value)
{
    char *text = ctx;
    size_t used = strlen(text);
    snprintf(text + used, 512 - used, "%s=%s ", node, value);
}

/* In libxl's order, with its values. */
static void the_toolstack_tells_what_kind_of_disk_it_is(void **state)
{
    (void)state;
    struct vbd_options options = {.params = "/dev/loop5", .dev = "xvde", .type = "phy"};
    const struct back_spec spec = {&vbd_class, 51776, &options};
    char text[512] = "";
    options.cdrom = options.removable = true;
    vbd_class.back_nodes(&spec, 2, collect, text);
    assert_string_equal(text, "params=/dev/loop5 frontend-id=2 online=1 removable=1 bootable=1 "
                              "state=1 dev=xvde type=phy mode=r device-type=cdrom "
                              "discard-enable=0 specification=xen ");
    text[0] = '\0';
    vbd_class.front_nodes(&spec, collect, text);
    assert_string_equal(text,
                        "virtual-device=51776 device-type=cdrom trusted=1 protocol=x86_64-abi ");
    options =
        (struct vbd_options){.params = "i", .dev = "xvda", .writable = true, .untrusted = true};
    text[0] = '\0';
    vbd_class.back_nodes(&spec, 2, collect, text);
    assert_string_equal(text, "params=i frontend-id=2 online=1 removable=0 bootable=1 state=1 "
                              "dev=xvda type=file mode=w device-type=disk discard-enable=1 "
                              "specification=xen ");
    text[0] = '\0';
    vbd_class.front_nodes(&spec, collect, text);
    assert_string_equal(text,
                        "virtual-device=51776 device-type=disk trusted=0 protocol=x86_64-abi ");
    options.no_discard = true;
    text[0] = '\0';
    vbd_class.back_nodes(&spec, 2, collect, text);
    assert_non_null(strstr(text, "discard-enable=0"));
}

static void info_tells_mode_and_kind(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        static const char *const infos[] = {"4", "0", "5", "1"};
        xenbus_back_destroy(f->back);
        f->options.writable = (kind & 1) != 0;
        f->options.cdrom = (kind & 2) != 0;
        f->options.removable = f->options.cdrom; /* not what VDISK_REMOVABLE is about */
        create();
        offer();
        go("3", XenbusStateConnected);
        assert_string_equal(back_node("info"), infos[kind]);
    }
}

/* A disk that can do all, as for whoever may write it. */
static void make_writable(void)
{
    struct vdisk_capabilities *can = &f->fake.vdisk->capabilities;
    can->writable = can->flush = can->discard = true;
    can->discard_granularity_bytes = 4096;
    can->discard_alignment_bytes = 512;
    xenbus_back_destroy(f->back);
    f->options.writable = true;
    create();
}

static void expect_nodes(const struct expected_node *nodes)
{
    for (; nodes->node != NULL; nodes++)
        assert_string_equal(back_node(nodes->node), nodes->value);
}

static void a_writable_disk_tells_all_that_linux_tells(void **state)
{
    (void)state;
    make_writable();
    assert_string_equal(back_node("feature-flush-cache"), "(none)"); /* only when it connects */
    offer();
    go("3", XenbusStateConnected);
    expect_nodes((const struct expected_node[]){{"feature-flush-cache", "1"},
                                                {"discard-granularity", "4096"},
                                                {"discard-alignment", "512"},
                                                {"discard-secure", "0"},
                                                {"feature-discard", "1"},
                                                {"feature-barrier", "1"},
                                                {"feature-persistent", "1"},
                                                {"sectors", "2048"},
                                                {"info", "0"},
                                                {"sector-size", "512"},
                                                {"physical-sector-size", "4096"},
                                                {NULL, NULL}});
    assert_true(ring()->config.writable);
    assert_true(ring()->config.discard);
}

static const struct expected_node no_discard[] = {{"discard-granularity", "(none)"},
                                                  {"discard-alignment", "(none)"},
                                                  {"discard-secure", "(none)"},
                                                  {"feature-discard", "(none)"},
                                                  {NULL, NULL}};

static void a_read_only_disk_offers_no_changes(void **state)
{
    (void)state;
    make_writable();
    xenbus_back_destroy(f->back);
    f->options.writable = false; /* for this domain; others may write it */
    create();
    offer();
    go("3", XenbusStateConnected);
    assert_string_equal(back_node("feature-flush-cache"), "0");
    assert_string_equal(back_node("feature-barrier"), "0");
    expect_nodes(no_discard);
    assert_false(ring()->config.writable);
}

/* discard-enable is the administrator's, until a front end connects. */
static void discards_can_be_forbidden(void **state)
{
    (void)state;
    make_writable();
    set_back("discard-enable", "0");
    offer();
    go("3", XenbusStateConnected);
    expect_nodes(no_discard);
    assert_false(ring()->config.discard);
    assert_string_equal(back_node("feature-flush-cache"), "1");
    go("6", XenbusStateClosed);
    set_back("discard-enable", "1");
    go("1", XenbusStateInitWait);
    go("3", XenbusStateConnected);
    assert_string_equal(back_node("feature-discard"), "1");
    assert_true(ring()->config.discard);
}

/* A file system that can't punch holes shows only when it is asked to. */
static void what_the_disk_turns_out_not_to_do_is_taken_back(void **state)
{
    (void)state;
    struct vdisk *vdisk = NULL;
    for (int connected = 0; connected < 2; connected++) {
        make_writable();
        vdisk = f->fake.vdisk;
        offer();
        if (connected == 1)
            go("3", XenbusStateConnected);
        struct block_client *client =
            container_of(list_first(&vdisk->clients), struct block_client, of_vdisk);
        vdisk->capabilities.discard = false;
        client->changed(client->changed_ctx);
        if (connected == 0) { /* nobody has been told anything yet */
            assert_string_equal(back_node("feature-discard"), "(none)");
            go("3", XenbusStateConnected);
        }
        assert_string_equal(back_node("feature-discard"), "0");
        assert_string_equal(back_node("feature-flush-cache"), "1");
        vdisk->capabilities.flush = false;
        client->changed(client->changed_ctx);
        assert_string_equal(back_node("feature-flush-cache"), "0");
        assert_string_equal(back_node("feature-barrier"), "0");
        assert_int_equal(f->back->state, XenbusStateConnected);
        go("6", XenbusStateClosed);
        go("1", XenbusStateInitWait);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACK_TEST(it_says_what_it_can_do),
        BACK_TEST(only_a_model_completes_in_virtual_time),
        BACK_TEST(it_describes_the_disk),
        BACK_TEST(the_toolstack_tells_what_kind_of_disk_it_is),
        BACK_TEST(info_tells_mode_and_kind),
        BACK_TEST(a_writable_disk_tells_all_that_linux_tells),
        BACK_TEST(a_read_only_disk_offers_no_changes),
        BACK_TEST(discards_can_be_forbidden),
        BACK_TEST(what_the_disk_turns_out_not_to_do_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
