# SPDX-License-Identifier: MIT
# Breakpoints on Dom0's side of one read: docs/follow-a-read.md. The numbers are those of "The life of a read"
# in docs/architecture.md. One client. Needs programs built without optimisation.
set pagination off
set confirm off
set print thread-events off
set disable-randomization off
handle SIGTERM nostop noprint pass

# Ends each stage. through.gdb sets $through: go on at once.
define stage_end
  if $_isvoid($through) == 0
    continue
  end
end

# The start, the store and connecting use some of these functions too. So all other breakpoints wait
# until a client is connected.
break pollables_add
commands
  silent
  printf "dom0    0 connected\n"
  set $ring = &((struct vbd_ring *)p)->ring.half
  enable
  stage_end
end

# The domain rings for the store too. Only a doorbell that finds a request stops.
break pollables_wake if $ring->sring->req_prod != $ring->req_cons
disable $bpnum
commands
  silent
  printf "dom0    7 doorbell: heard\n"
  stage_end
end

break blkif_take_request
disable $bpnum
commands
  silent
  printf "dom0    8 taken off the ring: slot %u, req_prod %u\n", ring->half.req_cons, ring->half.req_prod
  stage_end
end

break validate_read
disable $bpnum
commands
  silent
  printf "dom0    9 private copy: id %lx sector %lu segments %u\n", req->id, req->sector_number, req->nr_segments
  stage_end
end

break grant_map_get
disable $bpnum
commands
  silent
  printf "dom0   10 page: gref %u\n", ref
  stage_end
end

break block_submit
disable $bpnum
commands
  silent
  printf "dom0   11 to the block layer: sector %lu count %u\n", request->sector, request->sector_count
  stage_end
end

# Not reached by a hit, nor are the next two.
break sched_enqueue
disable $bpnum
commands
  silent
  printf "dom0   11 miss: waits for its turn\n"
  stage_end
end

break read_send
disable $bpnum
commands
  silent
  printf "dom0   12 to the disk: sector %lu count %u\n", request->sector, request->sector_count
  stage_end
end

break read_done
disable $bpnum
commands
  silent
  printf "dom0   13 from the disk: status %d\n", io->status
  stage_end
end

# The data is in the domain's page by now. The id belongs to the ring's part of the request.
break vbd_ring_read_done
disable $bpnum
commands
  silent
  set $pending = (struct pending *)((char *)request - (unsigned long)&((struct pending *)0)->request)
  set $data = request->segments[0].address
  printf "dom0   14 answer: id %lx sector %lu status %d data %02x%02x%02x%02x\n", request->id, request->sector, status, $data[0], $data[1], $data[2], $data[3]
  stage_end
end

break back_ring_push if ring->rsp_prod != ring->rsp_prod_pvt
disable $bpnum
commands
  silent
  printf "dom0   14 published: rsp_prod %u, the client wants an event at %u\n", ring->rsp_prod_pvt, ring->sring->rsp_event
  stage_end
end
