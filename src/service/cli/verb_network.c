/* SPDX-License-Identifier: MIT */
/*
 * verb_network: the verbs about the network: network-attach, -detach, -list in the columns of `xl
 * network-list`, net-link, rule.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/cli/control_client.h"
#include "service/cli/store_client.h"
#include "service/cli/verb.h"

enum {
    DETACH_TIMEOUT_S = 30, /* Dom0 waits for a front end for 10 s */
    PATH_SIZE = 128,
    MAC_SHOWN_MAX = 17,
};

/* All words as one text: a specification, which xl takes word by word and its files together, or
 * words for Dom0 to read. */
static int join_words(char *const *words, char between, char text[CONTROL_TEXT_MAX],
                      struct why *why)
{
    size_t at = 0;
    text[0] = '\0';
    for (; *words != NULL; words++) {
        size_t length = strlen(*words);
        if (at + length + 2 > CONTROL_TEXT_MAX)
            return why_fail(why, -E2BIG, "all words together have up to %d characters: '%.20s...'",
                            CONTROL_TEXT_MAX - 1, *words);
        if (at > 0)
            text[at++] = between;
        memcpy(text + at, *words, length + 1);
        at += length;
    }
    return 0;
}

/* Memory for words: too large for a small stack. The caller frees it. NULL: none, why says so. */
static char *words_of(const struct service_options *options, char between, int *rc, struct why *why)
{
    char *text = malloc(CONTROL_TEXT_MAX);
    *rc = text == NULL ? why_fail(why, -ENOMEM, "out of memory")
                       : join_words(options->words, between, text, why);
    return text;
}

static int attach(const struct rundir *rundir, const struct service_options *options,
                  struct why *why)
{
    int rc;
    char *text = words_of(options, ',', &rc, why);
    if (rc == 0)
        rc = control_client_tell(rundir->control_socket, CONTROL_NETWORK_ATTACH, options->domid,
                                 text, CONTROL_CLIENT_TIMEOUT_S, why);
    free(text);
    return rc;
}

static int detach(const struct rundir *rundir, const struct service_options *options,
                  struct why *why)
{
    enum control_op op = options->force ? CONTROL_NETWORK_DESTROY : CONTROL_NETWORK_DETACH;
    return control_client_tell(rundir->control_socket, op, options->domid, options->value,
                               DETACH_TIMEOUT_S, why);
}

/* What Dom0 does with words, and what it answers. */
static int command(const struct rundir *rundir, enum control_op op,
                   const struct service_options *options, struct why *why)
{
    char *answer = NULL;
    int rc;
    char *text = words_of(options, ' ', &rc, why);
    if (rc == 0)
        rc = control_client_command(rundir->control_socket, op, 0, text, CONTROL_CLIENT_TIMEOUT_S,
                                    &answer, why);
    if (rc == 0)
        fputs(answer, stdout);
    free(answer);
    free(text);
    return rc;
}

/* ---- network-list ---- */

/* What Dom0 has written itself: the domain's own node may say anything. */
static void print_vif(struct store_client *client, uint32_t domid, const char *devid)
{
    char front[PATH_SIZE], back[PATH_SIZE], path[PATH_SIZE + 8], mac[XENSTORE_PAYLOAD_MAX + 1];
    snprintf(front, sizeof(front), "/local/domain/%" PRIu32 "/device/vif/%.16s", domid, devid);
    snprintf(back, sizeof(back), "/local/domain/0/backend/vif/%" PRIu32 "/%.16s", domid, devid);
    snprintf(path, sizeof(path), "%s/mac", back);
    if (store_client_read(client, path, mac) < 0)
        strcpy(mac, "-");
    printf("%-3s %-2d %-17.*s %6" PRId64 " %5" PRId64 " %6" PRId64 " %5" PRId64 "/%-11" PRId64
           " %-30s\n",
           devid, 0, MAC_SHOWN_MAX, mac, store_client_number(client, back, "handle"),
           store_client_number(client, back, "state"),
           store_client_number(client, front, "event-channel"),
           store_client_number(client, front, "tx-ring-ref"),
           store_client_number(client, front, "rx-ring-ref"), back);
}

static int print_vifs(struct store_client *client, const struct service_options *options)
{
    char *names;
    int rc = store_client_devices(client, options->domid, "vif", &names);
    if (rc < 0)
        return rc;
    printf("%-3s %-2s %-17s %-6s %-5s %-6s %5s/%-11s %-30s\n", "Idx", "BE", "Mac Addr.", "handle",
           "state", "evt-ch", "tx-", "rx-ring-ref", "BE-path");
    for (const char *name = names; *name != '\0'; name += strlen(name) + 1)
        print_vif(client, options->domid, name);
    free(names);
    return 0;
}

int verb_network_list(const struct rundir *rundir, const struct service_options *options)
{
    return verb_print_store(rundir, options, "the network interfaces", print_vifs);
}

int verb_network(const struct rundir *rundir, const struct service_options *options)
{
    struct why why;
    int rc;

    if (options->verb == SERVICE_NETWORK_ATTACH)
        rc = attach(rundir, options, &why);
    else if (options->verb == SERVICE_NETWORK_DETACH)
        rc = detach(rundir, options, &why);
    else if (options->verb == SERVICE_NET_LINK)
        rc = command(rundir, CONTROL_NET_LINK, options, &why);
    else
        rc = command(rundir, CONTROL_RULE, options, &why);
    if (rc < 0)
        fprintf(stderr, "service: %s\n", why.text);
    return rc < 0 ? VERB_FAILED : verb_end_output();
}
