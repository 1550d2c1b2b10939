# SPDX-License-Identifier: MIT
"""gnuplot: SVG files by gnuplot, for the tools here."""
import os
import shutil
import subprocess
import sys


def die(text):
    print(os.path.basename(sys.argv[0]) + ": " + text, file=sys.stderr)
    sys.exit(1)


def require_gnuplot():
    if shutil.which("gnuplot") is None:
        die("gnuplot is not installed (Debian: gnuplot-nox; make deps installs it)")


def quoted(text):
    return "'" + text.replace("'", "''").replace("\n", " ") + "'"


def draw(path, panels, rows=1):
    """In so many rows. panels: (title, label of x, label of y, settings, [(name, style, points)])"""
    columns = -(-len(panels) // rows)
    script = ["set terminal svg noenhanced size %d,%d font 'sans,12' background 'white'" % (900 * columns, 500 * rows),
              "set output " + quoted(path), "set grid", "set multiplot layout %d,%d" % (rows, columns)]
    number = 0
    for title, x, y, settings, curves in panels:
        plots = []
        script += ["unset logscale", "set autoscale", "set title " + quoted(title), "set xlabel " + quoted(x) + " offset 0,0.6",
                   "set ylabel " + quoted(y), *settings]
        for name, style, points in curves:
            number += 1
            script += ["$d%d << EOD" % number, *(" ".join("%.9g" % value for value in point) for point in points), "EOD"]
            plots.append("$d%d using 1:2 with %s title %s" % (number, style, quoted(name)))
        script.append("plot " + ", ".join(plots))
    script.append("unset multiplot")
    done = subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, capture_output=True, check=False)
    if done.returncode != 0:
        die("gnuplot failed on %s: %s" % (path, done.stderr.strip()))
    print("plotted " + path)
