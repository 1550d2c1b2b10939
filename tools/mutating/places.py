# SPDX-License-Identifier: MIT
"""places: what can be changed in a source file, and the draw among it."""
import bisect
import collections
import random
import re

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
