/* SPDX-License-Identifier: MIT */
/* vif_rules: the rules of the virtual firewall, as `service rule` asks for them. */
#ifndef SPLITDOM_SERVICE_DOM0_VIFS_VIF_RULES_H
#define SPLITDOM_SERVICE_DOM0_VIFS_VIF_RULES_H

#include "base/json.h"
#include "base/why.h"
#include "service/net/rules.h"

/*
 * Words with blanks between them:
 *
 *     add WORDS             behind all others; answers with the rule's number
 *     add before=N WORDS    before rule N
 *     list                  all in their order, with what they have matched
 *     delete N
 *     flush                 deletes all
 *
 * *answer: text, or NULL; the caller frees it. Errors, with a line for people in why: -EINVAL;
 * those of net_rules_add and net_rules_delete.
 */
int vif_rules_command(struct net_rules *rules, const char *text, char **answer, struct why *why);

/* An array "rules". */
void vif_rules_write(struct json *json, const struct net_rules *rules);

#endif
