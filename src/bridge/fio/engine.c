/* SPDX-License-Identifier: MIT */
/*
 * engine: an external I/O engine of fio (`make fio-engine`): each job of fio is a domain of its own
 * with a disk, which disk= or filename= names. Asynchronous, all operations: read, write, sync (a
 * flush), trim (a discard).
 *
 *     fio --ioengine=external:bin/fio-splitdom.so --disk=xvda --name=j --rw=randread --iodepth=32
 *
 * Options of its own: disk, service, rundir, tdf, reconnect (fio --enghelp=bin/fio-splitdom.so).
 *
 * fio installs no headers: this file is compiled against the source of the very version that is
 * installed. fio refuses another version of the interface; engine_init refuses another layout of
 * what it gives us.
 */
#include <config-host.h>
#include <fio.h>
#include <optgroup.h>

#include "base/decimal.h"
#include "base/vdev.h"
#include "splitdom/blkfront.h"
#include "splitdom/tdf.h"

enum { SECTOR_BYTES = 512, DEPTH_MAX = 512 };

struct engine_options {
    void *pad; /* fio takes an option at offset 0 for none */
    char *disk, *name, *rundir, *tdf;
    unsigned int reconnect;
};

struct engine {
    struct blkfront *bf;
    uint64_t first_sector;
    struct blkfront_completion done[DEPTH_MAX]; /* of the last getevents */
};

static struct fio_option options[] = {
    {.name = "disk",
     .lname = "splitdom disk",
     .help = "Which disk: xvda (the default), xvdb, ...",
     .type = FIO_OPT_STR_STORE,
     .off1 = offsetof(struct engine_options, disk),
     .category = FIO_OPT_C_ENGINE,
     .group = FIO_OPT_G_INVALID},
    {.name = "service",
     .lname = "splitdom service",
     .help = "Which service (SPLITDOM_NAME, or default)",
     .type = FIO_OPT_STR_STORE,
     .off1 = offsetof(struct engine_options, name),
     .category = FIO_OPT_C_ENGINE,
     .group = FIO_OPT_G_INVALID},
    {.name = "rundir",
     .lname = "splitdom run directory",
     .help = "Where the service runs (SPLITDOM_RUNDIR)",
     .type = FIO_OPT_STR_STORE,
     .off1 = offsetof(struct engine_options, rundir),
     .category = FIO_OPT_C_ENGINE,
     .group = FIO_OPT_G_INVALID},
    {.name = "tdf",
     .lname = "splitdom time dilation factor",
     .help = "Time dilation factor of the job's domain: 10, 2.5 or 1/10",
     .type = FIO_OPT_STR_STORE,
     .off1 = offsetof(struct engine_options, tdf),
     .category = FIO_OPT_C_ENGINE,
     .group = FIO_OPT_G_INVALID},
    {.name = "reconnect",
     .lname = "outlive a restart of the splitdom service",
     .help = "Wait for the next service where one ends, and go on: 0 or 1",
     .type = FIO_OPT_BOOL,
     .off1 = offsetof(struct engine_options, reconnect),
     .def = "0",
     .category = FIO_OPT_C_ENGINE,
     .group = FIO_OPT_G_INVALID},
    {.name = NULL},
};

/*
 * The disk's name, of disk= or filename=. A name that is not used would have another disk written
 * than its user means; and several files would all be that one disk, where each overwrites what fio
 * wants to find in the others. Returns NULL when it has complained.
 */
static const char *disk_name(const struct thread_data *td)
{
    const struct engine_options *o = td->eo;
    const char *disk = o->disk, *file = td->o.filename;

    if (td->o.nr_files > 1 || td->files_index > 1)
        log_err("fio: splitdom: a job has one disk, and no more files (nrfiles, filename)\n");
    else if (file != NULL && disk != NULL && strcmp(file, disk) != 0)
        log_err("fio: splitdom: disk=%s or filename=%s?\n", disk, file);
    else
        return disk != NULL ? disk : file != NULL ? file : "xvda";
    return NULL;
}

static int connect_disk(const struct thread_data *td, uint32_t depth, uint32_t sectors,
                        struct blkfront **out)
{
    const struct engine_options *o = td->eo;
    const char *disk = disk_name(td);
    struct blkfront_options wanted = {.size = sizeof(wanted),
                                      .rundir = o->rundir,
                                      .name = o->name,
                                      .reconnect = o->reconnect != 0,
                                      .depth = depth,
                                      .sectors_per_request = sectors};
    struct blkfront_error why;

    if (disk == NULL)
        return -EINVAL;
    if (vdev_parse(disk, &wanted.vdev) < 0) {
        log_err("fio: splitdom: %s=%s: xvda, xvdb, ... or Xen's number of a disk\n",
                o->disk != NULL ? "disk" : "filename", disk);
        return -EINVAL;
    }
    if (o->tdf != NULL &&
        decimal_parse_ratio(o->tdf, TDF_TERM_MAX, &wanted.tdf_num, &wanted.tdf_den) < 0) {
        log_err("fio: splitdom: tdf=%s: a number or a fraction such as 1/10\n", o->tdf);
        return -EINVAL;
    }
    int rc = blkfront_connect(&wanted, out, &why);
    if (rc < 0)
        log_err("fio: splitdom: %s\n", why.text);
    return rc;
}

/* In fio's own process, before jobs are forked: the size of the disk, by a domain that ends here.
 */
static int engine_setup(struct thread_data *td)
{
    struct blkfront_geometry geometry;
    struct blkfront *bf;

    if (td->files_index == 0) { /* fio wants a file */
        add_file(td, "splitdom", 0, 0);
        td->o.nr_files = td->o.nr_files != 0 ? td->o.nr_files : 1;
        td->o.open_files++;
    }
    if (connect_disk(td, 1, 8, &bf) < 0)
        return 1;
    int rc = blkfront_geometry(bf, &geometry);
    if (rc == 0)
        td->files[0]->real_file_size =
            (geometry.last_sector - geometry.first_sector + 1) * SECTOR_BYTES;
    blkfront_close(bf);
    return rc < 0;
}

/* The largest block that the job asks for, as far as a request of the ring can carry it. */
static uint32_t request_sectors(const struct thread_data *td)
{
    unsigned long long most = SECTOR_BYTES;

    for (int i = 0; i < DDIR_RWDIR_CNT; i++)
        most = td->o.max_bs[i] > most ? td->o.max_bs[i] : most;
    most /= SECTOR_BYTES;
    return most > BLKFRONT_SECTORS_PER_REQUEST_MAX ? BLKFRONT_SECTORS_PER_REQUEST_MAX
                                                   : (uint32_t)most;
}

extern struct ioengine_ops ioengine;

static int engine_init(struct thread_data *td)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    struct blkfront_geometry geometry;

    if (engine == NULL)
        return 1;
    td->io_ops_data = engine;
    if (td->io_ops != &ioengine) {
        log_err("fio: splitdom: this fio was built from other sources: make fio-engine again\n");
        return 1;
    }
    if (td->o.iodepth > DEPTH_MAX) {
        log_err("fio: splitdom: iodepth is at most %d\n", DEPTH_MAX);
        return 1;
    }
    if (connect_disk(td, td->o.iodepth, request_sectors(td), &engine->bf) < 0 ||
        blkfront_geometry(engine->bf, &geometry) < 0)
        return 1;
    engine->first_sector = geometry.first_sector;
    return 0;
}

static void engine_cleanup(struct thread_data *td)
{
    struct engine *engine = td->io_ops_data;

    if (engine != NULL)
        blkfront_close(engine->bf);
    free(engine);
    td->io_ops_data = NULL;
}

/* -1: fio knows an operation that we do not. */
static int operation_of(enum fio_ddir ddir)
{
    switch (ddir) {
    case DDIR_READ:
        return BLKFRONT_READ;
    case DDIR_WRITE:
        return BLKFRONT_WRITE;
    case DDIR_TRIM:
        return BLKFRONT_DISCARD;
    case DDIR_SYNC:
    case DDIR_DATASYNC:
    case DDIR_SYNC_FILE_RANGE: /* a flush is of the whole disk, and more than is asked for */
        return BLKFRONT_FLUSH;
    default:
        return -1;
    }
}

static enum fio_q_status refuse(struct thread_data *td, struct io_u *io_u, int error)
{
    io_u->error = (unsigned)error;
    td_verror(td, error, "xfer");
    return FIO_Q_COMPLETED;
}

static enum fio_q_status engine_queue(struct thread_data *td, struct io_u *io_u)
{
    struct engine *engine = td->io_ops_data;
    int operation = operation_of(io_u->ddir);

    fio_ro_check(td, io_u);
    if (operation < 0)
        return refuse(td, io_u, EINVAL);
    if (operation != BLKFRONT_FLUSH &&
        (io_u->offset % SECTOR_BYTES != 0 || io_u->xfer_buflen % SECTOR_BYTES != 0)) {
        log_err("fio: splitdom: offset %llu and length %llu are not multiples of %d (bs, offset)\n",
                io_u->offset, io_u->xfer_buflen, SECTOR_BYTES);
        return refuse(td, io_u, EINVAL);
    }
    const struct blkfront_io io = {
        .operation = (enum blkfront_operation)operation,
        .sector = engine->first_sector + io_u->offset / SECTOR_BYTES,
        .sector_count = io_u->xfer_buflen / SECTOR_BYTES,
        .buffer = io_u->xfer_buf,
        .cookie = io_u,
    };
    int rc = blkfront_submit_io(engine->bf, &io);
    if (rc == -EAGAIN)
        return FIO_Q_BUSY;
    return rc < 0 ? refuse(td, io_u, -rc) : FIO_Q_QUEUED;
}

static int engine_commit(struct thread_data *td)
{
    struct engine *engine = td->io_ops_data;

    return blkfront_kick(engine->bf);
}

/* Waits for as long as it takes: fio gives a limit only where an engine may take none. */
static int engine_getevents(struct thread_data *td, unsigned int min, unsigned int max,
                            const struct timespec *limit)
{
    struct engine *engine = td->io_ops_data;

    (void)limit;
    int count = blkfront_reap(engine->bf, engine->done, max < DEPTH_MAX ? max : DEPTH_MAX, min);
    for (int i = 0; i < count; i++) {
        struct io_u *io_u = engine->done[i].cookie;
        io_u->error = (unsigned)-engine->done[i].status;
    }
    return count;
}

static struct io_u *engine_event(struct thread_data *td, int event)
{
    const struct engine *engine = td->io_ops_data;

    return engine->done[event].cookie;
}

static int engine_no_file(struct thread_data *td, struct fio_file *file)
{
    (void)td;
    (void)file;
    return 0;
}

struct ioengine_ops ioengine = {
    .name = "splitdom",
    .version = FIO_IOOPS_VERSION,
    .flags = FIO_DISKLESSIO | FIO_NOEXTEND,
    .options = options,
    .option_struct_size = sizeof(struct engine_options),
    .setup = engine_setup,
    .init = engine_init,
    .cleanup = engine_cleanup,
    .queue = engine_queue,
    .commit = engine_commit,
    .getevents = engine_getevents,
    .event = engine_event,
    .open_file = engine_no_file,
    .close_file = engine_no_file,
    .invalidate = engine_no_file,
};
