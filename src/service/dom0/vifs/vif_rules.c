/* SPDX-License-Identifier: MIT */
#include "service/dom0/vifs/vif_rules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

enum { WORDS_SIZE = 1024 };

/* Is this the word at the begin? What follows is in *rest then. */
static bool begins(const char *text, const char *word, const char **rest)
{
    size_t length = strlen(word);

    if (strncmp(text, word, length) != 0 || (text[length] != ' ' && text[length] != '\0'))
        return false;
    *rest = text + length + strspn(text + length, " ");
    return true;
}

static int add(struct net_rules *rules, const char *words, char **answer, struct why *why)
{
    uint64_t before = 0;
    uint32_t id;

    if (strncmp(words, "before=", 7) == 0) {
        size_t length = strcspn(words + 7, " ");

        if (decimal_parse_bytes(words + 7, length, 1, UINT32_MAX, &before) < 0)
            return why_fail(why, -EINVAL, "before= needs the number of a rule");
        words += 7 + length;
    }

    int rc = net_rules_add(rules, words, (uint32_t)before, &id, why);

    if (rc == 0 && asprintf(answer, "%" PRIu32 "\n", id) < 0)
        *answer = NULL; /* it is there all the same */
    return rc;
}

static int list(const struct net_rules *rules, char **answer, struct why *why)
{
    char words[WORDS_SIZE];
    size_t size;
    FILE *out = open_memstream(answer, &size);

    if (out == NULL)
        return why_fail(why, -ENOMEM, "Dom0 is out of memory");
    if (rules->count > 0)
        fprintf(out, "%5s %12s %14s  rule\n", "id", "frames", "bytes");
    for (const struct net_rule *rule = net_rules_next(rules, NULL); rule != NULL;
         rule = net_rules_next(rules, rule)) {
        net_rule_format(rule, words, sizeof words);
        fprintf(out, "%5" PRIu32 " %12" PRIu64 " %14" PRIu64 "  %s\n", rule->id,
                rule->matched.frames, rule->matched.bytes, words);
    }
    return fclose(out) == 0 ? 0 : why_fail(why, -ENOMEM, "Dom0 is out of memory");
}

static int delete_one(struct net_rules *rules, const char *number, struct why *why)
{
    uint64_t id;

    if (decimal_parse(number, 1, UINT32_MAX, &id) < 0)
        return why_fail(why, -EINVAL, "delete needs the number of a rule: see 'service rule list'");
    if (net_rules_delete(rules, (uint32_t)id) < 0)
        return why_fail(why, -ENOENT, "there is no rule %s: see 'service rule list'", number);
    return 0;
}

static int flush(struct net_rules *rules)
{
    const struct net_rule *rule;

    while ((rule = net_rules_next(rules, NULL)) != NULL)
        (void)net_rules_delete(rules, rule->id);
    return 0;
}

int vif_rules_command(struct net_rules *rules, const char *text, char **answer, struct why *why)
{
    const char *rest;

    *answer = NULL;
    if (begins(text, "add", &rest))
        return add(rules, rest, answer, why);
    if (begins(text, "list", &rest) && rest[0] == '\0')
        return list(rules, answer, why);
    if (begins(text, "delete", &rest))
        return delete_one(rules, rest, why);
    if (begins(text, "flush", &rest) && rest[0] == '\0')
        return flush(rules);
    return why_fail(why, -EINVAL, "rule knows add, list, delete and flush, not '%s'", text);
}

void vif_rules_write(struct json *json, const struct net_rules *rules)
{
    char words[WORDS_SIZE];

    json_array(json, "rules");
    for (const struct net_rule *rule = net_rules_next(rules, NULL); rule != NULL;
         rule = net_rules_next(rules, rule)) {
        net_rule_format(rule, words, sizeof words);
        json_object(json, NULL);
        json_u64(json, "id", rule->id);
        json_string(json, "words", words);
        json_u64(json, "frames", rule->matched.frames);
        json_u64(json, "bytes", rule->matched.bytes);
        json_end(json);
    }
    json_end(json);
}
