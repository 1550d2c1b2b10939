#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutants: changes one token or statement of a source file, and sees whether the file's own unit test notices.

    tools/mutants.py [--seed S] [--count N] [--part K/M] [--quick] [--only REGEX] [--again] [--least PERCENT]

Takes N mutants of src/ with a mirrored unit test. A line of code is drawn first, so that files count by their lines,
then a place on it, then a change. Works in a copy under build/mutants/, in a PID namespace (a mutant may signal
anybody), at the lowest priority. Results are kept there: an interrupted run goes on where it was; what survived is
tried again once its tests are others, what was killed or is listed in tests/mutants.known only with --again.
--part K/M takes each M-th mutant of the list, in a copy of its own: parts may run side by side, and a run without it
then sums them up. --quick leaves the sanitizers out: what survives it is tried under them by a run without it.
A mutant counts as

    killed       its test fails or dies, twice: in the plain build (stage unit of make check), or with the
                 address and undefined behaviour sanitizers (asan) or the thread sanitizer (tsan)
    late         its test exceeds ten times its time, twice: make check notices that by its limit of time. A count
                 of its own, since no test says what is wrong
    equivalent   its object code is the original's at -O2, or tests/mutants.known (or reason_of) says why nothing can
                 tell them apart
    uncompiled   the compiler refuses it
    survived     all else; tests/mutants.known may name another stage that sees it

Left out: assertions, messages of the log, tables outside functions, files without a mirrored test (they are named).
Exit 1 if less than PERCENT (90) of those that are neither equivalent nor uncompiled were killed or late.
"""
import argparse
import collections
import hashlib
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
from mutating.build import ISOLATED, Build, judges_of, tests_of
from mutating.known import known, line_at, reason_of, shown
from mutating.places import draw, mutants_of
from mutating.tree import TOP, WORK, copy_tree, listed_files, read

RESULTS = os.path.join(WORK, 'results.jsonl')
STAGES = [('unit', ''), ('asan', 'address,undefined'), ('tsan', 'thread')]
SHARED = re.compile(r'lock|pthread|(load|store|exchange|add)_(relaxed|acquire|release|full)|atomic')  # what tsan may see


def main():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--count', type=int, default=500)
    parser.add_argument('--part', default='1/1', metavar='K/M', help='each M-th mutant of the list, from the K-th on')
    parser.add_argument('--quick', action='store_true', help='the plain build alone')
    parser.add_argument('--only', default='', help='a regular expression on paths')
    parser.add_argument('--again', action='store_true', help='try those again that were killed before')
    parser.add_argument('--least', type=float, default=90)
    args = parser.parse_args()
    part, parts = map(int, args.part.split('/'))
    if not 1 <= part <= parts:
        parser.error('--part K/M: K from 1 to M')
    tree = os.path.join(WORK, 'tree' if parts == 1 else 'tree-%d-%d' % (part, parts))
    os.nice(19)
    if subprocess.run(ISOLATED + ['true'], capture_output=True).returncode != 0:
        sys.exit('mutants: needs a PID namespace (%s), so that no mutant signals a process of yours: run it as root' % ISOLATED[0])

    files, tests = listed_files(), collections.defaultdict(list)
    for f in files:
        if m := re.fullmatch(r'(tests/unit/.+)/(test_\w+)\.c', f):
            tests[m[1]].append(m[2])
    lines, bare, texts, mirrored = {}, [], {}, {}
    for f in files:
        if not re.fullmatch(r'src/.+\.[ch]', f) or not re.search(args.only, f):
            continue
        texts[f] = read(os.path.join(TOP, f)).decode('latin-1')
        places = mutants_of(f, texts[f])
        mirrored[f] = tests_of(f, tests)
        if mirrored[f] and places:
            lines[f] = places
        elif places:
            bare.append((f, len(places)))
    drawn = draw(args.seed, args.count, lines)[part - 1::parts]
    print('mutants: seed %d, part %s: %d mutants of %d lines in %d files' %
          (args.seed, args.part, len(drawn), sum(map(len, lines.values())), len(lines)), flush=True)

    os.makedirs(tree + '.tmp', exist_ok=True)  # in a namespace of their own parts have the same process numbers
    copy_tree(files, tree)
    builds, reasons = {}, known()
    before = {}
    if os.path.exists(RESULTS):
        with open(RESULTS) as f:
            before = {tuple(r['key']): r for r in map(json.loads, f)}
    results, todo = [], []
    for number, m in enumerate(drawn):
        key = (hashlib.sha1(texts[m.path].encode()).hexdigest(), *m)
        judges = hashlib.sha1(b''.join(read(os.path.join(TOP, t)) for t in judges_of(m.path, mirrored[m.path]))).hexdigest()
        last = before.get(key, {})
        verdict = last.get('verdict')
        open_case = verdict is None or verdict in ('survived', 'late') and last.get('judges') != judges
        open_case = open_case or verdict == 'survived' and last.get('quick') and not args.quick
        if (open_case and not reason_of(m, texts[m.path], reasons)) or args.again:
            todo.append((number, m, key, judges))
        else:
            results.append((m, verdict or 'survived'))
    with open(RESULTS, 'a') as kept:
        for number, m, key, judges in todo:
            for stage, sanitizers in STAGES[:1] if args.quick else STAGES:
                if stage == 'tsan' and not SHARED.search(shown(m, texts[m.path])[0]):
                    continue
                if stage not in builds:
                    builds[stage] = Build(tree, stage, sanitizers)
                    if stage == 'unit':
                        builds[stage].prepare({t for _, m, _, _ in todo for t in mirrored[m.path]})
                verdict = builds[stage].verdict(m, mirrored[m.path])
                if verdict != 'survived':
                    break
            kept.write(json.dumps({'key': key, 'verdict': verdict, 'judges': judges, 'quick': args.quick}) + '\n')
            kept.flush()
            print('%4d %-14s %s:%d: %s  ->  %s' % (number + 1, verdict, m.path, line_at(texts[m.path], m.at)[0], *shown(m, texts[m.path])), flush=True)
            results.append((m, verdict))
    return report(results, bare, texts, reasons, args.least)


def report(results, bare, texts, reasons, least):
    counts, rest = collections.Counter(), []
    for m, verdict in results:
        found = reason_of(m, texts[m.path], reasons)
        if verdict == 'survived' or found:
            before, after = shown(m, texts[m.path])
            kind, reason = found or (None, None)
            verdict = 'equivalent' if kind == 'equivalent' else 'survived'
            counts['elsewhere'] += kind == 'elsewhere'
            rest.append((kind or 'not known', m, before, after, reason))
        elif verdict == 'late':
            rest.append((verdict, m, *shown(m, texts[m.path]), None))
        counts[verdict] += 1
    for kind, m, before, after, reason in sorted(rest, key=lambda r: r[0]):
        print('%s %s:%d\n- %s\n+ %s%s' % (kind, m.path, line_at(texts[m.path], m.at)[0], before, after, '\n%s' % reason if reason else ''))
    if bare:
        print('without a mirrored test, so not drawn from, %d lines: %s' % (sum(n for _, n in bare), ' '.join(f for f, _ in bare)))
    by_sanitizer = counts['killed by asan'] + counts['killed by tsan']
    killed = counts['killed'] + by_sanitizer
    share = 100 / max(1, killed + counts['late'] + counts['survived'])
    noticed = share * (killed + counts['late'])
    print('killed %d (%d of them under a sanitizer), late %d, survived %d (%d of them noticed elsewhere), equivalent %d, uncompiled %d' %
          (killed, by_sanitizer, counts['late'], counts['survived'], counts['elsewhere'], counts['equivalent'], counts['uncompiled']))
    print('of those that count %.1f %% were killed, %.1f %% with those that were late (wanted: %g)' % (share * killed, noticed, least))
    return 0 if noticed >= least else 1


if __name__ == '__main__':
    sys.exit(main())
