# SPDX-License-Identifier: MIT
"""known: how a mutant is shown, and the reasons of those that no test can tell (tests/mutants.known)."""
import os
import re
import sys

from mutating.tree import TOP

KNOWN = os.path.join(TOP, 'tests', 'mutants.known')


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
