# SPDX-License-Identifier: MIT
# Breakpoints on the client's side of one read: docs/follow-a-read.md. The numbers are those of "The life of
# a read" in docs/architecture.md. One thread reads. Needs programs built without optimisation.
set pagination off
set confirm off
set print thread-events off
set disable-randomization off

# Ends each stage. through.gdb sets $through: go on at once.
define stage_end
  if $_isvoid($through) == 0
    continue
  end
end

# Connecting uses some of these functions too. So all other breakpoints wait until a read begins.
break blkfront_read
set $first = $bpnum
commands
  silent
  printf "client  1 asked for: sector %lu count %u\n", sector, sector_count
  set $reader = $_thread
  enable
  stage_end
end

break shadow_take
disable $bpnum
commands
  silent
  printf "client  2 shadow: %u of %u entries free\n", shadow->free_count, shadow->nr_entries
  stage_end
end

# The upper half of an id is the generation of its shadow entry, the lower half the entry's number.
break blkif_put_request
disable $bpnum
commands
  silent
  printf "client  3 request: id %lx sector %lu gref %u slot %u\n", req->id, req->sector_number, req->seg[0].gref, ring->half.req_prod_pvt
  stage_end
end

break front_ring_push if ring->req_prod != ring->req_prod_pvt
disable $bpnum
commands
  silent
  printf "client  4 published: req_prod %u, Dom0 wants an event at %u\n", ring->req_prod_pvt, ring->sring->req_event
  stage_end
end

# The thread that serves the store rings the same doorbell.
break evtchn_kick if $_thread == $reader
disable $bpnum
commands
  silent
  printf "client  5 doorbell: rung\n"
  stage_end
end

break blkfront_wait_step
disable $bpnum
commands
  silent
  printf "client  6 waits: rsp_cons %u\n", queue->ring.half.rsp_cons
  stage_end
end

break take_answer
disable $bpnum
commands
  silent
  printf "client 15 response: id %lx status %d rsp_cons %u\n", rsp->id, rsp->status, queue->ring.half.rsp_cons
  stage_end
end

# blkfront_read has returned 0, and the client records the sector and its data.
break recorder_add
disable $bpnum
commands
  silent
  printf "client 16 returned: sector %lu data %02x%02x%02x%02x\n", first_sector, ((unsigned char *)data)[0], ((unsigned char *)data)[1], ((unsigned char *)data)[2], ((unsigned char *)data)[3]
  disable
  enable $first
  stage_end
end
