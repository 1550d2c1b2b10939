/* SPDX-License-Identifier: MIT */
/* disk_spec: xl's disk specifications: what they say, and what is refused in which words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/dom0/disks/disk_spec.h"

enum { XVDA = 51712, XVDB = 51728, HDA = 768, HDC = 5632 };
enum { CDROM = 1, NO_DISCARD = 2, UNTRUSTED = 4 };

static const struct {
    const char *text, *target;
    uint32_t devid;
    enum disk_access access;
    uint32_t flags;
} rows[] = {
    /* the examples of xl-disk-configuration(5) */
    {"/dev/vg/guest-volume,,hda", "/dev/vg/guest-volume", HDA, ACCESS_WRITE, 0},
    {"/dev/vg/guest-volume,raw,hda,rw", "/dev/vg/guest-volume", HDA, ACCESS_WRITE, 0},
    {"format=raw, vdev=hda, access=rw, target=/dev/vg/guest-volume", "/dev/vg/guest-volume", HDA,
     ACCESS_WRITE, 0},
    {"raw:/dev/vg/guest-volume,hda,w", "/dev/vg/guest-volume", HDA, ACCESS_WRITE, 0},
    {"/srv/image.iso,,hdc,cdrom", "/srv/image.iso", HDC, ACCESS_READ, CDROM},
    {"/srv/image.iso,,hdc,,cdrom", "/srv/image.iso", HDC, ACCESS_READ, CDROM},
    {"/srv/image.iso,raw,hdc,devtype=cdrom", "/srv/image.iso", HDC, ACCESS_READ, CDROM},
    {"format=raw, vdev=hdc, access=ro, devtype=cdrom, target=/srv/image.iso", "/srv/image.iso", HDC,
     ACCESS_READ, CDROM},
    {"raw:/srv/image.iso,hdc:cdrom,ro", "/srv/image.iso", HDC, ACCESS_READ, CDROM},
    /* what a real xl was seen to take */
    {"phy:/dev/loop2,xvdb,w", "/dev/loop2", XVDB, ACCESS_WRITE, 0},
    {"phy:/dev/loop3,xvdb,r", "/dev/loop3", XVDB, ACCESS_READ, 0},
    {"format=raw,vdev=xvdb,access=ro,devtype=cdrom,target=/dev/loop4", "/dev/loop4", XVDB,
     ACCESS_READ, CDROM},
    {"backendtype=phy,format=raw,vdev=xvdb,target=d6.img", "d6.img", XVDB, ACCESS_WRITE, 0},
    {"vdev=xvdb,target=/dev/loop3,format=nosuch", "/dev/loop3,format=nosuch", XVDB, ACCESS_WRITE,
     0},
    /* every word */
    {"f,raw,xvda,r", "f", XVDA, ACCESS_READ, 0},
    {"f,raw,xvda,ro", "f", XVDA, ACCESS_READ, 0},
    {"f,raw,xvda,rw", "f", XVDA, ACCESS_WRITE, 0},
    {"f,raw,xvda,w!", "f", XVDA, ACCESS_WRITE_SHARED, 0},
    {"f,raw,xvda", "f", XVDA, ACCESS_WRITE, 0},
    {"f,,51712,", "f", XVDA, ACCESS_WRITE, 0},
    {"f,,xvda,r,no-discard,untrusted", "f", XVDA, ACCESS_READ, NO_DISCARD | UNTRUSTED},
    {"no-discard,discard,untrusted,trusted,f,,xvda", "f", XVDA, ACCESS_WRITE, 0},
    {"f,,xvda,w,direct-io-safe,backend=0,specification=xen,script=", "f", XVDA, ACCESS_WRITE, 0},
    {"f,,xvda,devtype=disk", "f", XVDA, ACCESS_WRITE, 0},
    {"f,,xvda,rw,cdrom", "f", XVDA, ACCESS_READ, CDROM},
    {"vdev=xvda,f", "f", XVDA, ACCESS_WRITE, 0},
    {"access=r,f,,xvda", "f", XVDA, ACCESS_READ, 0},
    {" f,\t raw, xvda", "f", XVDA, ACCESS_WRITE, 0},
    {",raw,xvda,r,target=f,with,commas=1 ", "f,with,commas=1 ", XVDA, ACCESS_READ, 0},
    {"vdev=,f,,vdev=xvda", "f", XVDA, ACCESS_WRITE, 0},
    {"file:f,xvda,r", "f", XVDA, ACCESS_READ, 0},
    {"tap:aio:f,xvda,r", "f", XVDA, ACCESS_READ, 0},
    {"tap2:tapdisk:ioemu:raw:f,xvda,r", "f", XVDA, ACCESS_READ, 0},
    {"vdev=xvda,target=f,", "f", XVDA, ACCESS_WRITE, 0},
    {"vdev=xvda,target=f,,", "f,", XVDA, ACCESS_WRITE, 0},
    {"foo:f,raw,xvda", "foo:f", XVDA, ACCESS_WRITE, 0},
    {"f,,phy:xvda,file:r", "f", XVDA, ACCESS_READ, 0},
    {"f,,xvda,access=w,r", "f", XVDA, ACCESS_READ, 0},
    {"vdev=xvda,target=phy:f", "phy:f", XVDA, ACCESS_WRITE, 0},
    {"f,,vdev=xvda,access=r, ", "f", XVDA, ACCESS_READ, 0},
    {"f,,xvda,r, \t", "f", XVDA, ACCESS_READ, 0},
    {"f,,vdev=xvda,access=r,file:", "f", XVDA, ACCESS_READ, 0},
    {"no-colo,f,,xvda,r,no-colo", "f", XVDA, ACCESS_READ, 0},
    /* not in xl: an export; "nbd:" alone is a block script */
    {"nbd://host:10809/f,raw,xvda,r", "nbd://host:10809/f", XVDA, ACCESS_READ, 0},
    {"nbd+unix:///f?socket=s,raw,xvda,r", "nbd+unix:///f?socket=s", XVDA, ACCESS_READ, 0},
};

static uint32_t flags_of(const struct disk_spec *spec)
{
    return (spec->cdrom ? CDROM : 0) | (spec->discard ? 0 : NO_DISCARD) |
           (spec->trusted ? 0 : UNTRUSTED);
}

static void specifications_mean_what_they_mean_to_xl(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct disk_spec spec;
        struct why why;
        if (disk_spec_parse(rows[i].text, &spec, &why) < 0)
            fail_msg("`%s': %s", rows[i].text, why.text);
        if (strcmp(spec.target, rows[i].target) != 0 || spec.devid != rows[i].devid ||
            spec.access != rows[i].access || flags_of(&spec) != rows[i].flags)
            fail_msg("`%s' is %s, %u, %s, flags %u", rows[i].text, spec.target, spec.devid,
                     disk_access_name(spec.access), flags_of(&spec));
    }
}

#define PARSING "config parsing error in disk specification: "

static const struct {
    const char *text, *words;
} wrong[] = {
    /* in the words of a real xl */
    {"phy:/dev/loop3,xvdc,x",
     PARSING "unknown value for access: near `x' in `phy:/dev/loop3,xvdc,x'"},
    {"vdev=xvdc,access=rw",
     PARSING "no target specified (and device not removable) in `vdev=xvdc,access=rw'"},
    {"phy:/dev/loop3,foo,w", "Invalid or unsupported virtual disk identifier foo"},
    {"phy:/dev/loop3,,w", PARSING "no vdev specified in `phy:/dev/loop3,,w'"},
    {"", PARSING "no vdev specified in `'"},
    {"f", PARSING "no vdev specified in `f'"},
    {"f,nosuch,xvda", PARSING "unknown value for format: near `nosuch' in `f,nosuch,xvda'"},
    {"f,,xvda,w,more", PARSING "too many positional parameters: near `more' in `f,,xvda,w,more'"},
    {"f,,xvda,color=red", PARSING "unknown parameter: near `color=red' in `f,,xvda,color=red'"},
    {"f,,xvda,devtype=floppy",
     PARSING "unknown value for type: near `floppy' in `f,,xvda,devtype=floppy'"},
    {"f,,xvda:tape,w", PARSING "unknown deprecated type: near `tape' in `f,,xvda:tape,w'"},
    {"foo:/f,,xvda", PARSING "unknown deprecated disk prefix: near `foo:' in `foo:/f,,xvda'"},
    {"f,,xvda:,w", PARSING "unknown deprecated disk prefix: near `xvda:' in `f,,xvda:,w'"},
    {"raw:qcow2:f,xvda", PARSING "format respecified: near `qcow2' in `raw:qcow2:f,xvda'"},
    {"f,,xvda,backend=0,backend=0",
     PARSING "backend respecified: near `0' in `f,,xvda,backend=0,backend=0'"},
    {"f,,xvda,backendtype=",
     PARSING "unknown value for backendtype: near `' in `f,,xvda,backendtype='"},
    {"f,,xvda,specification=",
     PARSING "unknown value for specification: near `' in `f,,xvda,specification='"},
    {"f,,xvda,target=g", PARSING "target respecified: near `g' in `f,,xvda,target=g'"},
    {"f,,xvda,vdev=xvdb", PARSING "vdev respecified: near `xvdb' in `f,,xvda,vdev=xvdb'"},
    {"f,,xvda,backendtype=x",
     PARSING "unknown value for backendtype: near `x' in `f,,xvda,backendtype=x'"},
    /* what xl could do */
    {"f,qcow2,xvda",
     "`f,qcow2,xvda': qcow2 is not served here; convert the image: qemu-img convert -O raw"},
    {"qcow2:f,xvda,r",
     "`qcow2:f,xvda,r': qcow2 is not served here; convert the image: qemu-img convert -O raw"},
    {"f,,xvda,backend=driver", "`f,,xvda,backend=driver': a back end in another domain is not "
                               "served here; leave backend= out"},
    {"f,,xvda,backendtype=qdisk",
     "`f,,xvda,backendtype=qdisk': qdisk is not served here; leave backendtype= out"},
    {"f,,xvda,specification=virtio",
     "`f,,xvda,specification=virtio': virtio is not served here; leave specification= out"},
    {"drbd:f,xvda,w",
     "`drbd:f,xvda,w': a block script is not served here; name a file or a block device"},
    {"nbd:host:10809,xvda,w",
     "`nbd:host:10809,xvda,w': a block script is not served here; name a file or a block device"},
    {"f,,xvda,script=block-x",
     "`f,,xvda,script=block-x': a block script is not served here; name a file or a block device"},
    {"f,,xvda,colo", "`f,,xvda,colo': COLO is not served here; leave its parameters out"},
    {"f,,xvda,reconnect-delay=5", "`f,,xvda,reconnect-delay=5': reconnect-delay= of a file is not "
                                  "served here; it is for the export of an NBD server"},
    {"nbd://h/f,,xvda,reconnect-delay=86401",
     PARSING "unknown value for reconnect-delay: near `86401' in "
             "`nbd://h/f,,xvda,reconnect-delay=86401'"},
    {"f,empty,xvda",
     "`f,empty,xvda': an empty drive is not served here; name its image: target=FILE"},
    {"f,raw,xvda,format=empty",
     PARSING "format respecified: near `empty' in `f,raw,xvda,format=empty'"},
    {",,hdc,cdrom",
     "`,,hdc,cdrom': an empty drive is not served here; name its image: target=FILE"},
};

static void what_cannot_be_is_refused_in_the_words_of_xl(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct disk_spec spec;
        struct why why = {""};
        assert_int_equal(disk_spec_parse(wrong[i].text, &spec, &why), -EINVAL);
        assert_string_equal(why.text, wrong[i].words);
    }
}

static void a_specification_may_be_in_several_words(void **state)
{
    (void)state;
    static const char *const places[] = {"phy:/dev/x", "xvda", "r", NULL};
    static const char *const target_first[] = {"target=f,g", "", "vdev=xvda,access=r", NULL};
    static const char *const wrong_one[] = {"f,raw", "xvda", "x", NULL};
    struct disk_spec spec;
    struct why why = {""};
    assert_int_equal(disk_spec_parse_words(places, &spec, &why), 0);
    assert_string_equal(spec.target, "/dev/x");
    assert_true(spec.devid == XVDA && spec.access == ACCESS_READ);
    assert_int_equal(disk_spec_parse_words(target_first, &spec, &why), 0);
    assert_string_equal(spec.target, "f,g");
    assert_true(spec.devid == XVDA && spec.access == ACCESS_READ);
    assert_int_equal(disk_spec_parse_words(wrong_one, &spec, &why), -EINVAL);
    assert_string_equal(why.text, PARSING "unknown value for access: near `x' in `x'");
    assert_int_equal(disk_spec_parse_words(&places[3], &spec, &why), -EINVAL);
    assert_string_equal(why.text, PARSING "no vdev specified in `'");
}

static void how_long_a_server_is_waited_for_is_said(void **state)
{
    (void)state;
    struct disk_spec spec;
    struct why why;
    assert_int_equal(disk_spec_parse("nbd://h/f,raw,xvda,w,reconnect-delay=7", &spec, &why), 0);
    assert_true(spec.has_reconnect && spec.reconnect_s == 7);
    assert_int_equal(disk_spec_parse("reconnect-delay=0,vdev=xvda,target=nbd://h/f", &spec, &why),
                     0);
    assert_true(spec.has_reconnect && spec.reconnect_s == 0);
    assert_int_equal(disk_spec_parse("nbd://h/f,raw,xvda,w", &spec, &why), 0);
    assert_false(spec.has_reconnect);
}

static void a_target_is_as_long_as_a_path_can_be(void **state)
{
    (void)state;
    char text[2 * PATH_MAX];
    struct disk_spec spec;
    struct why why;
    memset(text, 'a', sizeof(text));
    snprintf(text + PATH_MAX - 1, sizeof(text) - PATH_MAX + 1, ",,xvda");
    assert_int_equal(disk_spec_parse(text, &spec, &why), 0);
    assert_int_equal(strlen(spec.target), PATH_MAX - 1);
    memset(text, 'a', sizeof(text));
    snprintf(text + PATH_MAX, sizeof(text) - PATH_MAX, ",,xvda");
    assert_int_equal(disk_spec_parse(text, &spec, &why), -E2BIG);
    memset(text, 'a', sizeof(text));
    memcpy(text, "vdev=xvda,target=", strlen("vdev=xvda,target="));
    text[strlen("vdev=xvda,target=") + PATH_MAX] = '\0';
    assert_int_equal(disk_spec_parse(text, &spec, &why), -E2BIG);
}

static void a_relative_target_is_found_from_where_it_was_named(void **state)
{
    (void)state;
    struct disk_spec spec;
    struct why why;
    assert_int_equal(disk_spec_parse("a/b,,xvda", &spec, &why), 0);
    assert_int_equal(disk_spec_resolve(&spec, "/somewhere", &why), 0);
    assert_string_equal(spec.target, "/somewhere/a/b");
    assert_int_equal(disk_spec_resolve(&spec, "/else", &why), 0);
    assert_string_equal(spec.target, "/somewhere/a/b");
    memset(spec.target, 'a', PATH_MAX - 4);
    spec.target[PATH_MAX - 4] = '\0';
    assert_int_equal(disk_spec_resolve(&spec, "/else", &why), -ENAMETOOLONG);
}

static void an_access_is_told_as_it_is_specified(void **state)
{
    (void)state;
    assert_string_equal(disk_access_name(ACCESS_READ), "r");
    assert_string_equal(disk_access_name(ACCESS_WRITE), "w");
    assert_string_equal(disk_access_name(ACCESS_WRITE_SHARED), "w!");
    assert_string_equal(disk_access_name((enum disk_access)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specifications_mean_what_they_mean_to_xl),
        cmocka_unit_test(what_cannot_be_is_refused_in_the_words_of_xl),
        cmocka_unit_test(a_specification_may_be_in_several_words),
        cmocka_unit_test(how_long_a_server_is_waited_for_is_said),
        cmocka_unit_test(a_target_is_as_long_as_a_path_can_be),
        cmocka_unit_test(a_relative_target_is_found_from_where_it_was_named),
        cmocka_unit_test(an_access_is_told_as_it_is_specified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
