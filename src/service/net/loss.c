/* SPDX-License-Identifier: MIT */
#include "service/net/loss.h"

#include <errno.h>
#include <string.h>

enum { TEXT_SIZE = 128 };

void net_loss_init(struct net_loss *loss, uint64_t seed)
{
    prng_init(&loss->prng, seed, 1);
    loss->is_bad = false;
}

bool net_loss_loses(struct net_loss *loss, const struct net_loss_config *config)
{
    const struct net_chance none = {0};

    if (!config->gilbert_elliott)
        loss->is_bad = false;

    struct net_chance turn = loss->is_bad ? config->to_good : config->to_bad;

    if (net_chance_hits(config->gilbert_elliott ? turn : none, &loss->prng))
        loss->is_bad = !loss->is_bad;
    return net_chance_hits(loss->is_bad ? config->bad_loss : config->good_loss, &loss->prng);
}

/* The parts behind the model's name, in their order. */
static int parse_model(char *parts, struct net_loss_config *out)
{
    struct net_chance chance[4] = {{0}, {0}, {UINT64_MAX}, {0}};
    char *save = NULL;
    int count = 0;

    for (char *part = strtok_r(parts, ":", &save); part != NULL;
         part = strtok_r(NULL, ":", &save)) {
        if (count == 4)
            return -EINVAL;

        int rc = net_chance_parse(part, &chance[count++]);

        if (rc < 0)
            return rc;
    }
    if (count == 0)
        return -EINVAL;
    if (count == 1)
        chance[1].part = UINT64_MAX - chance[0].part;
    *out = (struct net_loss_config){.gilbert_elliott = true,
                                    .to_bad = chance[0],
                                    .to_good = chance[1],
                                    .bad_loss = chance[2],
                                    .good_loss = chance[3]};
    return 0;
}

int net_loss_parse(const char *text, struct net_loss_config *out)
{
    static const char model[] = "gemodel:";
    char parts[TEXT_SIZE];

    if (strncmp(text, model, sizeof model - 1) != 0) {
        struct net_loss_config parsed = {.gilbert_elliott = false};
        int rc = net_chance_parse(text, &parsed.good_loss);

        if (rc == 0)
            *out = parsed;
        return rc;
    }
    if (strlen(text) >= sizeof parts)
        return -EINVAL;
    strcpy(parts, text + sizeof model - 1);
    return parse_model(parts, out);
}
