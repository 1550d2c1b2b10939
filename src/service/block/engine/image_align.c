/* SPDX-License-Identifier: MIT */
#include "service/block/engine/image_align.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Returns 0 and both alignments, 1 if nobody says, or -errno. */
static int ask_alignment(int fd, uint32_t *block_bytes, uint32_t *memory_bytes)
{
#ifdef STATX_DIOALIGN
    struct statx stx;
    /* Old kernels and containers don't know the call, or this part of it. */
    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) < 0)
        return errno == ENOSYS || errno == EINVAL || errno == EPERM ? 1 : -errno;
    if ((stx.stx_mask & STATX_DIOALIGN) == 0)
        return 1;
    if (stx.stx_dio_offset_align == 0)
        return -ENOTSUP;
    *block_bytes = stx.stx_dio_offset_align;
    *memory_bytes = stx.stx_dio_mem_align;
    return 0;
#else
    (void)fd;
    (void)block_bytes;
    (void)memory_bytes;
    return 1;
#endif
}

/* The smallest of 512 and 4096 with which a direct read works. */
static int probe_alignment(int fd, uint32_t *block_bytes, uint32_t *memory_bytes)
{
    static const uint32_t candidates[] = {512, 4096};
    char *memory = aligned_alloc(4096, 8192);
    int rc = -ENOTSUP;
    if (memory == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        uint32_t align = candidates[i];
        /* memory + 512 is aligned to 512 and to nothing more, memory + 4096 to 4096 */
        if (pread(fd, memory + align, align, 0) >= 0) {
            *block_bytes = *memory_bytes = align;
            rc = 0;
            break;
        }
        if (errno != EINVAL) {
            rc = -errno;
            break;
        }
    }
    free(memory);
    return rc;
}

int image_align_find(int fd, uint32_t *block_bytes, uint32_t *memory_bytes)
{
    int logical_bytes = 0;
    int rc = ask_alignment(fd, block_bytes, memory_bytes);
    if (rc != 1)
        return rc;
    if (ioctl(fd, BLKSSZGET, &logical_bytes) < 0)
        return probe_alignment(fd, block_bytes, memory_bytes);
    *block_bytes = *memory_bytes = (uint32_t)logical_bytes;
    return 0;
}
