# SPDX-License-Identifier: MIT
"""build: the tests of a source file, and the copy built for one stage, in which a mutant is judged."""
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

from mutating.tree import TOP, read

# A mutant may signal anybody.
ISOLATED = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']


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
    """The sources of these tests, the headers beside them, and what looks at all tests' ends and locks."""
    where = os.path.dirname(path).replace('src', 'tests/unit', 1)
    found = sorted(os.path.join(where, f) for f in os.listdir(os.path.join(TOP, where)) if f.endswith('.h') or f[:-2] in tests)
    return found + ['tests/faults/fault_left.c', 'tests/faults/fault_locks.c']


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
                                 stderr=subprocess.DEVNULL, start_new_session=True, env={**os.environ, 'TMPDIR': self.tree + '.tmp'})
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
