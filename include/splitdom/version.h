/* SPDX-License-Identifier: MIT */
/* version: the release that a build is of, as the programs print it. */
#ifndef SPLITDOM_VERSION_H
#define SPLITDOM_VERSION_H

#define SPLITDOM_VERSION "1.0.0"

#endif
