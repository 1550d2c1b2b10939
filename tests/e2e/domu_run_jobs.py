# SPDX-License-Identifier: MIT
"""Types at a shell with job control, on a terminal of its own. Argument: the program domu."""
import os
import pty
import re
import select
import sys
import time

DOMU = sys.argv[1]
LIMIT_S = 30


class Shell:
    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["PS1"] = "PROMPT% "
            os.environ["TERM"] = "dumb"
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        self.seen = ""
        self.expect("PROMPT% ")

    def expect(self, pattern):
        end = time.monotonic() + LIMIT_S
        while True:
            found = re.search(pattern, self.seen, re.S)
            if found:
                self.seen = self.seen[found.end():]
                return found
            if time.monotonic() > end:
                sys.exit("no %r in %r" % (pattern, self.seen))
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 4096).decode(errors="replace")
                except OSError:
                    sys.exit("the shell has ended: %r" % self.seen)

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, line, pattern):
        """Types the line again and again: what it tells of takes a while."""
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            self.seen = ""
            self.type(line + "\n")
            if re.search(pattern, self.expect(".*PROMPT% ").group(0), re.S):
                return
            time.sleep(0.1)
        sys.exit("no %r after %r" % (pattern, line))

    def run(self, line, pattern):
        self.type(line + "\n")
        found = self.expect(pattern)
        return found


def main():
    shell = Shell()
    # ^C ends the program, and with it the job. (One process: a shell that is just starting another program can
    # lose the signal, also without a domain.)
    shell.run(DOMU + " run perl -e '$| = 1; print \"be\", \"gun\\n\"; sleep 1000'", "\nbegun")
    shell.type("\x03")
    shell.expect(r"PROMPT% ")
    shell.run("echo after $?", r"\nafter 130")
    # One that catches it gets it once.
    shell.run(DOMU + " run bash -c 'trap \"echo got one\" INT; echo be\"\"gun; for i in 1 2 3; do sleep 0.3; done; exit 4'",
              "\nbegun")
    shell.type("\x03")
    shell.expect("got one")
    shell.expect(r"PROMPT% ")
    if "got one" in shell.seen:
        sys.exit("SIGINT came twice")
    shell.run("echo after $?", r"\nafter 4")
    # ^Z stops the job; bg and fg let it go on; its status is the program's.
    shell.run(DOMU + " run bash -c 'echo be\"\"gun; read line; echo line \"\"$line; exit 6'", "\nbegun")
    shell.type("\x1a")
    shell.expect(r"Stopped")
    shell.run("jobs", r"\[1\]\+\s+Stopped")
    shell.run("bg", r"PROMPT% ")
    # In the background it may not read the terminal: stopped again.
    shell.until("jobs", r"\[1\]\+\s+Stopped")
    shell.run("fg", r"run bash")
    shell.type("hello\n")
    shell.expect(r"line hello")
    shell.expect(r"PROMPT% ")
    shell.run("echo after $?", r"\nafter 6")
    # The terminal is the program's own.
    shell.run(DOMU + " run sh -c 'test -t 0 && test -t 1 && test -t 2 && echo a ter\"\"minal'", r"\na terminal")
    # In the background, with the shell going on.
    shell.run(DOMU + " run sleep 1000 &", r"PROMPT% ")
    shell.run("kill %1; wait %1; echo after $?", r"\nafter 143")
    shell.type("exit\n")
    os.waitpid(shell.pid, 0)


main()
