/* SPDX-License-Identifier: MIT */
/*
 * The version protocol of a slot of the shared cache (include/splitdom/shared_cache.h), on a machine that
 * may show one side's stores to the other in another order, and may load in another order, where
 * docs/concurrency.md (pair 26) claims no order.
 *
 * The slot holds sector 1 or 2 with two words of data. Each time Dom0 fills it, the words become the
 * number of this filling, and what[] remembers which sector that is of. A filling of the sector that
 * is shown is done in sight; before one of another sector the slot is hidden, and after it shown. Dom0
 * also empties the cache
 * (epoch). A hit of the domain must be: both words of one filling, and that of the sector asked for.
 * A hit must not be older than the last emptying that had ended before the read began.
 *
 * Twins, each of which must fail:
 *   NO_ODD_FIRST    data may be seen before the odd version
 *   NO_EVEN_LAST    the even version may be seen before the data
 *   NO_LOOK_FIRST   the domain may load data before the first look at the version
 *   NO_LOOK_LAST    the domain may look at the version for the last time before it loads data
 *   NO_EPOCH        the domain does not look at the epoch
 *   NO_HIDE         data of another sector may be seen before the slot is hidden
 *   SHOW_FIRST      the slot may be seen to be shown before its data
 */
#define FILLINGS 2

#ifndef NO_EPOCH
#define SAME_EPOCH (is_epoch == before_epoch && before_epoch == after_epoch)
#else
#define SAME_EPOCH true
#endif

byte version = 0, sector = 0, word0 = 0, word1 = 0, slot_epoch = 0, epoch = 1;
byte what[FILLINGS + 1];    /* the sector of each filling */
byte emptied = 0;           /* fillings up to this one were forgotten, and that has ended */

proctype dom0()
{
    byte n = 1, fresh;
    bool s0, s1, v;
    do
    :: n > FILLINGS -> break
    :: n <= FILLINGS ->
        if
        :: fresh = 1
        :: fresh = 2
        fi;
        what[n] = fresh;
        if
        :: sector == fresh && slot_epoch == epoch ->
            /* In sight: the odd version, then the data, in any order among themselves. */
            s0 = false; s1 = false; v = false;
#ifndef NO_ODD_FIRST
            version++; v = true;
#endif
            do
            :: !s0 -> word0 = n; s0 = true
            :: !s1 -> word1 = n; s1 = true
            :: !v -> version++; v = true
#ifdef NO_EVEN_LAST
            :: v -> break
#endif
            :: s0 && s1 && v -> break
            od;
            version++;
            if
            :: !s0 -> word0 = n
            :: else
            fi;
            if
            :: !s1 -> word1 = n
            :: else
            fi
        :: else ->
#ifdef NO_HIDE
            word0 = n;
#endif
            version++; sector = 0; version++;
#ifdef SHOW_FIRST
            version++; sector = fresh; slot_epoch = epoch; version++;
#endif
            if
            :: word0 = n; word1 = n
            :: word1 = n; word0 = n
            fi;
#ifndef SHOW_FIRST
            version++;
            if
            :: sector = fresh; slot_epoch = epoch
            :: slot_epoch = epoch; sector = fresh
            fi;
            version++
#endif
        fi;
        n++
    :: n > 1 && epoch < 2 ->
        epoch++;
        emptied = n - 1
    od
}

proctype domain()
{
    byte wanted, before_epoch, before, a, b, after, after_epoch, is, is_epoch, floor;
    bool have_a, have_b, have_c, looked, last;
    if
    :: wanted = 1
    :: wanted = 2
    fi;
    floor = emptied;
    have_a = false; have_b = false; have_c = false; looked = false; last = false;
    before_epoch = epoch;
#ifndef NO_LOOK_FIRST
    before = version; looked = true;
#endif
    do
    :: !have_a -> a = word0; have_a = true
    :: !have_b -> b = word1; have_b = true
    :: !have_c -> atomic { is = sector; is_epoch = slot_epoch; have_c = true }
    :: !looked -> before = version; looked = true
#ifdef NO_LOOK_LAST
    :: looked && !last -> after = version; last = true
#endif
    :: have_a && have_b && have_c && looked -> break
    od;
    if
    :: !last -> after = version
    :: else
    fi;
    after_epoch = epoch;
    if
    :: (before % 2 == 0 && before == after && is == wanted && SAME_EPOCH) ->
        assert(a == b);
        assert(what[a] == wanted);
        assert(a > floor)
    :: else
    fi
}

init
{
    atomic {
        run dom0();
        run domain()
    }
}
