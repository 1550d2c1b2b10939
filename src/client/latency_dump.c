/* SPDX-License-Identifier: MIT */
#include "client/latency_dump.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "client/output_file.h"
#include "client/text_sink.h"

int latency_dump_open(struct latency_dump *dump, const char *path)
{
    *dump = (struct latency_dump){.path = path};
    dump->fd = output_file_open(path, true);
    if (dump->fd < 0)
        return dump->fd;
    pthread_mutex_init(&dump->lock, NULL);
    return 0;
}

int latency_dump_add(struct latency_dump *dump, const uint64_t *latencies_ns, uint32_t count)
{
    char text[LATENCY_DUMP_BATCH * TEXT_SINK_LINE_MAX];
    size_t text_bytes = 0;
    int rc;

    assert(count <= LATENCY_DUMP_BATCH);
    for (uint32_t i = 0; i < count; i++)
        text_bytes += text_sink_format(text + text_bytes, latencies_ns[i]);
    pthread_mutex_lock(&dump->lock);
    if (dump->error == 0)
        dump->error = text_sink_write(dump->fd, text, text_bytes);
    rc = dump->error;
    pthread_mutex_unlock(&dump->lock);
    return rc;
}

int latency_dump_close(struct latency_dump *dump)
{
    if (close(dump->fd) != 0 && dump->error == 0)
        dump->error = -errno;
    pthread_mutex_destroy(&dump->lock);
    return dump->error;
}
