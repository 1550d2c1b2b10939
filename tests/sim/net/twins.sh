#!/bin/bash
# SPDX-License-Identifier: MIT
# Broken twins of both halves of a network interface and of what is between them: `vifs` must find each of them. Else it
# proves nothing.
#     twins.sh BUILD        BUILD: where `vifs` has been built (default build/plain)
# Exit status: 0 so it is, 1 it is not.
set -u
cd "$(dirname "$0")/../../.." || exit 1
. tests/sim/twin.sh
program=tests/sim/net/vifs arguments=(--seeds 1:1000)
wraps=(net_port_input net_port_output net_port_drop net_port_drop_delivered net_pipe_clear)
build_twin() { # FILE: some are cut into steps
    local objects=() part steps=()
    while read -r part; do
        if [ "$part" = "$build/tests/sim/net/product/$1.o" ]; then
            steps=(-include tests/sim/net/vif_steps.h)
        else
            objects+=("$part")
        fi
    done < <(find "$build/tests/sim/net" -name '*.o' ! -name frames.o)
    "${compile[@]}" "${steps[@]}" -c -o "$work/twin.o" "$work/twin.c" &&
        "${compile[@]}" "${wraps[@]/#/-Wl,--wrap=}" -o "$work/sim" "$work/twin.o" "${objects[@]}" \
            "$build/tests/sim/time/fiber.o" -Wl,--start-group "${libraries[@]}"
}

# Sleep and wake-up.
twin "Dom0 answers, and raises no event" service/back/vif/vif_tx \
    'vif_queue_notify(q, &q->config.tx_event);' ';'
twin "Dom0 does not ask for pages" service/back/vif/vif_rx \
    '!= 0 || back_ring_ask_for_more(&q->rx.half, wanted))' '!= 0 || (wanted, false))'
twin "Dom0 waits for a ring that was not promised" service/back/vif/vif_rx '    poll_later(q);
' ''
twin "who starts over is not heard" service/back/vif/vif_back '.starts_over = true,' '.starts_over = false,'
twin "the receiver sleeps without a second look" domu/netfront/netfront_receive \
    '!front_ring_final_check(&q->rx_ring.half))' '(front_ring_final_check(&q->rx_ring.half), 1))'
twin "the sender sleeps without a second look" domu/netfront/netfront_send \
    'if (!front_ring_await(&q->tx_ring.half, wanted))' 'if (front_ring_await(&q->tx_ring.half, wanted), 1)'
twin "a sender rings no doorbell" domu/netfront/netfront_send 'netfront_kick(q->nf, &q->tx);' ';'
twin "an event wakes nobody" service/back/vif/vif_queue \
    '(void)evtchn_wake(si, event->vcpu);' ';'
twin "all queues raise the first one's event" service/back/vif/vif_back \
    'config.rx_event = queue->rx_event;' 'config.rx_event = transport->queue[0].rx_event;'
twin "who sleeps is not told of Dom0's death" domu/netfront/netfront_side \
    'while (side->sleeping) {
        evtchn_raise_upcall(nf->shared_info, side->vcpu);' 'while (side->sleeping) {'
# Frames.
twin "Dom0 copies the first page only" service/back/vif/vif_rx \
    'copy_out(q, req.gref, frame->data + at, bytes)' 'copy_out(q, req.gref, frame->data, bytes)'
twin "a flow is spread over queues" service/back/vif/flow \
    'return finish(mix(hash, frame->data, 2 * NET_MAC_BYTES));' \
    'return finish(mix(hash, frame->data, 2 * NET_MAC_BYTES) + frame->length_bytes);'
twin "a flood goes back to where it came from" service/net/bridge \
    'if (to != from && may_pass(' 'if (may_pass('
twin "a call goes on in a queue that is another one's" domu/netfront/netfront_send \
    '(q->tx_rings != q->tx_begun || q->tx.without_ring)' '(q->tx.without_ring)'
twin "false senders get through" service/net/bridge '!net_guard_passes(guard, packet) ||' ''
twin "a checksum is taken for right" service/back/vif/vif_tx \
    'frame->checksum_blank = (chain->flags & NETTXF_csum_blank) != 0;' 'frame->checksum_blank = 0;'
# Counts and grants.
twin "what finds a full queue is not counted" service/back/vif/vif_rx \
    '    (*counter)++;
' ''
twin "what a rule drops is not counted" service/net/bridge \
    'net_port_drop(passage->in, NET_DROP_RULE);' ''
twin "what a link loses is not counted" service/net/pipe 'net_port_drop(port, NET_DROP_LINK_LOSS);' ''
twin "a page stays in use" service/back/vif/vif_tx '    grant_map_put(&q->grants, piece->gref);
' ''
twin "pages stay in use unasked" service/back/vif/vif_back \
    ' = config.features.persistent && vif->options.persistent;' ' = config.features.persistent;'
twin "pages stay in use beyond the end" ring/grant_map 'if (map->pins[ref].pins != 0)' \
    'if (map->pins[ref].pins != 0 && !map->pins[ref].persistent)'
twin "an extra info is not answered" service/back/vif/tx_chain \
    'for (uint32_t i = 0; i < chain->extra_count; i++)' 'for (uint32_t i = 1; i < chain->extra_count; i++)'
twin "a piece is answered with the first one's number" service/back/vif/tx_chain \
    'netif_tx_put_response(ring, chain->piece[i].id, status);' \
    'netif_tx_put_response(ring, chain->piece[0].id, status);'
twin "pages are not posted again" domu/netfront/netfront_receive '    post(q, q->next.nr_slots);
' ''
twin "a rate that changes is told to nobody" service/back/vif/vif_back \
    'vif->options.network->limit(vif->options.network_ctx, &vif->port, &vif->options);' '(void)0;'
twin "a frame pays half" service/net/turns 'net_credit_pay(&port->credit, taken);' \
    'net_credit_pay(&port->credit, taken / 2);'
exit $failures
