/* SPDX-License-Identifier: MIT */
/* plugin_path: where nbdkit's plugin is: beside this program, or where `make install` puts it. */
#ifndef SPLITDOM_RUN_PLUGIN_PATH_H
#define SPLITDOM_RUN_PLUGIN_PATH_H

#include "base/why.h"

enum { PLUGIN_PATH_SIZE = 4096 };

/* Finds the plugin. Errors, with the line in why: -ENOENT it was not built or is not installed. */
int plugin_path_find(char out[PLUGIN_PATH_SIZE], struct why *why);

#endif
