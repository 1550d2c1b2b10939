/* SPDX-License-Identifier: MIT */
#include "service/dom0/vifs/vif_spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/mac_text.h"
#include "service/dom0/vifs/vif_rate.h"

enum { MTU_DEFAULT = 1500, TOKEN_SIZE = 512 };

struct reader {
    struct vif_spec *spec;
    struct why *why;
};

static int invalid(struct reader *r, const char *parameter)
{
    return why_fail(r->why, -EINVAL, "Invalid parameter `%s'.", parameter);
}

/* Where xl does what Dom0 can't. */
static int cannot(struct reader *r, const char *what, const char *instead)
{
    return why_fail(r->why, -EINVAL, "%s is not served here; %s", what, instead);
}

static int set_type(struct reader *r, const char *value)
{
    if (strcmp(value, "vif") == 0)
        return 0;
    if (strcmp(value, "ioemu") == 0)
        return cannot(r, "type=ioemu, an emulated card,", "leave type= out");
    return invalid(r, "type");
}

static int set_mac(struct reader *r, const char *value)
{
    r->spec->has_mac = true;
    return mac_text_parse_single(value, r->spec->mac) < 0 ? invalid(r, "mac") : 0;
}

static int set_bridge(struct reader *r, const char *value)
{
    if (!net_bridge_name_is_valid(value))
        return invalid(r, "bridge");
    snprintf(r->spec->bridge, sizeof(r->spec->bridge), "%s", value);
    return 0;
}

static int set_vifname(struct reader *r, const char *value)
{
    /* The same rules: both name devices. */
    if (!net_bridge_name_is_valid(value) || strlen(value) >= sizeof(r->spec->name))
        return invalid(r, "vifname");
    strcpy(r->spec->name, value);
    return 0;
}

static int set_rate(struct reader *r, const char *value)
{
    return vif_rate_parse(value, &r->spec->rate_bytes, &r->spec->rate_interval_us, r->why);
}

static int set_ip(struct reader *r, const char *value)
{
    char list[VIF_IP_TEXT_SIZE], *save = NULL;

    if (strlen(value) >= sizeof(list))
        return invalid(r, "ip");
    strcpy(list, value);
    strcpy(r->spec->ip, value);
    r->spec->addresses.address_count = 0;
    for (const char *ip = strtok_r(list, " ", &save); ip != NULL; ip = strtok_r(NULL, " ", &save)) {
        if (net_guard_add(&r->spec->addresses, ip) < 0)
            return invalid(r, "ip");
    }
    return 0;
}

/* The script that joins a vif to a bridge is what Dom0 does itself. */
static int set_script(struct reader *r, const char *value)
{
    const char *name = strrchr(value, '/');

    name = name != NULL ? name + 1 : value;
    if (name[0] == '\0' || strcmp(name, "vif-bridge") == 0)
        return 0;
    return cannot(r, "a script other than vif-bridge", "leave script= out");
}

static int set_backend(struct reader *r, const char *value)
{
    if (value[0] == '\0' || strcmp(value, "0") == 0 || strcmp(value, "Domain-0") == 0)
        return 0;
    return cannot(r, "a back end in another domain", "leave backend= out");
}

/* Of emulated cards alone; xl does not look at it for others. */
static int set_model(struct reader *r, const char *value)
{
    if (value[0] == '\0' || strcmp(value, "netfront") == 0)
        return 0;
    return cannot(r, "an emulated card", "leave model= out, or say model=netfront");
}

static int set_number(struct reader *r, const char *name, const char *value, uint32_t min,
                      uint32_t max, uint32_t *out)
{
    uint64_t number;

    if (decimal_parse(value, min, max, &number) < 0)
        return invalid(r, name);
    *out = (uint32_t)number;
    return 0;
}

static int set_mtu(struct reader *r, const char *value)
{
    return set_number(r, "mtu", value, VIF_MTU_MIN, VIF_MTU_MAX, &r->spec->mtu);
}

static int set_devid(struct reader *r, const char *value)
{
    uint32_t devid = 0;
    int rc = set_number(r, "devid", value, 0, VIF_DEVID_MAX, &devid);

    if (rc == 0)
        r->spec->devid = (int32_t)devid;
    return rc;
}

static int set_trusted(struct reader *r, const char *value)
{
    uint32_t trusted = 1;
    int rc = set_number(r, "trusted", value, 0, 1, &trusted);

    r->spec->untrusted = trusted == 0;
    return rc;
}

static int set_antispoof(struct reader *r, const char *value)
{
    uint32_t on = 1;
    int rc = set_number(r, "antispoof", value, 0, 1, &on);

    r->spec->antispoof = on != 0;
    return rc;
}

static int set_persistent(struct reader *r, const char *value)
{
    uint32_t on = 0;
    int rc = set_number(r, "persistent", value, 0, 1, &on);

    r->spec->persistent = on != 0;
    return rc;
}

static int set_accel(struct reader *r, const char *value)
{
    (void)value;
    return why_fail(r->why, -EINVAL, "the accel parameter for vifs is currently not supported");
}

static int set_gateway(struct reader *r, const char *value)
{
    (void)value;
    return cannot(r, "a gateway device", "name a bridge: bridge=NAME");
}

static const struct {
    const char *name;
    int (*set)(struct reader *r, const char *value);
} parameters[] = {
    {"type", set_type},           {"mac", set_mac},
    {"bridge", set_bridge},       {"ip", set_ip},
    {"script", set_script},       {"backend", set_backend},
    {"vifname", set_vifname},     {"rate", set_rate},
    {"model", set_model},         {"mtu", set_mtu},
    {"devid", set_devid},         {"trusted", set_trusted},
    {"antispoof", set_antispoof}, {"persistent", set_persistent},
    {"accel", set_accel},         {"gatewaydev", set_gateway},
    {"netdev", set_gateway},      {"forwarddev", set_gateway},
};

static int take(struct reader *r, const char *token)
{
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        size_t length = strlen(parameters[i].name);

        if (strncmp(token, parameters[i].name, length) == 0 && token[length] == '=')
            return parameters[i].set(r, token + length + 1);
    }
    return why_fail(r->why, -EINVAL, "unrecognized argument `%s'", token);
}

int vif_spec_parse(const char *text, struct vif_spec *out, struct why *why)
{
    struct reader r = {.spec = out, .why = why};
    int rc = 0;

    *out = (struct vif_spec){.devid = -1, .mtu = MTU_DEFAULT, .antispoof = true};
    while (rc == 0 && *text != '\0') {
        char token[TOKEN_SIZE];
        size_t blanks = strspn(text, " \t"), length = strcspn(text, ",");

        if (length >= sizeof(token))
            return why_fail(why, -EINVAL, "the parameter is too long: `%.40s...'", text);
        memcpy(token, text, length);
        token[length] = '\0';
        text += length + (text[length] == ',');
        if (blanks < length) /* nothing between two commas is nothing */
            rc = take(&r, token + blanks);
    }
    return rc;
}
