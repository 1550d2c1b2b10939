/* SPDX-License-Identifier: MIT */
/* packet: whose MAC address IPv6's messages to neighbours name. */
#include "service/net/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net_fixture.h"

/* Neighbour Discovery in IPv6: the options of a solicitation, an advertisement and the others. */
static void neighbours_name_their_own_mac_or_another_one(void **state)
{
    static const uint8_t header_bytes[] = {8, 16, 24, 24, 40};
    (void)state;
    for (uint8_t type = 133; type <= 137; type++) {
        uint8_t bytes[54 + 40 + 16] = {0};
        uint32_t option = 54u + header_bytes[type - 133];
        memcpy(bytes + 6, "\2\0\0\0\0\7\x86\xdd\x60", 9);
        bytes[20] = NET_PROTOCOL_ICMPV6;
        bytes[54] = type;
        memcpy(bytes + option, "\x0e\1\0\0\0\0\0\0\2\1\2\0\0\0\0\7", 16); /* a nonce first */
        assert_false(read_bytes(bytes, option + 16).names_other_mac);
        bytes[option + 15] = 8;
        assert_true(read_bytes(bytes, option + 16).names_other_mac);
        bytes[option + 8] = 1; /* of the source */
        assert_true(read_bytes(bytes, option + 16).names_other_mac);
        assert_false(read_bytes(bytes, option + 15).names_other_mac); /* not whole */
        bytes[option + 1] = 0; /* an option without length is the end */
        assert_false(read_bytes(bytes, option + 16).names_other_mac);
        bytes[option + 1] = 1;
        bytes[54] = 138;
        assert_false(read_bytes(bytes, option + 16).names_other_mac);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_name_their_own_mac_or_another_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
