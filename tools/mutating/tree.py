# SPDX-License-Identifier: MIT
"""tree: the files of this tree and of the copy that is mutated."""
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.path.join(TOP, 'build', 'mutants')


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
