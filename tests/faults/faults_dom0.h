/* SPDX-License-Identifier: MIT */
/* faults_dom0: a place for a service, Dom0 in it as a child, and the data of its disk. */
#ifndef SPLITDOM_TESTS_FAULTS_DOM0_H
#define SPLITDOM_TESTS_FAULTS_DOM0_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "base/rundir.h"
#include "service/dom0/dom0_options.h"

struct faults_place {
    char base[64], image[96];
    struct rundir rundir;
    struct log *log;
    struct dom0_options options; /* the model engine, without service time */
};

/* A run directory and an empty image. 0 or -1. */
int faults_place_make(struct faults_place *place);
/* 0, or -1: somebody left something in the run directory. */
int faults_place_remove(struct faults_place *place);

/* A child that is Dom0 until SIGTERM. Returns when it serves; -1: it does not. */
pid_t faults_dom0_fork(const struct faults_place *place);

/* What the model engine says is in that sector. */
bool faults_data_is_right(uint64_t sector, const void *bytes);

#endif
