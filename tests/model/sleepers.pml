/* SPDX-License-Identifier: MIT */
/*
 * sleepers: threads that lie on words of their own until Dom0 wakes them (include/splitdom/sleepers.h),
 * for Spin: nobody sleeps on beside its answer, whatever the others do, and through the death of a Dom0.
 *
 * Two threads of one front end and Dom0, with each store that crosses between them in a one-entry store
 * buffer that drains at any time: x86's reordering of a store and a later load. A full barrier waits for
 * its own buffer to drain, and so do a system call and the end of a lock. A futex is a word in memory
 * and, in the kernel, who is queued on it: the kernel compares the word before it queues.
 *
 *   src/ring/sleeper.h                    lie down, rise, wake, rouse
 *   src/domu/blkfront/blkfront_sleep.c    who lies          src/service/back/vbd/vbd_ring.c  push, wake_sleepers
 *   src/domu/blkfront/blkfront_wait.c     who leads         src/domu/blkfront/blkfront_link.c  the next life
 *
 * One thread makes one request, the other ROUNDS. Whether a thread lies is drawn each time; else it leads,
 * or sleeps until a leader has its answer. Dom0 answers in any order, several at once. What is asked is a
 * set: that no request is missed is the subject of ring_sleep.pml. Nobody looks at the ring by the clock
 * here (blkfront_sleep.c: LOOK_NS), which would hide what is lost. Variants, which hide some of that too:
 *   -DIMPATIENT=1   a thread that lies may have waited too long, once: its request is abandoned
 *   -DDEATHS=1      Dom0 is killed between any two steps; the link thread rouses who lies, and all that
 *                   is not answered is asked of the next Dom0
 *
 * If a wake-up is lost, somebody sleeps for good: an invalid end state. Broken twins, each must fail:
 *   -DNO_FRONT_BARRIER   who lies down: no barrier between ASLEEP and the last look at rsp_prod
 *   -DNO_BACK_BARRIER    Dom0: none between rsp_prod and the look at the word
 *   -DNO_LAST_LOOK       who lies down does not look at the ring once more
 *   -DWAKE_FIRST         Dom0 looks at the words before it shows the answers
 *   -DNO_AWAKE           Dom0 wakes, and leaves the word as it is
 *   -DFREED_AT_ONCE      an entry is free before its thread has been woken: others lie on its word
 *   -DNO_HEIR            who led and lies down makes no heir
 *   -DNO_HAND_OVER       nor does who has its answer, and wakes nobody else that is answered
 *   -DNO_ROUSE           nobody rouses who lies after Dom0's death
 *   -DROUSE_ASLEEP       who rouses believes the words: Dom0 has died after AWAKE, before its futex_wake
 */
#define THREADS 2
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef IMPATIENT
#define IMPATIENT 0
#endif
#define NONE 255
#define AWAKE 0
#define ASLEEP 1

/* Shared memory, as all see it. Request i has word i; indices count from 0 and do not wrap here. */
byte rsp_prod, rsp_event = 1;
byte slot[1 + ROUNDS];
bit word[THREADS];
bool asked[THREADS];
bool upcall;                      /* a latch: bits and a futex (docs/concurrency.md) */

/* Store buffers: NONE is empty. Of a thread: word i becomes v: 2 * i + v; rsp_event becomes e: 64 + e. */
byte back_buffer = NONE, buffer[THREADS] = NONE;
#define EMPTY(t) (buffer[t] == NONE)
#define WORD_IS(i, v) (2 * (i) + (v))
#define EVENT_IS(e) (64 + (e))

/* The kernel's: on which word a thread is queued. */
byte queued[THREADS] = NONE;

/* The front end's own, under the lock. */
bool lock, leader, linking, link_changed;
byte taken, lying;
bool used[THREADS], pending[THREADS], abandoned[THREADS];   /* entries of the shadow */
byte owner[THREADS];
mtype = { awake, asleep, done };
mtype state[THREADS] = awake;     /* of a waiter: words on stacks, coherent */
bool listed[THREADS], answered[THREADS], lies[THREADS];
byte impatient = IMPATIENT;
byte finished;
bool killed, dead;

inline drain_one(t)
{
    if
    :: buffer[t] >= 64 -> rsp_event = buffer[t] - 64
    :: else -> word[buffer[t] / 2] = buffer[t] % 2
    fi;
    buffer[t] = NONE
}

proctype drain()
{
end:
    do
    :: atomic { back_buffer != NONE -> rsp_prod = back_buffer; back_buffer = NONE }
    :: atomic { !EMPTY(0) -> drain_one(0) }
    :: atomic { !EMPTY(1) -> drain_one(1) }
    od
}

/* FUTEX_WAKE of one: any of those that are queued. */
inline futex_wake(i)
{
    atomic {
        if
        :: queued[0] == i -> queued[0] = NONE
        :: queued[1] == i -> queued[1] = NONE
        :: else
        fi
    }
}

/* ---- Dom0 ---- */

#define MUST_NOTIFY(old, new, event) ((event) > (old) && (event) <= (new))

inline wake_one(i)
{
    if
    :: owed[i] ->
        if
        :: atomic { word[i] != ASLEEP -> owed[i] = false }
        :: atomic { word[i] == ASLEEP -> owed[i] = false }  /* a look; then the exchange, a barrier */
#ifdef NO_AWAKE
           futex_wake(i)
#else
           if
           :: atomic { back_buffer == NONE && word[i] == ASLEEP -> word[i] = AWAKE }
              futex_wake(i)
           :: back_buffer == NONE && word[i] != ASLEEP
           fi
#endif
        fi
    :: else
    fi
}

inline wake_sleepers()
{
    wake_one(0);
    wake_one(1)
}

#define TAKE(n) atomic { asked[n] -> asked[n] = false; slot[filled] = n; filled++; owed[n] = true }

proctype back(byte life)
{
    byte filled, shown;
    bool owed[THREADS], must_notify;
    {
end:
        do
        :: TAKE(0)
        :: TAKE(1)
        :: atomic {
            filled != shown ->
#ifdef WAKE_FIRST
            wake_sleepers();
#endif
            back_buffer == NONE;
            back_buffer = filled
           }
#ifndef NO_BACK_BARRIER
            back_buffer == NONE;
#endif
            atomic { must_notify = MUST_NOTIFY(shown, filled, rsp_event); shown = filled }
            wake_sleepers();
            atomic { upcall = upcall || must_notify; must_notify = false }
        od
    } unless {
        atomic {
            killed && life == 0 ->
            dead = true;
            filled = 0;
            shown = 0;
            owed[0] = false;
            owed[1] = false;
            must_notify = false
        }
    }
}

/* ---- the front end ---- */

inline take_lock() { atomic { !lock -> lock = true } }

/* blkfront_unlock wakes one of those that are answered; or makes one lead who sleeps, if nobody does. */
inline hand_over()
{
    if
    :: answered[0] -> answered[0] = false; state[0] = done
    :: !answered[0] && answered[1] -> answered[1] = false; state[1] = done
    :: else ->
        if
        :: !leader && listed[0] && state[0] == asleep -> state[0] = awake
        :: !leader && !listed[0] && listed[1] && state[1] == asleep -> state[1] = awake
        :: else
        fi
    fi
}

/* blkfront_reap_ring: all that is there, whoever it is for. */
inline reap()
{
    do
    :: atomic {
        !linking && taken < rsp_prod ->
        id = slot[taken];
        slot[taken] = 0;                       /* as all that is cleared: fewer states */
        taken++;
        assert(pending[id]);
        pending[id] = false;
        if
        :: abandoned[id] -> abandoned[id] = false; used[id] = false
        :: else ->
#ifdef FREED_AT_ONCE
            used[id] = false;
#else
            used[id] = lies[owner[id]];        /* the thread frees it */
#endif
            listed[owner[id]] = false;
            if
            :: state[owner[id]] == asleep -> answered[owner[id]] = true
            :: else -> state[owner[id]] = done
            fi
        fi;
        id = 0
       }
    :: linking || taken >= rsp_prod -> break
    od
}

inline lie()
{
    atomic {
        assert(pending[mine] && !lies[me]);
        listed[me] = false;
        EMPTY(me);
        buffer[me] = WORD_IS(mine, ASLEEP)
    }
#ifndef NO_FRONT_BARRIER
    EMPTY(me);
#endif
    if
#ifdef NO_LAST_LOOK
    :: false
#else
    :: atomic { rsp_prod != taken -> EMPTY(me); buffer[me] = WORD_IS(mine, AWAKE) }
#endif
    :: atomic {
#ifndef NO_LAST_LOOK
        rsp_prod == taken ->
#endif
        lies[me] = true;
        lying++
       }
        atomic {
            EMPTY(me);
#ifndef NO_HEIR
            hand_over();
#endif
            assert(leader || state[1 - me] != asleep);      /* somebody goes on looking */
            lock = false
        }
        atomic {
            if
            :: word[mine] == ASLEEP -> queued[me] = mine
            :: else
            fi
        }
        if
        :: queued[me] == NONE
        :: atomic { impatient > 0 && queued[me] != NONE -> impatient--; late = true; queued[me] = NONE }
        fi;
        atomic {
            !lock -> lock = true;
            EMPTY(me);
            buffer[me] = WORD_IS(mine, AWAKE);
            lies[me] = false;
            lying--;
            link_changed = link_changed || linking;
            if
            :: !pending[mine] -> used[mine] = false
            :: else
            fi
        }
    fi
}

inline lead()
{
    atomic { listed[me] = false; EMPTY(me); buffer[me] = EVENT_IS(taken + 1) }
    EMPTY(me);
    if
    :: rsp_prod != taken
    :: atomic { rsp_prod == taken -> leader = true; hand_over(); lock = false }
        atomic { upcall -> upcall = false }
        atomic { !lock -> lock = true; leader = false; link_changed = link_changed || linking }
    fi
}

inline sleep_on_word()
{
    atomic { listed[me] = true; state[me] = asleep; EMPTY(me); hand_over(); lock = false }
    atomic { state[me] != asleep && !lock -> lock = true }
}

proctype front(byte me; byte rounds)
{
    byte id, mine;
    bool late;
    do
    :: rounds == 0 -> break
    :: else ->
        take_lock();
        reap();
        atomic {
            if
            :: !used[0] -> mine = 0
            :: used[0] && !used[1] -> mine = 1
            :: else -> rounds = 0; goto out            /* one is abandoned: it would wait for that */
            fi;
            used[mine] = true;
            pending[mine] = true;
            owner[mine] = me;
            state[me] = awake;
            asked[mine] = !linking
        }
        do
        :: state[me] == done -> break
        :: atomic { state[me] != done && late -> listed[me] = false; abandoned[mine] = true }
            break
        :: state[me] != done && !late ->
            if
            :: atomic { linking -> EMPTY(me); lock = false }        /* pthread_cond_wait */
                atomic { !linking && !lock -> lock = true }
            :: !linking -> lie()
            :: !linking && leader -> sleep_on_word()
            :: !linking && !leader -> lead()
            fi;
            if
            :: state[me] != done -> reap()
            :: else
            fi
        od;
        rounds--;
out:
        atomic {
            EMPTY(me);
#ifndef NO_HAND_OVER
            hand_over();
#endif
            lock = false;
            late = false;
            mine = 0
        }
    od;
    finished++
}

/* ---- Dom0's death, and the next one ---- */

proctype killer()
{
    killed = true
}

inline rouse(i)
{
#ifdef ROUSE_ASLEEP
    if
    :: atomic { word[i] == ASLEEP -> word[i] = AWAKE }
       futex_wake(i)
    :: word[i] != ASLEEP
    fi
#else
    atomic { word[i] = AWAKE; futex_wake(i) }
#endif
}

/* suspend_queue, resume_queue. Nobody lies and nobody leads: all buffers of threads are empty. */
proctype link()
{
end:
    atomic { dead && !lock -> lock = true; linking = true }
    do
    :: leader || lying > 0 ->
        upcall = true;
#ifndef NO_ROUSE
        rouse(0);
        rouse(1);
#endif
        atomic { link_changed = false; lock = false }
        link_changed;
        take_lock()
    :: !leader && lying == 0 -> break
    od;
    atomic {
        assert(EMPTY(0) && EMPTY(1) && queued[0] == NONE && queued[1] == NONE);
        back_buffer = NONE;
        rsp_prod = 0;
        rsp_event = 1;
        taken = 0;
        slot[0] = 0;
        slot[1] = 0;
        slot[ROUNDS] = 0;
        word[0] = AWAKE;
        word[1] = AWAKE;
        asked[0] = pending[0] && !abandoned[0];
        asked[1] = pending[1] && !abandoned[1];
        used[0] = asked[0];
        used[1] = asked[1];
        pending[0] = asked[0];
        pending[1] = asked[1];
        abandoned[0] = false;
        abandoned[1] = false;
        linking = false;
        run back(1)
    }
    /* blkfront_nudge, then blkfront_unlock. */
    atomic {
        if
        :: listed[0] && state[0] == asleep -> state[0] = awake
        :: else
        fi;
        if
        :: listed[1] && state[1] == asleep -> state[1] = awake
        :: else
        fi;
        hand_over();
        lock = false
    }
}

init
{
    atomic {
        run drain();
        run back(0);
        run front(0, 1);
        run front(1, ROUNDS)
#if DEATHS
        ;
        run killer();
        run link()
#endif
    }
    finished == THREADS
}
