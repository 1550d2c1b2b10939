/* SPDX-License-Identifier: MIT */
#include "service/net/rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/mac_text.h"
#include "service/net/mac.h"

#define NS_PER_S UINT64_C(1000000000)

enum { WORD_SIZE = 96, BURST_DEFAULT = 5, LIMIT_MAX = 1000000000 };

/* ---- matching ---- */

static bool is_in(const struct net_rule_net *net, uint8_t family, const struct net_address *address)
{
    return net->family == 0 ||
           (net->family == family && net_address_is_in(address, &net->address, net->prefix_bits));
}

static bool names_hold(const struct net_rule *rule, const char *bridge, const struct net_port *in,
                       const struct net_port *out)
{
    return (rule->bridge[0] == '\0' || strcmp(rule->bridge, bridge) == 0) &&
           (rule->in[0] == '\0' || strcmp(rule->in, in->name) == 0) &&
           (rule->out[0] == '\0' || strcmp(rule->out, out->name) == 0);
}

static bool ports_hold(const struct net_rule *rule, const struct net_packet *packet)
{
    if (!rule->has_sport && !rule->has_dport)
        return true;
    return packet->has_ports &&
           (!rule->has_sport ||
            (packet->source_port >= rule->sport[0] && packet->source_port <= rule->sport[1])) &&
           (!rule->has_dport ||
            (packet->target_port >= rule->dport[0] && packet->target_port <= rule->dport[1]));
}

bool net_rule_matches(const struct net_rule *rule, const char *bridge, const struct net_port *in,
                      const struct net_port *out, const struct net_packet *packet, uint8_t state)
{
    return names_hold(rule, bridge, in, out) && (!rule->has_smac || packet->from == rule->smac) &&
           (!rule->has_dmac || packet->to == rule->dmac) &&
           (!rule->has_type || packet->ethertype == rule->type) &&
           (!rule->has_proto || (packet->has_protocol && packet->protocol == rule->proto)) &&
           is_in(&rule->from, packet->family, &packet->source) &&
           is_in(&rule->to, packet->family, &packet->target) && ports_hold(rule, packet) &&
           (rule->states == 0 || (rule->states & state) != 0);
}

bool net_rule_has_token(struct net_rule *rule, uint64_t now_ns)
{
    uint64_t price_ns = NS_PER_S / rule->limit_per_s;
    uint64_t most_ns = price_ns * rule->limit_burst;

    if (now_ns > rule->filled_ns) {
        uint64_t passed_ns = now_ns - rule->filled_ns;

        rule->filled_ns = now_ns;
        rule->tokens_ns =
            passed_ns > most_ns - rule->tokens_ns ? most_ns : rule->tokens_ns + passed_ns;
    }
    if (rule->tokens_ns < price_ns)
        return false;
    rule->tokens_ns -= price_ns;
    return true;
}

/* ---- words ---- */

static int set_name(char out[NET_PORT_NAME_SIZE], const char *value)
{
    if (value[0] == '\0' || strlen(value) >= NET_PORT_NAME_SIZE)
        return -EINVAL;
    strcpy(out, value);
    return 0;
}

static int set_mac(const char *value, uint64_t *out, bool *has)
{
    uint8_t mac[NET_MAC_BYTES];

    if (mac_text_parse(value, mac) < 0)
        return -EINVAL;
    *out = net_mac_get(mac);
    *has = true;
    return 0;
}

static const struct {
    const char *name;
    uint16_t number;
} types[] = {{"ip", NET_ETHERTYPE_IPV4},
             {"ip6", NET_ETHERTYPE_IPV6},
             {"arp", NET_ETHERTYPE_ARP},
             {"vlan", NET_ETHERTYPE_VLAN}},
  protocols[] = {{"tcp", NET_PROTOCOL_TCP},
                 {"udp", NET_PROTOCOL_UDP},
                 {"icmp", NET_PROTOCOL_ICMP},
                 {"icmp6", NET_PROTOCOL_ICMPV6}},
  states[] = {{"new", NET_STATE_NEW},
              {"established", NET_STATE_ESTABLISHED},
              {"related", NET_STATE_RELATED},
              {"invalid", NET_STATE_INVALID}};

enum { NAMES = 4 };

static int set_type(const char *value, struct net_rule *rule)
{
    rule->has_type = true;
    for (int i = 0; i < NAMES; i++) {
        if (strcmp(value, types[i].name) == 0) {
            rule->type = types[i].number;
            return 0;
        }
    }
    if (strncmp(value, "0x", 2) != 0 || strlen(value) > 6 || strlen(value) < 3 ||
        strspn(value + 2, "0123456789abcdefABCDEF") != strlen(value + 2))
        return -EINVAL;
    rule->type = (uint16_t)strtoul(value, NULL, 16);
    return 0;
}

static int set_proto(const char *value, struct net_rule *rule)
{
    uint64_t number = 0;

    rule->has_proto = true;
    for (int i = 0; i < NAMES; i++) {
        if (strcmp(value, protocols[i].name) == 0) {
            rule->proto = (uint8_t)protocols[i].number;
            return 0;
        }
    }

    int rc = decimal_parse(value, 0, UINT8_MAX, &number);

    rule->proto = (uint8_t)number;
    return rc;
}

static int set_ports(const char *value, uint16_t out[2], bool *has)
{
    size_t first = strcspn(value, "-");
    uint64_t from = 0, to = 0;
    int rc = decimal_parse_bytes(value, first, 0, UINT16_MAX, &from);

    to = from;
    if (rc == 0 && value[first] == '-')
        rc = decimal_parse(value + first + 1, from, UINT16_MAX, &to);
    out[0] = (uint16_t)from;
    out[1] = (uint16_t)to;
    *has = true;
    return rc;
}

static int set_net(const char *value, struct net_rule_net *net)
{
    int family = net_address_parse(value, &net->address, &net->prefix_bits);

    if (family < 0)
        return family;
    net->family = (uint8_t)family;
    return 0;
}

static int set_states(char *value, struct net_rule *rule)
{
    char *save = NULL;

    for (char *word = strtok_r(value, ",", &save); word != NULL;
         word = strtok_r(NULL, ",", &save)) {
        uint8_t state = 0;

        for (int i = 0; i < NAMES; i++) {
            if (strcmp(word, states[i].name) == 0)
                state = (uint8_t)states[i].number;
        }
        if (state == 0)
            return -EINVAL;
        rule->states |= state;
    }
    return rule->states != 0 ? 0 : -EINVAL;
}

static int set_limit(char *value, struct net_rule *rule)
{
    char *burst = strchr(value, ':');

    rule->limit_burst = BURST_DEFAULT; /* as nft's */
    if (burst != NULL) {
        *burst = '\0';
        if (decimal_parse(burst + 1, 1, 1000000, &rule->limit_burst) < 0)
            return -EINVAL;
    }

    char *unit = strchr(value, '/');

    if (unit == NULL || strcmp(unit, "/second") != 0)
        return -EINVAL;
    *unit = '\0';
    return decimal_parse(value, 1, LIMIT_MAX, &rule->limit_per_s);
}

/* 1: none of them. */
static int set_match(struct net_rule *rule, const char *name, char *value)
{
    if (strcmp(name, "bridge") == 0)
        return set_name(rule->bridge, value);
    if (strcmp(name, "in") == 0)
        return set_name(rule->in, value);
    if (strcmp(name, "out") == 0)
        return set_name(rule->out, value);
    if (strcmp(name, "smac") == 0)
        return set_mac(value, &rule->smac, &rule->has_smac);
    if (strcmp(name, "dmac") == 0)
        return set_mac(value, &rule->dmac, &rule->has_dmac);
    if (strcmp(name, "type") == 0)
        return set_type(value, rule);
    if (strcmp(name, "from") == 0)
        return set_net(value, &rule->from);
    if (strcmp(name, "to") == 0)
        return set_net(value, &rule->to);
    if (strcmp(name, "proto") == 0)
        return set_proto(value, rule);
    if (strcmp(name, "sport") == 0)
        return set_ports(value, rule->sport, &rule->has_sport);
    if (strcmp(name, "dport") == 0)
        return set_ports(value, rule->dport, &rule->has_dport);
    if (strcmp(name, "state") == 0)
        return set_states(value, rule);
    return 1;
}

/* An action. 1: it is none. */
static int set_action(struct net_rule *rule, const char *name, char *value)
{
    if (value == NULL && (strcmp(name, "accept") == 0 || strcmp(name, "drop") == 0)) {
        rule->action = name[0] == 'a' ? NET_RULE_ACCEPT : NET_RULE_DROP;
        return 0;
    }
    if (value != NULL && strcmp(name, "limit") == 0) {
        rule->action = NET_RULE_LIMIT;
        return set_limit(value, rule);
    }
    if (value != NULL && strcmp(name, "mirror") == 0) {
        rule->action = NET_RULE_MIRROR;
        return set_name(rule->mirror, value);
    }
    return 1;
}

static int take(struct net_rule *rule, char *word, int *actions, struct why *why)
{
    char text[WORD_SIZE], *equals = strchr(word, '=');

    strcpy(text, word);
    if (equals != NULL)
        *equals++ = '\0';

    int rc = equals != NULL ? set_match(rule, word, equals) : 1;

    if (rc == 1) {
        rc = set_action(rule, word, equals);
        *actions += rc != 1;
    }
    if (rc == 1)
        return why_fail(why, -EINVAL, "unrecognized argument `%s'", text);
    return rc < 0 ? why_fail(why, -EINVAL, "invalid value in `%s'", text) : 0;
}

int net_rule_parse(const char *words, struct net_rule *out, struct why *why)
{
    struct net_rule rule = {.id = 0};
    int actions = 0;

    while (*words != '\0') {
        char word[WORD_SIZE];
        size_t length = strcspn(words, " ");

        if (length >= sizeof word)
            return why_fail(why, -EINVAL, "the argument is too long: `%.40s...'", words);
        memcpy(word, words, length);
        word[length] = '\0';
        words += length + (words[length] != '\0');

        int rc = length > 0 ? take(&rule, word, &actions, why) : 0;

        if (rc < 0)
            return rc;
    }
    if (actions != 1)
        return why_fail(why, -EINVAL,
                        "a rule ends in one of accept, drop, limit=N/second and mirror=VIF");
    if (rule.from.family != 0 && rule.to.family != 0 && rule.from.family != rule.to.family)
        return why_fail(why, -EINVAL, "no packet is from an IPv4 address to an IPv6 one");
    rule.tokens_ns = rule.limit_per_s != 0 ? NS_PER_S / rule.limit_per_s * rule.limit_burst : 0;
    *out = rule;
    return 0;
}

/* ---- back to words ---- */

static void add_mac(FILE *out, const char *name, uint64_t mac)
{
    fprintf(out, " %s=", name);
    for (int shift = 40; shift >= 0; shift -= 8)
        fprintf(out, "%02x%s", (unsigned)(mac >> shift & 0xff), shift > 0 ? ":" : "");
}

static void add_net(FILE *out, const char *name, const struct net_rule_net *net)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (net->family == 0)
        return;
    (void)inet_ntop(net->family == 4 ? AF_INET : AF_INET6, net->address.bytes, text, sizeof text);
    fprintf(out, " %s=%s/%" PRIu32, name, text, net->prefix_bits);
}

static void add_ports(FILE *out, const char *name, const uint16_t ports[2])
{
    fprintf(out, " %s=%u", name, ports[0]);
    if (ports[1] != ports[0])
        fprintf(out, "-%u", ports[1]);
}

static void add_states(FILE *out, uint8_t set)
{
    const char *before = " state=";

    for (int i = 0; i < NAMES; i++) {
        if ((set & states[i].number) == 0)
            continue;
        fprintf(out, "%s%s", before, states[i].name);
        before = ",";
    }
}

static void add_matches(FILE *out, const struct net_rule *rule)
{
    if (rule->bridge[0] != '\0')
        fprintf(out, " bridge=%s", rule->bridge);
    if (rule->in[0] != '\0')
        fprintf(out, " in=%s", rule->in);
    if (rule->out[0] != '\0')
        fprintf(out, " out=%s", rule->out);
    if (rule->has_smac)
        add_mac(out, "smac", rule->smac);
    if (rule->has_dmac)
        add_mac(out, "dmac", rule->dmac);
    if (rule->has_type)
        fprintf(out, " type=0x%04x", rule->type);
    add_net(out, "from", &rule->from);
    add_net(out, "to", &rule->to);
    if (rule->has_proto)
        fprintf(out, " proto=%u", rule->proto);
    if (rule->has_sport)
        add_ports(out, "sport", rule->sport);
    if (rule->has_dport)
        add_ports(out, "dport", rule->dport);
    add_states(out, rule->states);
}

void net_rule_format(const struct net_rule *rule, char *out, size_t size)
{
    char text[1024] = "";
    FILE *words = fmemopen(text, sizeof text, "w");

    out[0] = '\0';
    if (words == NULL)
        return;
    add_matches(words, rule);
    if (rule->action == NET_RULE_LIMIT)
        fprintf(words, " limit=%" PRIu64 "/second:%" PRIu64, rule->limit_per_s, rule->limit_burst);
    else if (rule->action == NET_RULE_MIRROR)
        fprintf(words, " mirror=%s", rule->mirror);
    else
        fprintf(words, " %s", rule->action == NET_RULE_ACCEPT ? "accept" : "drop");
    fclose(words);
    (void)snprintf(out, size, "%s", text + 1);
}
