/* SPDX-License-Identifier: MIT */
#include "bridge/net/tap.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/decimal.h"

/* What is set by a socket of any kind. */
static int configure(unsigned long request, struct ifreq *ifreq, const char *step, struct why *why)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return why_fail_errno(why, -errno, "cannot open a socket");
    int rc = ioctl(fd, request, ifreq) < 0 ? -errno : 0;
    close(fd);
    return rc < 0 ? why_fail(why, rc, "cannot %s of %s: %s", step, ifreq->ifr_name, strerror(-rc))
                  : 0;
}

static struct ifreq request_for(const char *name)
{
    struct ifreq ifreq;
    memset(&ifreq, 0, sizeof(ifreq));
    snprintf(ifreq.ifr_name, sizeof(ifreq.ifr_name), "%s", name);
    return ifreq;
}

static int set_up(const char *name, struct why *why)
{
    struct ifreq ifreq = request_for(name);
    int rc = configure(SIOCGIFFLAGS, &ifreq, "read the flags", why);
    if (rc < 0)
        return rc;
    ifreq.ifr_flags |= IFF_UP;
    return configure(SIOCSIFFLAGS, &ifreq, "set the flags", why);
}

static int set_properties(const char *name, const struct netfront_info *info, struct why *why)
{
    struct ifreq ifreq = request_for(name);
    ifreq.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(ifreq.ifr_hwaddr.sa_data, info->mac, sizeof(info->mac));
    int rc = configure(SIOCSIFHWADDR, &ifreq, "set the address", why);
    if (rc < 0)
        return rc;
    ifreq = request_for(name);
    ifreq.ifr_mtu = (int)info->mtu_bytes;
    rc = configure(SIOCSIFMTU, &ifreq, "set the MTU", why);
    return rc < 0 ? rc : set_up(name, why);
}

/* A vif without checksums or segments in it still gets frames that lack them: we complete those. */
static int set_offload(int fd, const struct netfront_info *info)
{
    const int header_bytes = sizeof(struct virtio_net_hdr);
    unsigned int offload = TUN_F_CSUM;
    if (info->scatter_gather && info->gso_tcpv4)
        offload |= TUN_F_TSO4;
    if (info->scatter_gather && info->gso_tcpv6 && info->ipv6_checksum)
        offload |= TUN_F_TSO6;
    if (ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) < 0 || ioctl(fd, TUNSETOFFLOAD, offload) < 0)
        return -errno;
    return 0;
}

static int attach(int fd, const char *name, bool several, char got[TAP_NAME_SIZE])
{
    struct ifreq ifreq = request_for(name);
    ifreq.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    if (several)
        ifreq.ifr_flags |= IFF_MULTI_QUEUE;
    if (ioctl(fd, TUNSETIFF, &ifreq) < 0)
        return -errno;
    memcpy(got, ifreq.ifr_name, TAP_NAME_SIZE);
    return 0;
}

static const char *advice(int rc)
{
    switch (rc) {
    case -EACCES:
        return ": /dev/net/tun must be there to be read and written";
    case -EPERM:
        return ": it takes CAP_NET_ADMIN in this network namespace (try \"unshare -rn\")";
    case -ENOENT:
    case -ENODEV:
        return ": this system has no tap devices (/dev/net/tun)";
    default:
        return "";
    }
}

static bool is_name(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length < IFNAMSIZ && strcspn(name, "/: \t\n%") == length;
}

/* One more queue; the first one makes the device. */
static int open_queue(struct tap *tap, const char *name, bool several,
                      const struct netfront_info *info)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    tap->fd[tap->queues++] = fd;
    int rc = attach(fd, name, several, tap->name);
    return rc < 0 ? rc : set_offload(fd, info);
}

int tap_open(struct tap *tap, const char *name, uint32_t queues, const struct netfront_info *info,
             struct why *why)
{
    int rc = 0;
    assert(queues > 0 && queues <= NETFRONT_QUEUES_MAX);
    *tap = (struct tap){.queues = 0};
    if (!is_name(name))
        return why_fail(why, -EINVAL, "'%s' is no name of an interface", name);
    for (uint32_t i = 0; rc == 0 && i < queues; i++)
        rc = open_queue(tap, i == 0 ? name : tap->name, queues > 1, info);
    if (rc < 0)
        why_fail(why, rc, "cannot make the tap device %s: %s%s", name, strerror(-rc), advice(rc));
    else
        rc = set_properties(tap->name, info, why);
    if (rc < 0)
        tap_close(tap);
    return rc;
}

int tap_adopt(struct tap *tap, int fd, struct why *why)
{
    int type = 0;
    socklen_t size = sizeof(type);
    *tap = (struct tap){.is_socket = true};
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return why_fail_errno(why, -errno, "descriptor %d cannot carry frames", fd);
    if (type != SOCK_SEQPACKET && type != SOCK_DGRAM)
        return why_fail(why, -EPROTOTYPE,
                        "descriptor %d cannot carry frames: a stream does not keep them apart", fd);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return why_fail_errno(why, -errno, "descriptor %d cannot carry frames", fd);
    tap->fd[0] = fd;
    tap->queues = 1;
    return 0;
}

/* "10.0.0.1/24" */
static int parse_address(const char *text, struct in_addr *address, struct in_addr *mask)
{
    const char *slash = strchr(text, '/');
    char host[INET_ADDRSTRLEN];
    uint64_t prefix;
    if (slash == NULL || (size_t)(slash - text) >= sizeof(host) ||
        decimal_parse(slash + 1, 1, 32, &prefix) < 0)
        return -EINVAL;
    memcpy(host, text, (size_t)(slash - text));
    host[slash - text] = '\0';
    if (inet_pton(AF_INET, host, address) != 1)
        return -EINVAL;
    mask->s_addr = htonl(UINT32_MAX << (32 - prefix));
    return 0;
}

int tap_set_address(const struct tap *tap, const char *text, struct why *why)
{
    struct sockaddr_in address = {.sin_family = AF_INET}, mask = {.sin_family = AF_INET};
    struct ifreq ifreq = request_for(tap->name);
    if (parse_address(text, &address.sin_addr, &mask.sin_addr) < 0)
        return why_fail(why, -EINVAL, "'%s' is no address such as 10.0.0.1/24", text);
    memcpy(&ifreq.ifr_addr, &address, sizeof(address));
    int rc = configure(SIOCSIFADDR, &ifreq, "set the IP address", why);
    if (rc < 0)
        return rc;
    ifreq = request_for(tap->name);
    memcpy(&ifreq.ifr_netmask, &mask, sizeof(mask));
    return configure(SIOCSIFNETMASK, &ifreq, "set the network mask", why);
}

int tap_change_mac(int fd, const uint8_t *mac)
{
    struct ifreq ifreq = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};
    memcpy(ifreq.ifr_hwaddr.sa_data, mac, NETFRONT_MAC_BYTES);
    return ioctl(fd, SIOCSIFHWADDR, &ifreq) < 0 ? -errno : 0;
}

int tap_set_loopback_up(struct why *why)
{
    return set_up("lo", why);
}

void tap_close(struct tap *tap)
{
    while (tap->queues > 0) {
        close(tap->fd[--tap->queues]);
        tap->fd[tap->queues] = -1;
    }
}
