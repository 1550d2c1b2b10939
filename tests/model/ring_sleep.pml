/* SPDX-License-Identifier: MIT */
/*
 * ring_sleep: the sleep protocol of the ring, for Spin: no wake-up is ever lost.
 *
 * The back end (Dom0) and two threads of one front end, with every store that crosses between them
 * in a one-entry store buffer that drains at any time: x86's reordering of a store and a later load.
 * A full barrier waits for its own buffer to drain. Futexes and the doorbell are system calls and
 * latch: the doorbell is a counter that is cleared by the sleeper before it looks, the upcall a flag.
 *
 *   src/ring/front_ring.h   push, final check           src/domu/blkfront/blkfront_wait.c  leader, sleepers
 *   src/ring/back_ring.h    push, final check           src/service/loop/pollables.c         arm, sleep
 *
 * Each thread makes ROUNDS requests, one at a time. If a wake-up is lost, somebody sleeps for good:
 * an invalid end state, which Spin reports. Broken twins, each must fail:
 *   -DNO_FRONT_BARRIER_PUSH   front end: no barrier between req_prod and looking at req_event
 *   -DNO_FRONT_BARRIER_CHECK  front end: none between rsp_event and looking at rsp_prod again
 *   -DNO_BACK_BARRIER_PUSH    back end: none between rsp_prod and looking at rsp_event
 *   -DNO_BACK_BARRIER_CHECK   back end: none between req_event and looking at req_prod again
 *   -DNO_FRONT_FINAL_CHECK    the leader arms and sleeps without a second look
 *   -DNO_BACK_FINAL_CHECK     so does Dom0
 *   -DNO_HAND_OVER            a leader that leaves does not make an heir
 *   -DNO_LATCH                an upcall that comes while nobody sleeps is forgotten
 */
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define THREADS 2
#define NONE 255

/* Shared words, as all see them. Indices count from 0; they do not wrap here. */
byte req_prod, rsp_prod;
byte req_event = 1, rsp_event = 1;
/* Latches: system calls, no store buffer. */
bool doorbell;
bool upcall;
/* Which request belongs to whom: what the shadow knows. */
byte owner[THREADS * ROUNDS];

/* Store buffers: NONE is empty. One word each: a second store waits for the first to drain. */
byte front_buf_req_prod = NONE, front_buf_rsp_event = NONE;
byte back_buf_rsp_prod = NONE, back_buf_req_event = NONE;

/* The front end's own: under the lock. */
bool lock;
bool leader;
byte pushed, taken;             /* private req_prod, rsp_cons */
mtype = { awake, asleep, done };
mtype word[THREADS] = awake;    /* futex words of the waiters: coherent, exchanged atomically */
bool listed[THREADS];
byte finished;

/* Both buffers of a side drain in order of the stores: rsp_event is never pending together with
 * req_prod in one side, because a second store waits. */
proctype drain()
{
end:
    do
    :: atomic { front_buf_req_prod != NONE -> req_prod = front_buf_req_prod; front_buf_req_prod = NONE }
    :: atomic { front_buf_rsp_event != NONE -> rsp_event = front_buf_rsp_event; front_buf_rsp_event = NONE }
    :: atomic { back_buf_rsp_prod != NONE -> rsp_prod = back_buf_rsp_prod; back_buf_rsp_prod = NONE }
    :: atomic { back_buf_req_event != NONE -> req_event = back_buf_req_event; back_buf_req_event = NONE }
    od
}

#define FRONT_EMPTY (front_buf_req_prod == NONE && front_buf_rsp_event == NONE)
#define BACK_EMPTY (back_buf_rsp_prod == NONE && back_buf_req_event == NONE)

/* sring_must_notify(old, new, event), without wrap. */
#define MUST_NOTIFY(old, new, event) ((event) > (old) && (event) <= (new))

/* Dom0: takes requests, answers them, arms the doorbell, sleeps. */
proctype back()
{
    byte cons, answered, old;
    do
    :: atomic { req_prod > cons -> cons++ }   /* one request */
       atomic { BACK_EMPTY -> old = answered; answered++; back_buf_rsp_prod = answered }
#ifndef NO_BACK_BARRIER_PUSH
       BACK_EMPTY;
#endif
       if
       :: MUST_NOTIFY(old, answered, rsp_event) -> upcall = true
       :: else
       fi
    :: req_prod == cons ->
       atomic { BACK_EMPTY -> back_buf_req_event = cons + 1 }
#ifndef NO_BACK_BARRIER_CHECK
       BACK_EMPTY;
#endif
#ifndef NO_BACK_FINAL_CHECK
       if
       :: req_prod != cons                     /* look again */
       :: req_prod == cons ->
#endif
end_sleep:
          atomic { doorbell -> doorbell = false }
#ifndef NO_BACK_FINAL_CHECK
       fi
#endif
    od
}

inline take_lock() { atomic { !lock -> lock = true } }

/* blkfront_unlock: whoever lets go makes sure that somebody leads while anybody sleeps. */
inline release(heir)
{
    atomic {
#ifndef NO_HAND_OVER
        heir = 0;
        do
        :: heir < THREADS && !listed[heir] -> heir++
        :: else -> break
        od;
        if
        :: !leader && heir < THREADS && word[heir] == asleep -> word[heir] = awake
        :: else
        fi;
#endif
        heir = 0;
        lock = false
    }
}

/* blkfront_reap_ring: all responses that are there; owners that sleep are woken. */
inline reap()
{
    do
    :: atomic { taken < rsp_prod -> word[owner[taken]] = done; listed[owner[taken]] = false; taken++ }
    :: taken >= rsp_prod -> break
    od
}

proctype front(byte me)
{
    byte round, old, heir;
    do
    :: round == ROUNDS -> break
    :: else ->
        take_lock();
        word[me] = awake;
        atomic { owner[pushed] = me; old = pushed; pushed++ }
        atomic { FRONT_EMPTY -> front_buf_req_prod = pushed }
#ifndef NO_FRONT_BARRIER_PUSH
        FRONT_EMPTY;
#endif
        if
        :: MUST_NOTIFY(old, pushed, req_event) -> doorbell = true
        :: else
        fi;
        do
        :: true ->                             /* with the lock held: blkfront_wait_step */
            reap();
            if
            :: word[me] == done -> release(heir); break
            :: word[me] != done && leader ->
                atomic { listed[me] = true; word[me] = asleep }
                release(heir);
                word[me] != asleep;            /* futex_wait */
                if
                :: word[me] == done -> break
                :: word[me] != done -> take_lock()
                fi
            :: word[me] != done && !leader ->
                listed[me] = false;
                /* The word that the last leader waited on: an upcall that is still up is dropped by
                 * nobody before it was collected. */
                atomic { FRONT_EMPTY -> front_buf_rsp_event = taken + 1 }
#ifndef NO_FRONT_BARRIER_CHECK
                FRONT_EMPTY;
#endif
#ifndef NO_FRONT_FINAL_CHECK
                if
                :: rsp_prod != taken           /* look again, lock held */
                :: rsp_prod == taken ->
#endif
                    leader = true;
                    release(heir);
#ifdef NO_LATCH
                    upcall = false;            /* whatever was raised before the sleep is lost */
#endif
                    atomic { upcall -> upcall = false }
                    take_lock();
                    leader = false
#ifndef NO_FRONT_FINAL_CHECK
                fi
#endif
            fi
        od;
        round++
    od;
    finished++
}

init
{
    atomic {
        run drain();
        run back();
        run front(0);
        run front(1)
    }
    /* Not reached for ever after a lost wake-up: a timeout with somebody asleep. */
    finished == THREADS
}
