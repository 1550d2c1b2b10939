/* SPDX-License-Identifier: MIT */
#include "service/dom0/back_classes.h"

#include <stddef.h>

#include "service/back/vbd/vbd_back.h"
#include "service/back/vif/vif_back.h"

const struct back_class *const back_classes[] = {&vbd_class, &vif_class, NULL};
