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
import bisect
import collections
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(TOP, 'build', 'mutants')
RESULTS = os.path.join(WORK, 'results.jsonl')
KNOWN = os.path.join(TOP, 'tests', 'mutants.known')
STAGES = [('unit', ''), ('asan', 'address,undefined'), ('tsan', 'thread')]
ISOLATED = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
SHARED = re.compile(r'lock|pthread|(load|store|exchange|add)_(relaxed|acquire|release|full)|atomic')  # what tsan may see
LEFT_OUT = re.compile(r'^(assert|static_assert|_Static_assert|__attribute__|log_\w+|fprintf|printf|fputs)$')

TOKEN = re.compile(r'''
    (?P<space>\s+|\\\n|/\*.*?\*/|//[^\n]*|^[ \t]*\#(?:\\\n|[^\n])*)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d[\d.]*(?:e[+-]?\d+)?[uUlL]*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<sign><<=|>>=|\+\+|--|->|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\.\.\.|[^\s])
''', re.X | re.S | re.M)

Token = collections.namedtuple('Token', 'kind text at')
Mutant = collections.namedtuple('Mutant', 'path at old new')

# What an operator becomes; the unary ones are told apart by what stands before them.
SIGNS = {
    '==': ['!='], '!=': ['=='], '<': ['<=', '>='], '<=': ['<', '>'], '>': ['>=', '<='], '>=': ['>', '<'],
    '&&': ['||'], '||': ['&&'], '+=': ['-='], '-=': ['+='], '|=': ['&='], '&=': ['|='], '++': ['--'], '--': ['++'],
    '<<': ['>>'], '>>': ['<<'],
}
BINARY_SIGNS = {'+': ['-'], '-': ['+'], '*': ['/'], '/': ['*'], '%': ['*'], '&': ['|'], '|': ['&']}
WORDS = {'true': ['false'], 'false': ['true']}


def tokens_of(text):
    return [Token(m.lastgroup, m[0], m.start()) for m in TOKEN.finditer(text) if m.lastgroup != 'space']


def closing(tokens, i, opening, end):
    """The index of the bracket that closes the one at i."""
    depth = 0
    for k in range(i, len(tokens)):
        depth += tokens[k].text == opening
        depth -= tokens[k].text == end
        if depth == 0:
            return k
    return len(tokens) - 1


def bodies(tokens):
    """Ranges of tokens inside functions: braces that follow a closing parenthesis at the outermost level."""
    i = 0
    while i < len(tokens):
        if tokens[i].text == '{':
            end = closing(tokens, i, '{', '}')
            if i > 0 and tokens[i - 1].text == ')':
                yield i + 1, end
            i = end
        i += 1


def changes_at(tokens, i, text):
    """(begin, end, replacement) for each change at token i."""
    t, before, after = tokens[i], tokens[i - 1], tokens[i + 1]
    end = t.at + len(t.text)
    if t.kind == 'sign':
        for new in SIGNS.get(t.text, []):
            yield t.at, end, new
        if before.kind in ('word', 'number') and before.text not in ('return', 'sizeof') or before.text in (')', ']'):
            # "*" after a type is no product: here a product has blanks on both sides.
            if text[end:end + 1] in (' ', '\n'):
                for new in BINARY_SIGNS.get(t.text, []):
                    yield t.at, end, new
        return
    if t.kind == 'number' and re.fullmatch(r'(0[xX][0-9a-fA-F]+|\d+)[uUlL]*', t.text):
        digits = re.match(r'0[xX][0-9a-fA-F]+|\d+', t.text)[0]
        value = int(digits, 16 if digits[:2] in ('0x', '0X') else 10)
        for new in (value + 1, value - 1):
            if new >= 0:
                yield t.at, end, str(new) + t.text[len(digits):]
        return
    if t.kind != 'word':
        return
    for new in WORDS.get(t.text, []):
        yield t.at, end, new
    if t.text in ('if', 'while') and after.text == '(':
        k = closing(tokens, i + 1, '(', ')')
        first, last = after.at, tokens[k].at + 1
        yield first, last, '(!' + text[first:last] + ')'
    if t.text == 'return' and after.text == '-' and tokens[i + 2].text.startswith('E') and tokens[i + 3].text == ';':
        yield after.at, tokens[i + 3].at, '0'
    # A statement: it begins a line of its own and is no declaration.
    if before.text in (';', '{', '}', ')', 'else') and after.text in ('(', '=', '.', '->', '[', '+=', '-=', '|=', '&=', '++', '--'):
        if t.text in ('if', 'while', 'for', 'switch', 'return', 'sizeof') or not text[text.rfind('\n', 0, t.at):t.at].isspace():
            return
        k = i
        while k < len(tokens) and tokens[k].text != ';':
            if tokens[k].text in '([{':
                k = closing(tokens, k, tokens[k].text, {'(': ')', '[': ']', '{': '}'}[tokens[k].text])
            k += 1
        if k < len(tokens):
            yield t.at, tokens[k].at, ''


def mutants_of(path, text):
    """Line number -> list of places, each a list of mutants."""
    tokens, lines = tokens_of(text), collections.defaultdict(list)
    starts = [m.start() for m in re.finditer(r'^', text, re.M)]
    for begin, end in bodies(tokens):
        i = begin
        while i < end:
            if LEFT_OUT.match(tokens[i].text) and tokens[i + 1].text == '(':
                i = closing(tokens, i + 1, '(', ')') + 1
                continue
            found = [Mutant(path, a, text[a:b], new) for a, b, new in changes_at(tokens, i, text)]
            if found:
                lines[bisect.bisect_right(starts, tokens[i].at)].append(found)
            i += 1
    return lines


def tests_of(path, tests):
    """The unit tests of a source file: test_NOUN and test_NOUN_*, and those of the nouns that it is a part of:
    blkfront_ring has test_blkfront_ring, test_blkfront and test_blkfront_lies."""
    where, name = os.path.split(os.path.splitext(path)[0])
    noun = name.removesuffix('_private')
    here = tests.get(where.replace('src', 'tests/unit', 1), [])
    nouns = {os.path.splitext(f)[0] for f in os.listdir(os.path.join(TOP, where))}
    names, found = [noun], []
    if 'test_%s_%s' % (os.path.basename(where), noun) in here:  # test_tdf_clock: there are several clocks
        names.insert(0, '%s_%s' % (os.path.basename(where), noun))
    for noun in names:
        while noun:
            if 'test_' + noun in here:
                found += [t for t in ['test_' + noun] if t not in found]
                found += [t for t in here if t.startswith('test_' + noun + '_') and t[5:] not in nouns and t not in found]
            noun = noun.rpartition('_')[0]
    return found


def judges_of(path, tests):
    """The sources of these tests, and the headers beside them."""
    where = os.path.dirname(path).replace('src', 'tests/unit', 1)
    return sorted(os.path.join(where, f) for f in os.listdir(os.path.join(TOP, where)) if f.endswith('.h') or f[:-2] in tests)


def listed_files():
    out = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard', 'src', 'include', 'tests', 'bench', 'tools', 'Makefile'],
                         cwd=TOP, capture_output=True, text=True, check=True).stdout
    return [f for f in out.split('\n') if f and os.path.isfile(os.path.join(TOP, f))]


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def copy_tree(files, tree):
    """Makes the copy equal to the tree; a file that is equal keeps its time, so that make has nothing to do."""
    for f in files:
        wanted, to = read(os.path.join(TOP, f)), os.path.join(tree, f)
        if os.path.exists(to) and read(to) == wanted:
            continue
        os.makedirs(os.path.dirname(to), exist_ok=True)
        with open(to, 'wb') as out:
            out.write(wanted)
        os.chmod(to, os.stat(os.path.join(TOP, f)).st_mode)
    for where, _, names in os.walk(tree):
        if where.startswith(os.path.join(tree, 'build')):
            continue
        for name in names:
            f = os.path.relpath(os.path.join(where, name), tree)
            if f not in files and not f.startswith('bin/'):
                os.unlink(os.path.join(tree, f))


class Build:
    """The copy built for one stage, its commands as make would run them, and what each test links."""

    def __init__(self, tree, stage, sanitizers):
        self.tree = tree
        self.stage, self.out = stage, 'build/' + ('san-' + sanitizers.replace(',', '-') if sanitizers else 'plain')
        self.runner = ISOLATED + (['setarch', '-R'] if sanitizers == 'thread' else [])
        make = ['make', '--no-print-directory', 'V=1', 'WARN=-w', 'SAN=' + sanitizers]
        self.make = make + ['-s', '-j%d' % os.cpu_count()]
        lines = subprocess.run(make + ['-n', '-B', 'unit-programs'], cwd=self.tree, capture_output=True, text=True, check=True).stdout
        self.compile, self.link, self.members, self.seconds, self.plain = {}, {}, {}, {}, {}
        self.built = set()
        for line in lines.split('\n'):
            if m := re.search(r' -c -o (\S+) (\S+)$', line):
                self.compile[m[1]] = shlex.split(line)
            elif m := re.search(r' -o (%s/tests/(test_\w+)) ' % self.out, line):
                self.link[m[2]] = shlex.split(line)

    def run(self, command, **more):
        return subprocess.run(command, cwd=self.tree, stdin=subprocess.DEVNULL, capture_output=True,
                              env={**os.environ, 'CCACHE_DISABLE': '1'}, **more)

    def prepare(self, tests):
        """Builds these at once, which is quicker than one by one; what cannot be built is told of when it is needed."""
        done = subprocess.run(self.make + ['-k'] + ['%s/tests/%s' % (self.out, t) for t in sorted(tests)], cwd=self.tree,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.built = set(tests) if done.returncode == 0 else set()

    def linked(self, test):
        """The objects that this test is made of. It is built when it is asked for first."""
        if test not in self.members:
            if test not in self.built:
                subprocess.run(self.make + ['%s/tests/%s' % (self.out, test)], cwd=self.tree, check=True, stdout=subprocess.DEVNULL)
            out = self.run(self.link[test][:1] + ['-Wl,-t,-t'] + self.link[test][1:]).stdout.decode()
            found = set(re.findall(r'^(%s/\S+?\.o)$' % self.out, out, re.M))
            members = {(o.split('/')[3], os.path.basename(o)): o for o in self.compile if o.startswith(self.out + '/src/')}
            for member in re.findall(r'%s/lib(\w+)\.a\)?[(]?([\w.]+\.o)' % self.out, out):
                found.update([members[member]] if member in members else [])
            self.members[test] = found
        return self.members[test]

    def depend(self, path, test):
        """Those of the test's objects that are made from this file."""
        if path.endswith('.c'):
            mine = self.out + '/' + path[:-2] + '.o'
            return [mine] if mine in self.linked(test) else []
        found = []
        for o in sorted(self.linked(test)):
            with open(os.path.join(self.tree, o[:-2] + '.d')) as f:
                if path in f.read().split():
                    found.append(o)
        return found

    def objects(self, names, to):
        """Compiles these objects with -O2 and without debugging data; the list, or None if the compiler refuses."""
        made = []
        for o in names:
            command = [to + '-' + o.replace('/', '-') if word == o else word for word in self.compile[o] if word not in ('-MMD', '-MP')]
            made.append(os.path.join(self.tree, command[command.index('-o') + 1]))
            if self.run(command + ['-g0']).returncode != 0:
                return None
        return made

    def original(self, names):
        for o in names:
            if o not in self.plain:
                self.plain[o] = read(self.objects([o], 'build/original')[0])
        return [self.plain[o] for o in names]

    def test(self, program, limit):
        """'passed', 'failed', or 'late' if it is not done within the limit."""
        child = subprocess.Popen(self.runner + [program], cwd=self.tree, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, start_new_session=True, env={**os.environ, 'TMPDIR': os.path.join(WORK, 'tmp')})
        try:
            return 'passed' if child.wait(limit) in (0, 77) else 'failed'
        except subprocess.TimeoutExpired:
            return 'late'
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()

    def usual_seconds(self, test):
        if test not in self.seconds:
            # From where mutants run: a test that looks for files beside itself must not fail for that.
            shutil.copy(os.path.join(self.tree, self.out, 'tests', test), os.path.join(self.tree, 'build', 'original-test'))
            for attempt in range(3):
                begin = time.monotonic()
                if self.test('build/original-test', 300) == 'passed':
                    break
            else:
                sys.exit('mutants: %s/tests/%s fails without any mutant' % (self.out, test))
            self.seconds[test] = time.monotonic() - begin
        return self.seconds[test]

    def verdict(self, mutant, tests):
        path = os.path.join(self.tree, mutant.path)
        text, stat = read(path), os.stat(path)
        tests = [t for t in tests if self.depend(mutant.path, t)]
        originals = {t: self.original(self.depend(mutant.path, t)) for t in tests} if self.stage == 'unit' else {}
        with open(path, 'wb') as f:
            f.write(text[:mutant.at] + mutant.new.encode() + text[mutant.at + len(mutant.old):])
        try:
            same, late = bool(tests), False
            for t in tests:
                names = self.depend(mutant.path, t)
                made = self.objects(names, 'build/mutant')
                if made is None:
                    return 'uncompiled'
                if self.stage == 'unit' and [read(m) for m in made] == originals[t]:
                    continue
                same = False
                link = ['build/mutant-test' if word == self.out + '/tests/' + t else word for word in self.link[t] if word not in names]
                at = link.index('build/mutant-test') + 1
                if self.run(link[:at] + made + link[at:]).returncode != 0:
                    return 'uncompiled'
                limit = 5 + 10 * self.usual_seconds(t)
                ends = [self.test('build/mutant-test', limit)]
                if ends != ['passed']:  # a test that fails now and then has not noticed this mutant
                    ends.append(self.test('build/mutant-test', limit))
                if 'passed' in ends:
                    continue
                if 'late' in ends:
                    late = True
                    continue
                return 'killed' if self.stage == 'unit' else 'killed by ' + self.stage
            return 'late' if late else 'equivalent' if same else 'survived'
        finally:
            with open(path, 'wb') as f:
                f.write(text)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def line_at(text, at):
    begin = text.rfind('\n', 0, at) + 1
    return text.count('\n', 0, at) + 1, text[begin:text.find('\n', at)].strip(), at - begin


def shown(mutant, text):
    """The line before and after, blanks folded."""
    mutated = text[:mutant.at] + mutant.new + text[mutant.at + len(mutant.old):]
    fold = lambda s: ' '.join(s.split())
    return fold(line_at(text, mutant.at)[1]), fold(line_at(mutated, mutant.at)[1])


def known():
    """(path or path:function, line before, line after) -> (kind, reason)"""
    found = {}
    if os.path.exists(KNOWN):
        with open(KNOWN) as f:
            entries = [e for e in f.read().split('\n\n')]
        for e in entries:
            lines = [line for line in e.split('\n') if line and not line.startswith('#')]
            if not lines:
                continue
            path, kind, old, new, reason = lines[0].split()[0], lines[0].split()[1], lines[1][2:], lines[2][2:], ' '.join(lines[3:])
            if kind not in ('equivalent', 'elsewhere') or not reason:
                sys.exit('%s: "%s": "equivalent" or "elsewhere", the two lines, the reason' % (KNOWN, lines[0]))
            found[path, old, new] = kind, reason
    return found


def reason_of(mutant, text, reasons):
    """(kind, reason) as tests/mutants.known has it of this line, in this function or in all of the file; or None"""
    lines = shown(mutant, text)
    heads = re.findall(r'^\w[^;\n(]*?(\w+)\(', text[:mutant.at], re.M)  # functions begin in the first column
    function = '%s:%s' % (mutant.path, heads[-1] if heads else '')
    if re.search(r'\b[cm]alloc\($', text[:mutant.at]) and (mutant.old, mutant.new) == ('1', '2'):
        return 'equivalent', 'Nobody looks at what is allocated beyond the one.'
    if re.match(r'pthread_(mutex|condattr|attr)_destroy\(', mutant.old) and mutant.new == '':
        return 'equivalent', 'Of glibc these hold nothing but their own bytes.'
    return reasons.get((function, *lines)) or reasons.get((mutant.path, *lines))


def draw(seed, count, lines):
    """count mutants: shared among the files by their lines; in each file a line, a place on it, a change. Each file has
    random numbers of its own, so that a change of one file hardly moves the mutants of the others."""
    total, drawn = sum(len(places) for places in lines.values()), []
    rngs = {f: random.Random('%d:%s' % (seed, f)) for f in lines}
    exact = {f: count * len(places) / max(1, total) for f, places in lines.items()}
    shares = {f: int(exact[f]) for f in lines}
    chance = {f: exact[f] - shares[f] - rngs[f].random() for f in lines}
    for f in sorted(lines, key=lambda f: (-chance[f], f))[:count - sum(shares.values())]:
        shares[f] += 1
    for f in sorted(lines):
        keys, found = sorted(lines[f]), {}
        wanted = min(shares[f], sum(len(place) for places in lines[f].values() for place in places))
        while len(found) < wanted:
            found[rngs[f].choice(rngs[f].choice(lines[f][rngs[f].choice(keys)]))] = True
        drawn += found
    random.Random(seed).shuffle(drawn)
    return drawn


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

    os.makedirs(os.path.join(WORK, 'tmp'), exist_ok=True)
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
