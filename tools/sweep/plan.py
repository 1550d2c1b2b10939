# SPDX-License-Identifier: MIT
"""plan: the file of an experiment, its cells and its runs in their order."""
import itertools
import json
import random
import re
import shlex

AGAIN = "A/A"  # the second run of the first cell
DEFAULTS = {"question": None, "image_mib": 16, "service": "", "clients": None, "factors": {}, "tdf": [], "seeds": [1],
            "repetitions": 3, "metrics": ["requests_per_second", "latency_ns.p50", "latency_ns.p99"],
            "latencies": False, "limit_s": 600}
LEVEL = {"service": str, "client": str, "clients": dict, "weights": dict}


class Wrong(Exception):
    """What the file says is no experiment."""


def check(plan):
    """Returns what is wrong, or None."""
    for key, value in plan.items():
        if key not in DEFAULTS:
            return "there is no member '%s'" % key
        if DEFAULTS[key] is not None and type(value) is not type(DEFAULTS[key]):
            return "'%s' must be like %s" % (key, json.dumps(DEFAULTS[key]))
    if not isinstance(plan.get("question"), str):
        return "'question' is missing"
    clients = plan.get("clients")
    if not isinstance(clients, dict) or not clients or not all(isinstance(value, str) for value in clients.values()):
        return "'clients' must be an object of options"
    for factor, levels in plan.get("factors", {}).items():
        if not isinstance(levels, dict) or not levels:
            return "factor '%s' must be an object of levels" % factor
        for name, level in levels.items():
            where = "level '%s' of factor '%s'" % (name, factor)
            if not isinstance(level, dict) or any(not isinstance(value, LEVEL.get(key, ())) for key, value in level.items()):
                return "%s: service and client are options, clients and weights are objects; nothing else" % where
            for client in [*level.get("clients", {}), *level.get("weights", {})]:
                if client not in clients:
                    return "%s: there is no client '%s'" % (where, client)
    if plan.get("tdf") and "tdf" in plan.get("factors", {}):
        return "'tdf' and a factor of this name"
    if plan.get("repetitions", 1) < 1 or not plan.get("seeds", [1]) or not plan.get("metrics", [1]):
        return "at least one repetition, one seed and one metric"
    return None


def read_plan(path):
    try:
        with open(path, encoding="utf-8") as file:
            plan = json.load(file)
    except OSError as error:
        raise Wrong("cannot read %s: %s" % (path, error.strerror)) from None
    except ValueError as error:
        raise Wrong("%s is no JSON: %s" % (path, error)) from None
    wrong = "not an object" if not isinstance(plan, dict) else check(plan)
    if wrong is not None:
        raise Wrong("%s: %s" % (path, wrong))
    plan = {**DEFAULTS, **plan}
    if plan["tdf"]:
        plan["factors"]["tdf"] = {str(tdf): {"client": "--tdf %s" % tdf} for tdf in plan["tdf"]}
    return plan


class Cell:
    """A level of each factor, and what follows from them."""

    def __init__(self, plan, levels):
        self.levels = levels  # factor -> name of the level
        self.label = ", ".join("%s %s" % pair for pair in levels.items()) or "the only cell"
        chosen = [plan["factors"][factor][level] for factor, level in levels.items()]
        self.service = shlex.split(" ".join([plan["service"]] + [level.get("service", "") for level in chosen]))
        self.clients = {}
        self.weights = {}
        for name, options in plan["clients"].items():
            words = [options] + [text for level in chosen
                                 for text in (level.get("client", ""), level.get("clients", {}).get(name, ""))]
            self.clients[name] = shlex.split(" ".join(words))
        for level in chosen:
            self.weights.update(level.get("weights", {}))


def cells_of(plan):
    names = list(plan["factors"])
    return [Cell(plan, dict(zip(names, levels))) for levels in itertools.product(*plan["factors"].values())]


class Run:
    """One run of one cell, in one round."""

    def __init__(self, number, cell, again, round_number, seed):
        self.cell, self.again, self.round, self.seed = cell, again, round_number, seed
        label = re.sub("[^A-Za-z0-9.]+", "-", cell.label)[:60].strip("-")
        self.name = "round%03d-%02d-%s%s" % (round_number, number, label, "-again" if again else "")

    def arm(self):
        return AGAIN if self.again else self.cell.label


def runs_of(plan, cells):
    """All runs in their order, which is the same each time."""
    runs = []
    seeds = [seed for _ in range(plan["repetitions"]) for seed in plan["seeds"]]
    for round_number, seed in enumerate(seeds, 1):
        row = [Run(number, cell, False, round_number, seed) for number, cell in enumerate(cells)]
        row.append(Run(0, cells[0], True, round_number, seed))
        random.Random(round_number).shuffle(row)
        runs += row
    return runs
