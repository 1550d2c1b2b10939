#!/bin/bash
# SPDX-License-Identifier: MIT
# Two tap devices outlive a restart of the service: the next Dom0 gives their interfaces other addresses, the tap devices
# get those, and frames go on.
. "$(dirname "$0")/functions.sh"
requires ip nsenter ping jq
service --help | grep -q -- '--vif SPEC' || skip "this service has no networks"

image disk1.img 1
start_service --vif bridge=xenbr0
namespace a
namespace b
tap a ea --address 10.9.0.1/24 --reconnect
tap b eb --address 10.9.0.2/24 --reconnect
in_ns a ping -c 1 -W 5 10.9.0.2 >ping.log 2>&1 || die "ping: $(cat ping.log)"

service stop >/dev/null
start_service --vif bridge=xenbr0
both_connected() { [ "$(service status --json | jq '[.domains[].vifs[] | select(.state == "Connected")] | length')" = 2 ]; }
eventually 30 both_connected || die "they do not come back: $(cat ea.log eb.log)"
reaches() { in_ns a ping -c 1 -W 2 10.9.0.2 >ping.log 2>&1; }
eventually 30 reaches || die "ping after the restart: $(cat ping.log); $(service status)"
