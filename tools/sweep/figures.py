# SPDX-License-Identifier: MIT
"""figures: the values of the runs, their ratios, and the summary."""
import csv
import json
import os
import statistics

from sweep.plan import AGAIN
from sweep.programs import Failure


def member(tree, path):
    for name in path.split("."):
        tree = tree[name]
    return tree + 0.0  # a number, or this fails


def values_of(run, plan, directory):
    """(client, metric, value): "" is the service."""
    def load(name):
        with open(os.path.join(directory, name + ".json"), encoding="utf-8") as file:
            return json.load(file)
    clients = {name: load(name) for name in run.cell.clients}
    rates = {name: report["answered"] / max(1, report["real_elapsed_ns"]) for name, report in clients.items()}
    values = []
    for metric in plan["metrics"]:
        try:
            if metric.startswith("service."):
                values.append(("", metric, member(load("service"), metric.partition(".")[2])))
                continue
            for name, report in clients.items():
                value = rates[name] / sum(rates.values()) if metric == "share" else member(report, metric)
                values.append((name, metric, value))
        except (KeyError, TypeError):
            raise Failure("there is no number '%s' in the JSON" % metric) from None
    return values


def collect(runs, plan, out):
    """Writes results.csv; returns {(arm, client, metric): {round: value}}."""
    table = {}
    factors = list(plan["factors"])
    path = os.path.join(out, "results.csv")
    with open(path + ".part", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["round", "seed", *factors, "again", "client", "metric", "value"])
        for run in sorted(runs, key=lambda run: run.name):
            for client, metric, value in values_of(run, plan, os.path.join(out, "runs", run.name)):
                writer.writerow([run.round, run.seed, *run.cell.levels.values(), int(run.again), client, metric,
                                 "%.10g" % value])
                table.setdefault((run.arm(), client, metric), {})[run.round] = value
    os.replace(path + ".part", path)
    return table


def figure(value):
    """Five digits, as people write them: no power of ten."""
    rounded = float("%.5g" % value)
    return format(int(rounded), ",") if abs(rounded) >= 10000 else "%.5g" % rounded


def spread(values, form=figure):
    values = sorted(values)
    return "%s (%s..%s)" % tuple(map(form, (statistics.median(values), values[0], values[-1])))


def ratios(table, arm, base, client, metric):
    above, below = table[arm, client, metric], table[base, client, metric]
    return [above[number] / below[number] for number in above if below[number] > 0]


def distance(ratio):
    """From 1, the same for twice as much and half as much."""
    return max(ratio, 1 / ratio) if ratio > 0 else float("inf")


def compare(table, cells, plan):
    """Rows (metric, client, arm, values, ratios, verdict)."""
    base = cells[0].label
    groups = list(dict.fromkeys((metric, client) for _, client, metric in table))
    for metric, client in groups:
        same = ratios(table, AGAIN, base, client, metric)
        noise = max(map(distance, same)) if same else None
        for arm in [base, AGAIN, *(cell.label for cell in cells[1:])]:
            values = list(table[arm, client, metric].values())
            quotients = ratios(table, arm, base, client, metric)
            if arm in (base, AGAIN):
                verdict = ""
            elif noise is None or not quotients:
                verdict = "not to be told: zeros"
            else:
                differs = distance(statistics.median(quotients)) > noise
                verdict = "**differs**" if differs else "within A/A"
            yield metric, client, arm, values, [] if arm == base else quotients, verdict


def write_summary(rows, plan, runs, out, plots):
    rounds = runs[-1].round
    lines = ["# " + plan["question"], "",
             "%d rounds, %d runs. Medians, in brackets the smallest and the largest round. Ratios are to the first row, "
             "round by round." % (rounds, len(runs)),
             "A cell differs where its median ratio is farther from 1 than any ratio of A/A, the first cell run twice."]
    if rounds < 5:
        lines.append("With so few rounds A/A shows little of the noise: more repetitions tell more.")
    last = None
    for metric, client, arm, values, quotients, verdict in rows:
        if (metric, client) != last:
            last = metric, client
            lines += ["", "## %s%s" % (metric, " of " + client if client else ""), "",
                      "| cell | %s | ratio | |" % metric, "| --- | ---: | ---: | --- |"]
        lines.append("| %s | %s | %s | %s |" % (arm, spread(values), spread(quotients, "{:.4f}".format) if quotients else "", verdict))
    lines += ["", plots, ""]
    with open(os.path.join(out, "summary.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    return "\n".join(lines)
