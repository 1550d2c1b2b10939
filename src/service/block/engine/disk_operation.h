/* SPDX-License-Identifier: MIT */
/*
 * disk_operation: what an engine can be asked to do.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_OPERATION_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_OPERATION_H

enum disk_operation {
    DISK_READ,
    DISK_WRITE,
    DISK_FLUSH,   /* all writes and discards of the image that have ended are on stable storage */
    DISK_DISCARD, /* the span is not needed any more, and reads as zeros where the disk is one */
};

#endif
