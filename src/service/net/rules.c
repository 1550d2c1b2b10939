/* SPDX-License-Identifier: MIT */
#include "service/net/rules.h"

#include <errno.h>
#include <stdlib.h>

#include "base/container_of.h"

int net_rules_init(struct net_rules *rules, uint64_t secret)
{
    *rules = (struct net_rules){.count = 0};
    return net_flows_init(&rules->flows, secret);
}

static struct net_rule *of_node(struct list_node *node)
{
    return container_or_null(node, struct net_rule, link);
}

static void drop(struct net_rules *rules, struct net_rule *rule)
{
    rules->stateful -= rule->states != 0;
    rules->count--;
    list_remove(&rule->link);
    free(rule);
}

void net_rules_fini(struct net_rules *rules)
{
    struct net_rule *rule;

    while ((rule = of_node(list_first(&rules->rules))) != NULL)
        drop(rules, rule);
    net_flows_fini(&rules->flows);
}

const struct net_rule *net_rules_next(const struct net_rules *rules, const struct net_rule *rule)
{
    return of_node(rule == NULL ? list_first(&rules->rules)
                                : list_next(&rules->rules, &rule->link));
}

static struct net_rule *find(const struct net_rules *rules, uint32_t id)
{
    struct net_rule *rule = of_node(list_first(&rules->rules));

    while (rule != NULL && rule->id != id)
        rule = of_node(list_next(&rules->rules, &rule->link));
    return rule;
}

/* Those from the place on move behind it: a list has no insertion in its middle. */
static void place(struct net_rules *rules, struct net_rule *rule, struct net_rule *before)
{
    struct list behind = {0};

    if (before == NULL) {
        list_push_back(&rules->rules, &rule->link);
        return;
    }
    for (struct list_node *node = &before->link, *next; node != NULL; node = next) {
        next = list_next(&rules->rules, node);
        list_remove(node);
        list_push_back(&behind, node);
    }
    list_push_back(&rules->rules, &rule->link);
    list_move_all(&rules->rules, &behind);
}

int net_rules_add(struct net_rules *rules, const char *words, uint32_t before, uint32_t *id,
                  struct why *why)
{
    struct net_rule parsed;
    struct net_rule *successor = before != 0 ? find(rules, before) : NULL;
    int rc = net_rule_parse(words, &parsed, why);

    if (rc < 0)
        return rc;
    if (before != 0 && successor == NULL)
        return why_fail(why, -ENOENT, "there is no rule %u: see 'service rule list'", before);
    if (rules->count == NET_RULES_MAX)
        return why_fail(why, -ENOSPC, "there are %d rules already", NET_RULES_MAX);

    struct net_rule *rule = malloc(sizeof(*rule));

    if (rule == NULL)
        return why_fail(why, -ENOMEM, "Dom0 is out of memory");
    *rule = parsed;
    rule->id = *id = ++rules->last_id;
    place(rules, rule, successor);
    rules->count++;
    rules->stateful += rule->states != 0;
    return 0;
}

int net_rules_delete(struct net_rules *rules, uint32_t id)
{
    struct net_rule *rule = find(rules, id);

    if (rule == NULL)
        return -ENOENT;
    drop(rules, rule);
    return 0;
}

void net_rules_begin(struct net_rules *rules, struct net_passage *passage)
{
    passage->state = rules->stateful == 0 ? 0
                                          : net_flows_look(&rules->flows, passage->frame,
                                                           passage->packet, passage->at_ns);
}

static void mirror(struct net_rules *rules, const struct net_rule *rule,
                   const struct net_passage *passage)
{
    struct net_port *port =
        rules->find_port != NULL ? rules->find_port(rules->ctx, rule->mirror) : NULL;

    if (port != NULL && port != passage->in)
        net_port_output(port, passage->frame, passage->at_ns);
}

/* What the first rule that decides says. */
static bool decide(struct net_rules *rules, const struct net_passage *passage,
                   const struct net_port *out)
{
    for (struct list_node *node = list_first(&rules->rules); node != NULL;
         node = list_next(&rules->rules, node)) {
        struct net_rule *rule = of_node(node);

        if (!net_rule_matches(rule, passage->bridge, passage->in, out, passage->packet,
                              passage->state))
            continue;
        rule->matched.frames++;
        rule->matched.bytes += passage->frame->length_bytes;
        if (rule->action == NET_RULE_ACCEPT || rule->action == NET_RULE_DROP)
            return rule->action == NET_RULE_ACCEPT;
        if (rule->action == NET_RULE_MIRROR)
            mirror(rules, rule, passage);
        else if (!net_rule_has_token(rule, passage->at_ns))
            return false;
    }
    return true;
}

bool net_rules_pass(struct net_rules *rules, const struct net_passage *passage,
                    const struct net_port *out)
{
    if (!decide(rules, passage, out))
        return false;
    if (passage->state == NET_STATE_NEW)
        net_flows_note(&rules->flows, passage->flows, passage->packet, passage->at_ns);
    return true;
}
