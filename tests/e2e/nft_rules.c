/* SPDX-License-Identifier: MIT */
/*
 * nft_rules: the same rules in Dom0's bridge and in nft on the kernel's: random frames, equal
 * verdicts. To be run in a network namespace of its own, with the right to make devices there.
 *
 *   nft_rules FRAMES SEED     exit 0: all verdicts are equal; 77: something is not permitted here
 *
 * The kernel's bridge joins three taps; Dom0's the same three as ports. Behind each frame goes a
 * marker to all others: when the markers are there, so is what there is of the frame.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/prng.h"
#include "service/net/mac.h"
#include "service/net/net.h"

enum { PORTS = 3, FRAME_BYTES = 90, MARKER_TYPE = 0x88b6, PATIENCE_MS = 20000, SKIPPED = 77 };

#define MAC(i) (UINT64_C(0x00163e000000) + (uint64_t)(i))

static const struct {
    const char *ours, *nft;
} rules[] = {
    {"type=0x88b6 accept", "ether type 0x88b6 accept"},
    {"in=t0 type=0x88b5 drop", "iifname t0 ether type 0x88b5 drop"},
    {"from=10.0.0.0/26 proto=tcp dport=0-79 drop", "ip saddr 10.0.0.0/26 tcp dport 0-79 drop"},
    {"in=t1 out=t2 proto=udp sport=53 accept", "iifname t1 oifname t2 udp sport 53 accept"},
    {"proto=udp dport=53 drop", "udp dport 53 drop"},
    {"to=10.0.0.128/25 proto=icmp drop", "ip daddr 10.0.0.128/25 ip protocol icmp drop"},
    {"smac=00:16:3e:00:00:02 type=arp drop", "ether saddr 00:16:3e:00:00:02 ether type arp drop"},
    {"dmac=ff:ff:ff:ff:ff:ff type=ip in=t2 drop",
     "ether daddr ff:ff:ff:ff:ff:ff ether type ip iifname t2 drop"},
    {"from=fd00::/120 proto=udp drop", "ip6 saddr fd00::/120 meta l4proto udp drop"},
    {"to=fd00::80/121 accept", "ip6 daddr fd00::80/121 accept"},
    {"type=ip6 proto=icmp6 out=t1 drop", "ether type ip6 meta l4proto icmpv6 oifname t1 drop"},
    {"proto=47 drop", "meta l4proto 47 drop"},
    {"from=10.0.0.192/26 to=10.0.0.0/25 drop", "ip saddr 10.0.0.192/26 ip daddr 10.0.0.0/25 drop"},
};

static int taps[PORTS];
static struct net net;

/* A port of Dom0's bridge: only counts. */
static struct counted {
    struct net_port port;
    uint32_t count;
} ports[PORTS];

static void deliver(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    struct counted *counted = (struct counted *)port;
    (void)frame;
    (void)at_ns;
    counted->count++;
}

static uint32_t take(struct net_port *port, uint32_t budget_bytes)
{
    (void)port;
    (void)budget_bytes;
    return 0;
}

static const struct net_port_ops ops = {.deliver = deliver, .take = take};

static void skip(const char *what)
{
    printf("%s\n", what);
    exit(SKIPPED);
}

static void run(const char *command)
{
    if (system(command) != 0)
        skip(command);
}

static int open_tap(int i)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        skip("/dev/net/tun cannot be opened");
    snprintf(request.ifr_name, IFNAMSIZ, "t%d", i);
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        skip("a tap cannot be made");
    return fd;
}

static void make_kernels(void)
{
    char command[256];
    run("ip link add br0 type bridge mcast_snooping 0");
    run("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; "
        "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
    run("ip link set br0 up");
    for (int i = 0; i < PORTS; i++) {
        taps[i] = open_tap(i);
        snprintf(command, sizeof(command),
                 "ip link set t%d master br0 up && "
                 "bridge fdb add 00:16:3e:00:00:%02x dev t%d master static",
                 i, i, i);
        run(command);
    }
    FILE *nft = popen("nft -f -", "w");
    if (nft == NULL)
        skip("nft cannot be run");
    fprintf(nft, "table bridge f {\nchain forward {\ntype filter hook forward priority 0\n"
                 "policy accept\n");
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        fprintf(nft, "%s\n", rules[i].nft);
    fprintf(nft, "}\n}\n");
    if (pclose(nft) != 0)
        skip("nft takes no rules of the family bridge here");
}

static void make_ours(void)
{
    struct net_bridge *bridge;
    struct why why;
    uint32_t id;
    if (net_init(&net, 1) < 0 || net_add_bridge(&net, "br0", &bridge) < 0)
        errx(1, "no bridge");
    for (int i = 0; i < PORTS; i++) {
        char name[] = "t0";
        name[1] = (char)('0' + i);
        const struct net_port_config config = {.mac = MAC(i)};
        net_port_init(&ports[i].port, &ops, name, 256);
        if (net_connect(&net, &ports[i].port, "br0", &config) < 0)
            errx(1, "no port");
    }
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (net_rules_add(&net.rules, rules[i].ours, 0, &id, &why) < 0)
            errx(1, "%s: %s", rules[i].ours, why.text);
    }
}

/* ---- frames ---- */

static void put_mac(uint8_t *at, uint64_t mac)
{
    for (int i = 0; i < 6; i++)
        at[i] = (uint8_t)(mac >> (40 - 8 * i));
}

static void put_word(uint8_t *at, uint32_t word)
{
    at[0] = (uint8_t)(word >> 8);
    at[1] = (uint8_t)word;
}

static void put_transport(uint8_t *at, uint8_t protocol, struct prng *prng)
{
    static const uint16_t known[] = {53, 80, 79, 22, 1024};
    for (int i = 0; i < 2; i++)
        put_word(at + 2 * i, prng_below(prng, 2) == 0 ? known[prng_below(prng, 5)]
                                                      : (uint32_t)prng_below(prng, 65536));
    if (protocol == NET_PROTOCOL_TCP)
        at[12] = 0x50;
}

static void put_ipv4(uint8_t *ip, struct prng *prng)
{
    static const uint8_t protocols[] = {6, 17, 1, 47};
    uint32_t sum = 0;
    ip[0] = 0x45;
    put_word(ip + 2, FRAME_BYTES - 14);
    ip[8] = 64;
    ip[9] = protocols[prng_below(prng, 4)];
    ip[12] = ip[16] = 10;
    ip[15] = (uint8_t)prng_next(prng);
    ip[19] = (uint8_t)prng_next(prng);
    for (int i = 0; i < 20; i += 2)
        sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    put_word(ip + 10, ~sum & 0xffff);
    put_transport(ip + 20, ip[9], prng);
}

static void put_ipv6(uint8_t *ip, struct prng *prng)
{
    static const uint8_t protocols[] = {6, 17, 58};
    ip[0] = 0x60;
    put_word(ip + 4, FRAME_BYTES - 14 - 40);
    ip[6] = protocols[prng_below(prng, 3)];
    ip[7] = 64;
    ip[8] = ip[24] = 0xfd;
    ip[23] = (uint8_t)prng_next(prng);
    ip[22] = (uint8_t)prng_below(prng, 2);
    ip[39] = (uint8_t)prng_next(prng);
    put_transport(ip + 40, ip[6], prng);
}

static void make_frame(uint8_t frame[FRAME_BYTES], int from, struct prng *prng)
{
    static const uint16_t types[] = {0x0800, 0x0800, 0x0800, 0x86dd, 0x0806, 0x88b5};
    uint16_t type = types[prng_below(prng, 6)];
    uint64_t to = prng_below(prng, 4) == 0 ? NET_MAC_BROADCAST
                                           : MAC((from + 1 + (int)prng_below(prng, 2)) % PORTS);
    memset(frame, 0, FRAME_BYTES);
    put_mac(frame, to);
    put_mac(frame + 6, MAC(from));
    put_word(frame + 12, type);
    if (type == 0x0800)
        put_ipv4(frame + 14, prng);
    else if (type == 0x86dd)
        put_ipv6(frame + 14, prng);
}

/* ---- both ways ---- */

static void send_marker(int from)
{
    uint8_t marker[60] = {0};
    put_mac(marker, NET_MAC_BROADCAST);
    put_mac(marker + 6, MAC(from));
    put_word(marker + 12, MARKER_TYPE);
    if (write(taps[from], marker, sizeof(marker)) != sizeof(marker))
        err(1, "write");
}

/* Reads up to the marker: how many other frames there were. */
static uint32_t read_to_marker(int tap)
{
    uint32_t count = 0;
    for (;;) {
        uint8_t frame[2048];
        struct pollfd ready = {.fd = taps[tap], .events = POLLIN};
        if (poll(&ready, 1, PATIENCE_MS) != 1)
            errx(1, "no marker came to t%d", tap);
        ssize_t bytes = read(taps[tap], frame, sizeof(frame));
        if (bytes < 14)
            err(1, "read");
        if ((frame[12] << 8 | frame[13]) == MARKER_TYPE)
            return count;
        if (net_mac_get(frame + 6) >> 8 == MAC(0) >> 8) /* none of the kernel's own */
            count++;
    }
}

static bool verdicts_are_equal(int from, const uint8_t bytes[FRAME_BYTES], uint32_t *passed)
{
    struct net_frame *frame = net_frame_new(FRAME_BYTES);
    if (frame == NULL)
        errx(1, "out of memory");
    memcpy(frame->data, bytes, FRAME_BYTES);
    if (write(taps[from], bytes, FRAME_BYTES) != FRAME_BYTES)
        err(1, "write");
    send_marker(from);
    for (int i = 0; i < PORTS; i++)
        ports[i].count = 0;
    net_port_input(&ports[from].port, frame);
    net_frame_put(frame);
    bool equal = true;
    for (int i = 0; i < PORTS; i++) {
        if (i == from)
            continue;
        uint32_t kernels = read_to_marker(i);
        if (kernels != ports[i].count)
            printf("from t%d to t%d: %u in the kernel, %u here\n", from, i, kernels,
                   ports[i].count);
        equal = equal && kernels == ports[i].count;
        *passed += kernels;
    }
    return equal;
}

int main(int argc, char **argv)
{
    struct prng prng;
    uint32_t passed = 0, wrong = 0;
    if (argc != 3)
        errx(2, "usage: nft_rules FRAMES SEED");
    unsigned long frames = strtoul(argv[1], NULL, 10);
    prng_init(&prng, strtoul(argv[2], NULL, 10), 0);
    make_kernels();
    make_ours();
    for (int i = 0; i < PORTS; i++) { /* what the kernel itself had to say */
        send_marker(i);
        for (int k = 0; k < PORTS; k++) {
            if (k != i)
                (void)read_to_marker(k);
        }
    }
    for (unsigned long i = 0; i < frames; i++) {
        uint8_t frame[FRAME_BYTES];
        int from = (int)prng_below(&prng, PORTS);
        make_frame(frame, from, &prng);
        if (!verdicts_are_equal(from, frame, &passed)) {
            wrong++;
            for (int k = 0; k < 60; k++)
                printf("%02x%s", frame[k], k == 59 ? "\n" : " ");
        }
    }
    for (int i = 0; i < PORTS; i++)
        net_disconnect(&ports[i].port);
    net_fini(&net);
    printf("%lu frames, %u came through, %u verdicts differ\n", frames, passed, wrong);
    return wrong == 0 && passed > frames / 10 && passed < 2 * frames ? 0 : 1;
}
