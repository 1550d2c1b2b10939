/* SPDX-License-Identifier: MIT */
/*
 * ipc_times: the times, in seconds, in what the kernel tells of System V queues, semaphores and
 * memory.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "run/shim/call/calls.h"
#include "run/shim/core/stamp.h"

static void show(time_t *seconds)
{
    struct timespec ts = {.tv_sec = *seconds};

    if (*seconds == 0) /* never yet */
        return;
    stamp_show(&ts);
    *seconds = ts.tv_sec;
}

/* msgctl, semctl, shmctl. The kernel has just written there, so we may. */
long call_ipc_control(struct trap *trap)
{
    const int command = (int)trap->args[trap->nr == SYS_semctl ? 2 : 1];
    const long address = trap->args[trap->nr == SYS_semctl ? 3 : 2];
    long rc = trap_pass(trap);

    if (rc < 0)
        return rc;
    if (trap->nr == SYS_msgctl && (command == IPC_STAT || command == MSG_STAT)) {
        struct msqid_ds *queue = (struct msqid_ds *)address;
        show(&queue->msg_stime);
        show(&queue->msg_rtime);
        show(&queue->msg_ctime);
    } else if (trap->nr == SYS_semctl && (command == IPC_STAT || command == SEM_STAT)) {
        struct semid_ds *semaphores = (struct semid_ds *)address;
        show(&semaphores->sem_otime);
        show(&semaphores->sem_ctime);
    } else if (trap->nr == SYS_shmctl && (command == IPC_STAT || command == SHM_STAT)) {
        struct shmid_ds *memory = (struct shmid_ds *)address;
        show(&memory->shm_atime);
        show(&memory->shm_dtime);
        show(&memory->shm_ctime);
    }
    return rc;
}
