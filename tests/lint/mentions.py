#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What documents and man pages mention exists. See mentions.sh.

Usage: mentions.py FOREIGN_NAMES <LIST_OF_FILES (one a line, on standard input; paths from here)
"""
import os
import re
import sys

PROGRAMS = {"service": "src/service/", "client": "src/client/", "domu": "src/run/"}
NO_CODE = re.compile(r"\.(md|png|svg|csv|img|[1-8])$|^(bin|build|bench/results|tests/fuzz/corpus)/|^(sectors|read)\.|^tests/lint/foreign")
PATH = re.compile(r"(?<![\w/.$<{*-])(?:src|tests|tools|docs|bench|include)/[\w./*{},-]*")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
COMMENT = re.compile(r"/\*.*?\*/", re.S)
ABOUT_OTHERS = re.compile(r"[Xx]en|[Ll]inux|kernel|[a-z]\(\d\)")  # such comments name what is theirs
WORD = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b")
NAME = re.compile(r"`(%s|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:\(\))?`" % WORD.pattern)
LINK = re.compile(r"\]\(([^)\s]+)(?: \"[^\"]*\")?\)")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def anchor(heading):
    """The name that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(text):
    """Those of all headings; the second of the same name has -1 behind it."""
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)
    names = [anchor(heading) for heading in re.findall(r"^#+ (.*)", text, re.M)]
    return {name + (f"-{names[:at].count(name)}" if name in names[:at] else "") for at, name in enumerate(names)}


def pattern(path):
    """What a path with *, {a,b} or a word in capital letters stands for."""
    parts = re.split(r"(\*\*?|\{[^}]*\}|(?<![A-Za-z])[A-Z]{2,}(?![A-Za-z])|(?<![A-Za-z])[A-Z](?![A-Za-z]))", path)
    for at in range(1, len(parts), 2):
        words = parts[at][1:-1].split(",") if parts[at][0] == "{" else ()
        parts[at] = "(%s)" % "|".join(map(re.escape, words)) if words else "[^/]*"
    parts[::2] = map(re.escape, parts[::2])
    return re.compile("".join(parts) + r"(\..*)?")


class Tree:
    def __init__(self, files, foreign):
        self.files = set(files)
        self.folders = {""}
        for path in files:
            while path:
                path = os.path.dirname(path)
                self.folders.add(path)
        code = {path: read(path) for path in files if not NO_CODE.search(path)}
        self.words = set(foreign)
        for path, text in code.items():
            if re.search(r"\.[ch]$", path):
                text = COMMENT.sub(" ", text)
            for word in re.findall(r"\w+", text):
                parts = word.split("_")  # a noun, or what a macro completes, begins a name
                self.words.update("_".join(parts[:count]) for count in range(2, len(parts) + 1))
            self.words.update(re.split(r"[/.]", path))
        self.code = code
        self.options = {}
        rules = code.get("Makefile", "") + code.get("tests/tests.mk", "")
        self.targets = set(re.findall(r"^([a-z][\w-]*):", rules, re.M))
        for line in re.findall(r"^\.PHONY:(.*)$", rules, re.M):
            self.targets.update(line.split())

    def options_of(self, place):
        """The options that a script has, or the sources of a program."""
        if place not in self.options:
            text = "\n".join(COMMENT.sub("", text) if re.search(r"\.[ch]$", path) else text
                             for path, text in self.code.items() if path.startswith(place))
            self.options[place] = set(re.findall(r"--[a-z][a-z0-9-]*", text))
            self.options[place].update("--" + name for name in re.findall(r'\{"([a-z-]+)", (?:no|required|optional)_argument', text))
        return self.options[place]

    def has_stage(self, name):
        text = "".join(self.code.get(path, "") for path in ("tests/run.sh", "tests/stages.sh"))
        return name == "all" or re.search(rf"^{name} |^stage_{name}\(", text, re.M) is not None

    def has(self, path):
        path = re.sub(r"[.,/]+$", "", path)
        if path in self.files or path in self.folders:
            return True
        if path.count("{") != path.count("}"):  # the end of it is none of this piece
            return True
        if any(map(pattern(path).fullmatch, self.files | self.folders)):
            return True
        return any(other.startswith(path + ".") for other in self.files)  # noun.c with its noun.h


def spans(path, text):
    """Pairs of a line's number and a piece of code in that line; lines that go on are one."""
    if not path.endswith(".md"):
        text = re.sub(r"\\f.|\\&", "", re.sub(r'^\.[A-Z]+ |"', "", text, flags=re.M)).replace("\\-", "-")
        yield from enumerate(text.split("\n"), 1)
        return
    fence, begun, kept = None, 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            fence = None if fence is not None else line.strip()[3:]
        elif fence is None:
            for span in re.findall(r"`([^`]+)`", line):
                yield number, span.replace("\\|", "|")
        elif fence in ("", "sh", "bash"):
            begun = begun or number
            kept += line.rstrip("\\") + " "
            if not line.endswith("\\"):
                yield begun, re.sub(r"(^|\s)# .*", "", kept)
                begun, kept = 0, ""


def commands(code):
    """The words of each command, without what other commands get from it."""
    for command in re.split(r"[;&|()]|\$\(", code):
        words = command.split()
        while words and (words[0] in ("$", "time", "sudo", "bash", "exec", "if", "!") or re.match(r"[A-Z_]+=", words[0])):
            words = words[1:]
        if words:
            yield words


def check_command(tree, words):
    program = re.sub(r"^(\./|build/[\w-]+/)", "", words[0])
    name = re.sub(r"^bin/", "", program)
    if name == "make":
        for word in words[1:]:
            if re.fullmatch(r"[a-z][a-z_-]*", word):
                if word not in tree.targets:
                    yield f"there is no target {word}"
            elif not re.match(r"[A-Za-z_]+=|-[jskB]\d*$", word):
                break
    elif name in PROGRAMS:
        own = words[: words.index("--")] if "--" in words else words
        foreign = name == "domu" and "nbd" in words  # the rest goes to nbdkit
        for option in OPTION.findall(" ".join(own)):
            if not foreign and option not in tree.options_of(PROGRAMS[name]) | {"--help", "--version"}:
                yield f"{name} has no {option}"
    elif program in tree.files:
        for option in OPTION.findall(" ".join(words)):
            if option not in tree.options_of(program) | {"--help"}:
                yield f"{program} has no {option}"
        for runner, room, end in (("bench/run.sh", "bench/sections/", ".sh"),):
            for word in words[1:] if program == runner else ():
                if re.fullmatch(r"[a-z][a-z-]*", word) and room + word + end not in tree.files:
                    yield f"{runner} has no section {word}"
        for word in words[1:] if program == "tests/run.sh" else ():
            if re.fullmatch(r"[a-z][a-z0-9-]*", word) and not tree.has_stage(word):
                yield f"{program} has no stage {word}"


def check_links(tree, document, text):
    for number, line in enumerate(text.split("\n"), 1):
        for target in LINK.findall(line):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, name = target.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
            if path not in tree.files and path not in tree.folders:
                yield number, f"there is no {path}"
            elif name and name not in anchors(read(path)):
                yield number, f"{path} has no heading #{name}"


def check(tree, document):
    text = read(document)
    for number, code in spans(document, text):
        for path in PATH.findall(code):
            if not tree.has(path) and not re.match(r"(tools/(xenstored|libs|hotplug|xenstore)|docs/misc|include/xen)\b", path):
                yield number, f"there is no {path}"
        for words in commands(code):
            for what in check_command(tree, words):
                yield number, what
    program = re.sub(r"docs/man/(\w+)\.1$", r"\1", document)
    if program in PROGRAMS:
        for number, line in enumerate(text.replace("\\-", "-").split("\n"), 1):
            for option in OPTION.findall(line) if re.match(r"\.[BIR]{1,2} +(--|%s|\[)" % program, line) else ():
                if option not in tree.options_of(PROGRAMS[program]) | {"--help", "--version"}:
                    yield number, f"{program} has no {option}"
    names, code = (NAME, WORD) if document.endswith(".md") else (WORD, WORD)
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            names, code = code, names
        for name in names.findall(re.sub(r"\\f.|\\&", "", line)):
            if name not in tree.words:
                yield number, f"no source has {name}"
        for noun, name in re.findall(r"(?<![\w/-])(\w+\.[ch]): (\w+)", line):
            texts = [code_text for path, code_text in tree.code.items() if os.path.basename(path) == noun]
            if texts and not any(re.search(rf"\b{name}\b", code_text) for code_text in texts):
                yield number, f"{noun} has no {name}"
    yield from check_links(tree, document, text)


def check_comments(tree, path):
    """Names in comments of the sources: a header in brackets, and words with an underscore."""
    text = tree.code[path]
    for comment in COMMENT.finditer(text):
        found = [(name.start(1), name[1]) for name in re.finditer(r"\((\w+\.[ch])[):,]", comment[0])
                 if not any(os.path.basename(other) == name[1] for other in tree.files)]
        if not ABOUT_OTHERS.search(comment[0]):
            found += [(name.start(), name[0]) for name in WORD.finditer(comment[0])
                      if name[0] not in tree.words]
        for at, name in found:
            if name not in tree.words:
                yield text.count("\n", 0, comment.start() + at) + 1, f"there is no {name}"


def undocumented(tree):
    """Options that a program has and its man page has not."""
    for program, place in PROGRAMS.items():
        page = f"docs/man/{program}.1"
        if page not in tree.files:
            continue
        told = set(OPTION.findall(read(page).replace("\\-", "-")))
        for path, text in tree.code.items():
            if path.startswith(place):
                for number, line in enumerate(text.split("\n"), 1):
                    for option in re.findall(r'^ *\{"([a-z-]+)", (?:no|required|optional)_argument', line):
                        if "--" + option not in told:
                            yield path, number, f"{page} has no --{option}"


def main():
    files = [line.rstrip("\n") for line in sys.stdin]
    foreign = [line.strip() for line in read(sys.argv[1]).split("\n") if line.strip() and not line.startswith("#")]
    tree = Tree(files, foreign)
    found = False
    for path in files:
        if (path.endswith(".md") and not path.startswith("bench/results/")) or re.match(r"docs/man/.*\.\d$", path):
            for number, what in check(tree, path):
                found = True
                print(f"{path}:{number}: {what}")
        if re.match(r"(src|include)/.*\.[ch]$", path):
            for number, what in check_comments(tree, path):
                found = True
                print(f"{path}:{number}: {what}")
    for path, number, what in undocumented(tree):
        found = True
        print(f"{path}:{number}: {what}")
    return found


if __name__ == "__main__":
    sys.exit(main())
