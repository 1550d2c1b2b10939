/* SPDX-License-Identifier: MIT */
/*
 * version: the release that a build is of, as the programs print it.
 *
 * A program asks with
 *     #if SPLITDOM_VERSION_NUMBER >= 10100
 * whether the headers that it is compiled with are of 1.1.0 or later, and by blkfront_version()
 * which library it runs with. MAJOR changes when a program must be compiled again or changed.
 */
#ifndef SPLITDOM_VERSION_H
#define SPLITDOM_VERSION_H

#define SPLITDOM_VERSION       "1.0.0"
#define SPLITDOM_VERSION_MAJOR 1
#define SPLITDOM_VERSION_MINOR 0
#define SPLITDOM_VERSION_PATCH 0
#define SPLITDOM_VERSION_NUMBER                                                                    \
    (SPLITDOM_VERSION_MAJOR * 10000 + SPLITDOM_VERSION_MINOR * 100 + SPLITDOM_VERSION_PATCH)

#endif
