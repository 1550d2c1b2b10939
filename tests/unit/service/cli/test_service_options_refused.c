/* SPDX-License-Identifier: MIT */
/* service_options: verbs, operands and options that are refused, and why. */
#include "unit/service/cli/service_options_fixture.h"

static void refuses_wrong_verbs_and_operands(void **state)
{
    (void)state;
    assert_refused("", "verb is missing");
    assert_refused("restart", "'restart'");
    assert_refused("start now", "no arguments");
    assert_refused("set 1 weight", "DOMID KEY VALUE");
    assert_refused("set 1 colour red", "'colour'");
    assert_refused("set 1 weight 0", "weight");
    assert_refused("set 1 weight 65536", "weight");
    assert_refused("set 1 tdf 0", "tdf");
    assert_refused("pause", "DOMID");
    assert_refused("pause 0", "DOMID");
    assert_refused("domname x", "DOMID");
    assert_refused("pause 32752", "DOMID");
    assert_refused("shutdown 1 2", "DOMID");
    assert_refused("destroy", "DOMID");
    assert_refused("set 1 cpu-share 0", "cpu-share");
    assert_refused("set 1 cpu-share 101%", "cpu-share");
}

static void refuses_wrong_options(void **state)
{
    (void)state;
    assert_refused("start --engine disk", "--engine");
    assert_refused("start --model x", "--engine model");
    assert_refused("start --cache-percent 1.0001", "--cache-percent");
    assert_refused("start --cache-percent 2", "--cache-percent");
    assert_refused("start --cache-bytes -1", "--cache-bytes");
    assert_refused("start --cache-policy astrology", "lru");
    assert_refused("start --idle-timeout never", "--idle-timeout");
    assert_refused("start --tdf 0", "--tdf");
    assert_refused("start --tdf 1001", "--tdf must be from 1/1000 to 1000");
    assert_refused("start --tdf 1/1001", "--tdf");
    assert_refused("set 1 tdf 1000.1", "tdf");
    assert_refused("start --disk-scale 0.5", "--disk-scale");
    assert_refused("start --disk-scale 1001", "--disk-scale");
    assert_refused("set 1 disk-scale 1/2", "disk-scale");
    assert_refused("start --depth 129", "--depth");
    assert_refused("start --depth-isolated 0", "--depth-isolated");
    assert_refused("start --max-domains 0", "--max-domains");
    assert_refused("start --max-pages 63", "--max-pages");
    assert_refused("start --max-ring-page-order 5", "--max-ring-page-order");
    assert_refused("start --cpu 4096", "--cpu");
    assert_refused("start --image", "needs a value");
    assert_refused("start --no-spin=1", "takes no value");
    assert_refused("start --json", "status");
    assert_refused("stop --image F", "--image");
    assert_refused("stop --disk F,,xvda", "--disk");
    assert_refused("start --disk F", "no vdev specified");
    assert_refused("block-attach 1 F,,xvdb,x", "unknown value for access: near `x'");
    assert_refused("block-attach 1 F,raw xvdb x", "unknown value for access: near `x'");
    assert_refused("block-attach 1", "DOMID SPEC");
    assert_refused("block-attach 0 F,,xvdb", "DOMID");
    assert_refused("trace --domain 0", "--domain");
    assert_refused("block-detach 1", "DOMID VDEV");
    assert_refused("block-list", "DOMID");
    assert_refused("resize xvda xvdb", "VDEV or IMAGE");
    assert_refused("block-attach 1 F,,xvdb --force", "block-detach");
    assert_refused("network-attach", "DOMID");
    assert_refused("network-detach 1", "DEVID|MAC");
    assert_refused("network-list 1 2", "DOMID");
    assert_refused("start --vif rate=fast", "invalid rate in `fast'");
    assert_refused("start --vif bridge=nosuch", "Could not find bridge device nosuch");
    assert_refused("start --bridge a --vif bridge=xenbr0", "Could not find bridge device xenbr0");
    assert_refused("start --bridge a --bridge a", "two bridges");
    assert_refused("start --bridge a/b", "a/b");
    assert_refused("stop --vif mtu=9000", "--vif");
    assert_refused("status -l", "list");
    assert_refused("status -v", "-v");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_wrong_verbs_and_operands),
        cmocka_unit_test(refuses_wrong_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
