/* SPDX-License-Identifier: MIT */
/* dom0_attach: disks that come and go while a domain runs, and images that are looked at again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_machine.h"
#include "service/dom0/domain_devices.h"

enum { PAGES = 64, XVDB = 51728, XVDC = 51744, SECOND_NS = 1000000000 };

static struct fake_machine machine;
static struct why why;
static char image[PATH_MAX], other[PATH_MAX]; /* absolute */
static struct domain *domains[3];             /* by domid, as long as a test does not end them */

static struct control_peer *const asker = (struct control_peer *)&why; /* waits for a disk to go */
static int answers, answer_status;                                     /* what it was told */
static char answer_text[WHY_SIZE];

void __wrap_control_answer(struct control_peer *to, int status, const char *reason);

void __wrap_control_answer(struct control_peer *to, int status, const char *reason)
{
    assert_ptr_equal(to, asker);
    answers++;
    answer_status = status;
    snprintf(answer_text, sizeof(answer_text), "%s", reason);
}

static void create(domid_t domid)
{
    const struct control_request request = {.op = CONTROL_CREATE_DOMAIN, .arg0 = PAGES};
    int segment_fd;
    assert_int_equal(dom0_control_ops.create_domain(machine.dom0, &request, 1, &domains[domid],
                                                    &segment_fd, &why),
                     0);
    assert_int_equal(domains[domid]->domid, domid);
}

static void end(domid_t domid)
{
    dom0_control_ops.end_domain(machine.dom0, domains[domid]);
    domains[domid] = NULL;
}

static int setup(void **state)
{
    (void)state;
    char name[] = "build/dom0_attach.XXXXXX";
    answers = 0;
    memset(domains, 0, sizeof(domains));
    if (fake_machine_create(&machine) < 0)
        return -1;
    int fd = mkstemp(name);
    if (fd < 0 || ftruncate(fd, 1 << 20) < 0 || close(fd) < 0 || realpath(name, other) == NULL ||
        realpath(machine.image, image) == NULL || fake_machine_boot(&machine) < 0)
        return -1;
    create(1);
    create(2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (domid_t domid = 1; domid < 3; domid++) {
        if (domains[domid] != NULL)
            end(domid);
    }
    unlink(other);
    return fake_machine_destroy(&machine);
}

/* Attaches the second image; the rest of the specification as given. */
static int attach(uint32_t domid, const char *words)
{
    char spec[2 * PATH_MAX];
    snprintf(spec, sizeof(spec), "%s,target=%s", words, other);
    return dom0_control_ops.attach_disk(machine.dom0, domid, spec, asker, &why);
}

static int detach(uint32_t domid, const char *vdev, bool force)
{
    return dom0_control_ops.detach_disk(machine.dom0, domid, vdev, force, asker, &why);
}

static uint32_t items(void)
{
    uint32_t count = 0;
    for (struct vdisks_item *at = vdisks_first(&machine.dom0->vdisks); at != NULL;
         at = vdisks_next(&machine.dom0->vdisks, at))
        count++;
    return count;
}

static uint32_t cache_sectors_of(const char *path)
{
    struct vdisks_item *at = vdisks_first(&machine.dom0->vdisks);
    while (at != NULL && strcmp(at->vdisk->image.path, path) != 0)
        at = vdisks_next(&machine.dom0->vdisks, at);
    return at == NULL ? UINT32_MAX : cache_capacity(at->vdisk->cache);
}

static struct xenbus_back *device(domid_t domid, uint32_t devid)
{
    return domain_find_device(domains[domid], &vbd_class, devid);
}

static const char *back_node(domid_t domid, uint32_t devid, const char *node)
{
    static char value[PATH_MAX];
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &(struct xenbus_key){"vbd", domid, devid}, node);
    return xs_local_read(machine.dom0->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static void turn(void)
{
    for (int i = 0; i < 8; i++)
        (void)worker_turn(&machine.dom0->worker);
}

static void a_disk_is_what_its_specification_says(void **state)
{
    (void)state;
    assert_int_equal(attach(1, "vdev=xvdb,access=w,no-discard,untrusted"), 0);
    assert_string_equal(back_node(1, XVDB, "params"), other);
    assert_string_equal(back_node(1, XVDB, "dev"), "xvdb");
    assert_string_equal(back_node(1, XVDB, "mode"), "w");
    assert_string_equal(back_node(1, XVDB, "discard-enable"), "0");
    assert_string_equal(back_node(1, XVDB, "state"), "2");
    assert_int_equal(attach(2, "vdev=xvdc,access=w!,devtype=cdrom"), -EBUSY); /* so it is read */
    assert_int_equal(detach(1, "xvdb", false), 0);
    assert_int_equal(attach(2, "vdev=xvdc,devtype=cdrom"), 0);
    assert_string_equal(back_node(2, XVDC, "mode"), "r");
    assert_string_equal(back_node(2, XVDC, "device-type"), "cdrom");
    assert_string_equal(back_node(2, XVDC, "removable"), "1");
}

static void an_image_is_open_once_and_closed_with_its_last_disk(void **state)
{
    (void)state;
    assert_int_equal(items(), 1);
    assert_int_equal(attach(1, "vdev=xvdb,access=r"), 0);
    assert_int_equal(attach(1, "vdev=xvdc,access=r"), 0);
    assert_int_equal(attach(2, "vdev=xvdb,access=r"), 0);
    assert_int_equal(items(), 2);
    assert_int_equal(detach(1, "xvdb", false), 0);
    assert_int_equal(detach(1, "51744", false), 0);
    turn();
    assert_int_equal(items(), 2);
    end(2);
    turn();
    assert_int_equal(items(), 1);
    assert_ptr_equal(vdisks_first(&machine.dom0->vdisks), machine.dom0->disks[0].item);
}

static void an_image_is_opened_anew_to_be_written(void **state)
{
    (void)state;
    assert_int_equal(attach(1, "vdev=xvdb,access=r"), 0);
    const struct vdisk *vdisk = vbd_back_client(device(1, XVDB))->vdisk;
    assert_false(vdisk->capabilities.writable);
    assert_int_equal(attach(1, "vdev=xvdc,access=w"), 0);
    assert_true(vdisk->capabilities.writable);
    assert_ptr_equal(vbd_back_client(device(1, XVDC))->vdisk, vdisk);
    assert_string_equal(back_node(1, XVDB, "mode"), "r");
    assert_string_equal(back_node(1, XVDC, "mode"), "w");
}

/* Whoever is refused has not made the image ours: another service may write to it. */
static void what_is_refused_is_not_opened_to_be_written(void **state)
{
    (void)state;
    assert_int_equal(attach(1, "vdev=xvdb,access=r"), 0);
    const struct vdisk *vdisk = vbd_back_client(device(1, XVDB))->vdisk;
    assert_int_equal(attach(2, "vdev=xvdb,access=w"), -EBUSY);
    assert_int_equal(attach(1, "vdev=xvdb,access=w"), -EEXIST);
    assert_false(vdisk->image.writable);
    int fd = open(other, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
}

static void what_cannot_be_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(attach(7, "vdev=xvdb"), -ESRCH);
    assert_string_equal(why.text, "there is no domain 7: see 'service list'");
    assert_int_equal(attach(0, "vdev=xvdb"), -ESRCH);
    assert_int_equal(attach(1, "vdev=xvda,access=r"), -EEXIST);
    assert_string_equal(why.text, "Domain 1:device already exists in xenstore; detach it first, or "
                                  "choose another vdev");
    assert_int_equal(attach(1, "vdev=foo"), -EINVAL);
    assert_int_equal(
        dom0_control_ops.attach_disk(machine.dom0, 1, "vdev=xvdb,target=/nosuch", asker, &why),
        -ENOENT);
    assert_string_equal(why.text,
                        "Disk vdev=xvdb failed to stat: /nosuch: No such file or directory");
    assert_int_equal(dom0_control_ops.attach_disk(machine.dom0, 1, "disk1.img,,xvdb", asker, &why),
                     -EINVAL);
    assert_int_equal(attach(1, "vdev=xvdb,access=w"), 0);
    assert_int_equal(attach(2, "vdev=xvdb,access=w"), -EBUSY);
    assert_string_equal(back_node(2, XVDB, "state"), "(none)");
    turn();
    assert_int_equal(items(), 2);
}

static void what_is_not_there_is_not_detached(void **state)
{
    (void)state;
    static const char *const vdevs[] = {"xvdz", "51712x", ""};
    for (size_t i = 0; i < sizeof(vdevs) / sizeof(vdevs[0]); i++) {
        char words[64];
        snprintf(words, sizeof(words), "Device %s not connected.", vdevs[i]);
        assert_int_equal(detach(1, vdevs[i], false), -ENODEV);
        assert_string_equal(why.text, words);
    }
    assert_int_equal(detach(9, "xvda", false), -ESRCH);
}

/* As if a front end were there. */
static void play_front_end(domid_t domid, uint32_t devid)
{
    device(domid, devid)->connected = true;
}

static void whoever_detaches_waits_for_the_front_end(void **state)
{
    (void)state;
    assert_int_equal(attach(1, "vdev=xvdb"), 0);
    play_front_end(1, XVDB);
    assert_int_equal(detach(1, "xvdb", false), -EINPROGRESS);
    assert_string_equal(back_node(1, XVDB, "online"), "0");
    assert_string_equal(back_node(1, XVDB, "state"), "5");
    assert_int_equal(answers, 0);
    device(1, XVDB)->connected = false;
    assert_int_equal(detach(1, "xvdb", false), 0); /* somebody else takes it away */
    assert_int_equal(answers, 1);
    assert_int_equal(answer_status, 0);
    assert_true(list_is_empty(&machine.dom0->detaches));
    tdf_source_advance_ns(&machine.time, UINT64_C(20000000000));
    (void)worker_time_passed(&machine.dom0->worker); /* nobody's patience ends any more */
    assert_int_equal(answers, 1);
}

static void whoever_detaches_is_told_when_that_takes_too_long(void **state)
{
    (void)state;
    assert_int_equal(attach(1, "vdev=xvdb"), 0);
    play_front_end(1, XVDB);
    assert_int_equal(detach(1, "xvdb", false), -EINPROGRESS);
    tdf_source_advance_ns(&machine.time, UINT64_C(9900000000));
    (void)worker_time_passed(&machine.dom0->worker);
    assert_int_equal(answers, 0);
    tdf_source_advance_ns(&machine.time, 200000000);
    (void)worker_time_passed(&machine.dom0->worker);
    assert_int_equal(answers, 1);
    assert_int_equal(answer_status, -ETIMEDOUT);
    assert_string_equal(answer_text,
                        "unable to remove device with path /local/domain/0/backend/vbd/1/51728: "
                        "domain 1 has not closed it yet, and it goes when that is done; --force "
                        "does not wait");
    assert_non_null(device(1, XVDB)); /* still */
    device(1, XVDB)->connected = false;
}

static void who_goes_away_is_not_answered(void **state)
{
    (void)state;
    assert_int_equal(attach(1, "vdev=xvdb"), 0);
    play_front_end(1, XVDB);
    assert_int_equal(detach(1, "xvdb", false), -EINPROGRESS);
    dom0_control_ops.forget(machine.dom0, asker);
    assert_true(list_is_empty(&machine.dom0->detaches));
    device(1, XVDB)->connected = false;
    end(1);
    assert_int_equal(answers, 0);
}

static void the_end_of_the_domain_is_the_end_of_its_disks(void **state)
{
    (void)state;
    assert_int_equal(attach(1, "vdev=xvdb"), 0);
    play_front_end(1, XVDB);
    assert_int_equal(detach(1, "xvdb", false), -EINPROGRESS);
    device(1, XVDB)->connected = false;
    end(1);
    assert_int_equal(answers, 1);
    assert_int_equal(answer_status, 0);
}

static void images_are_looked_at_again_by_any_name(void **state)
{
    (void)state;
    assert_int_equal(attach(1, "vdev=xvdb"), 0);
    const struct vdisk *first = machine.dom0->disks[0].item->vdisk;
    const struct vdisk *second = vbd_back_client(device(1, XVDB))->vdisk;
    assert_int_equal(truncate(other, 8192), 0);
    assert_int_equal(truncate(image, 4096), 0);
    assert_int_equal(dom0_control_ops.resize(machine.dom0, "xvdb", &why), 0);
    assert_int_equal(second->capabilities.sector_count, 16);
    assert_int_not_equal(first->capabilities.sector_count, 8);
    assert_int_equal(dom0_control_ops.resize(machine.dom0, machine.image, &why), 0);
    assert_int_equal(first->capabilities.sector_count, 8);
    assert_int_equal(truncate(other, 1000), 0);
    assert_int_equal(dom0_control_ops.resize(machine.dom0, other, &why), -EINVAL);
    assert_non_null(strstr(why.text, "1000 bytes"));
    assert_int_equal(dom0_control_ops.resize(machine.dom0, "xvdz", &why), -ENODEV);
    assert_int_equal(dom0_control_ops.resize(machine.dom0, "/nosuch", &why), -ENODEV);
}

/* An image of 1 MiB would have 20 sectors. */
static void caches_have_what_is_left_of_their_memory(void **state)
{
    (void)state;
    struct dom0 *d = machine.dom0;
    d->caches_max_bytes = vdisks_cache_bytes(&d->vdisks) + 5 * 512 + 511;
    assert_int_equal(attach(1, "vdev=xvdb,access=w"), 0);
    assert_int_equal(cache_sectors_of(other), 5);
    detach(1, "xvdb", true);
    turn();
    d->caches_max_bytes = 1; /* less than the first image has already */
    assert_int_equal(attach(1, "vdev=xvdb,access=w"), 0);
    assert_int_equal(cache_sectors_of(other), 0);
    detach(1, "xvdb", true);
    turn();
    machine.options.cache_bytes = 10 * 512; /* who says how many has thought of that */
    assert_int_equal(attach(1, "vdev=xvdb,access=w"), 0);
    assert_int_equal(cache_sectors_of(other), 10);
}

static void by_default_they_have_a_quarter_of_the_memory(void **state)
{
    (void)state;
    const struct dom0 *d = machine.dom0;
    assert_int_equal(d->caches_max_bytes, d->domains_max_bytes / 2);
}

int main(void)
{
#define ATTACH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        ATTACH_TEST(a_disk_is_what_its_specification_says),
        ATTACH_TEST(caches_have_what_is_left_of_their_memory),
        ATTACH_TEST(by_default_they_have_a_quarter_of_the_memory),
        ATTACH_TEST(an_image_is_open_once_and_closed_with_its_last_disk),
        ATTACH_TEST(an_image_is_opened_anew_to_be_written),
        ATTACH_TEST(what_is_refused_is_not_opened_to_be_written),
        ATTACH_TEST(what_cannot_be_leaves_nothing),
        ATTACH_TEST(what_is_not_there_is_not_detached),
        ATTACH_TEST(whoever_detaches_waits_for_the_front_end),
        ATTACH_TEST(whoever_detaches_is_told_when_that_takes_too_long),
        ATTACH_TEST(who_goes_away_is_not_answered),
        ATTACH_TEST(the_end_of_the_domain_is_the_end_of_its_disks),
        ATTACH_TEST(images_are_looked_at_again_by_any_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
