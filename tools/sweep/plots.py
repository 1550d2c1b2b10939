# SPDX-License-Identifier: MIT
"""plots: an SVG for each metric, and the latencies, where gnuplot is installed."""
import os
import shutil
import statistics
import sys

from sweep.programs import TOP, command


def plot_metrics(rows, plan, out):
    """An SVG for each metric: medians, and lines from the smallest to the largest round."""
    several = len(plan["clients"]) > 1
    for metric in dict.fromkeys(row[0] for row in rows):
        points = [(" ".join(filter(None, (several and client, arm))), statistics.median(values), min(values), max(values))
                  for of, client, arm, values, _, _ in rows if of == metric]
        data = "\n".join('"%s" %.9g %.9g %.9g' % (name.replace('"', "'"), *numbers) for name, *numbers in points)
        path = os.path.join(out, metric + ".svg")
        command(["gnuplot"], input="""set terminal svg noenhanced size 900,500 font 'sans,12' background 'white'
set output '%s'
set title '%s: medians, and the smallest and largest round'
set ylabel '%s'
set key off
set grid ytics
set yrange [0:*]
set xtics rotate by -30
set offsets 0.5, 0.5, 0, 0
$data << EOD
%s
EOD
plot $data using 0:2:3:4:xtic(1) with yerrorbars linewidth 2 pointtype 7
""" % (path.replace("'", "''"), metric, metric, data))


def plot_latencies(runs, plan, out):
    """The runs of a cell are one curve; latencies along a run are those of the first round."""
    arguments = []
    for run in sorted(runs, key=lambda run: run.name):
        if run.again:
            continue
        for client in run.cell.clients:
            name = client + " " + run.cell.label if len(run.cell.clients) > 1 else run.cell.label
            path = os.path.join(out, "runs", run.name, client)
            arguments.append("%s=%s.json" % (name.replace("=", " "), path))
            if plan["latencies"] and run.round == 1:
                arguments.append("%s=%s.latencies" % (name.replace("=", " "), path))
    command([sys.executable, os.path.join(TOP, "tools", "plot"), "-o", os.path.join(out, "latency"), *arguments])


def plot(rows, runs, plan, out):
    """Returns what the summary says of the plots."""
    if shutil.which("gnuplot") is None:
        return "No plots: gnuplot is not installed (Debian: gnuplot-nox)."
    plot_metrics(rows, plan, out)
    plot_latencies(runs, plan, out)
    return "Plots: " + ", ".join(sorted(name for name in os.listdir(out) if name.endswith(".svg"))) + "."
