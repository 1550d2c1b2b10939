# SPDX-License-Identifier: MIT
"""programs: where they are, and how one is run."""
import os
import shlex
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(os.environ.get("BIN", os.path.join(TOP, "bin")))


class Failure(Exception):
    pass


def command(arguments, **more):
    """Its output; what fails is a Failure that says which and why."""
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise Failure("%s: exit %d: %s" % (shlex.join(arguments), done.returncode, done.stderr.strip()))
    return done.stdout
