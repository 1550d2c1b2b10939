# SPDX-License-Identifier: MIT
"""run: one run of a cell, with a service and clients of its own, and all of them in turn."""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

from sweep.figures import values_of
from sweep.programs import BIN, TOP, Failure, command


def end_service(rundir):
    """Its clients end with it."""
    subprocess.run([BIN + "/service", "stop", "--rundir", rundir, "--name", "experiment"], capture_output=True,
                   check=False)
    shutil.rmtree(rundir, ignore_errors=True)


def end_left_over(part):
    """What goes on since this experiment was killed (SIGKILL) would disturb the next run."""
    try:
        with open(os.path.join(part, "rundir"), encoding="utf-8") as file:
            rundir = file.read()
    except FileNotFoundError:
        return
    if re.fullmatch(r"/tmp/splitdom-experiment\.\w+", rundir):
        end_service(rundir)


class Service:
    """Of one run, in a directory of its own for sockets; ended with the block. part remembers that directory meanwhile."""

    def __init__(self, options, image, part):
        options = [option.replace("{image}", image) for option in options]
        if not any(image in option for option in options):
            options += ["--image", image]
        self.options = options
        self.note = os.path.join(part, "rundir")

    def __enter__(self):
        self.rundir = tempfile.mkdtemp(prefix="splitdom-experiment.", dir="/tmp")
        self.where = ["--rundir", self.rundir, "--name", "experiment"]
        try:
            with open(self.note, "w", encoding="utf-8") as file:
                file.write(self.rundir)
            command([BIN + "/service", "start", *self.where, *self.options])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        end_service(self.rundir)
        os.unlink(self.note)

    def status(self):
        return json.loads(command([BIN + "/service", "status", "--json", *self.where]))

    def set_weight(self, process, weight, end):
        """As soon as the domain of this process is there; not after its end, or that of the time."""
        while process.poll() is None and time.monotonic() < end:
            for domain in self.status()["domains"]:
                if domain["client_pid"] == process.pid and domain["state"] == "Connected":
                    command([BIN + "/service", "set", str(domain["domid"]), "weight", str(weight), *self.where])
                    return
            time.sleep(0.01)
        raise Failure("the domain of %s was not there long enough to get its weight" % shlex.join(process.args))


def run_clients(service, run, plan, part):
    """All at once, to their ends; each leaves NAME.json, and NAME.latencies."""
    processes = {}
    try:
        for number, (name, words) in enumerate(run.cell.clients.items()):
            words = [BIN + "/client", *words, "--seed", str(run.seed + number), "--json", "--no-record",
                     "--no-progress", *service.where]
            if plan["latencies"]:
                words += ["--dump-latencies", os.path.join(part, name + ".latencies")]
            with open(os.path.join(part, name + ".json"), "wb") as out, \
                    open(os.path.join(part, name + ".stderr"), "wb") as errors:
                processes[name] = subprocess.Popen(words, stdout=out, stderr=errors, cwd=part)
        end = time.monotonic() + plan["limit_s"]
        for name, weight in run.cell.weights.items():
            service.set_weight(processes[name], weight, end)
        for name, process in processes.items():
            try:
                process.wait(max(0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise Failure("client %s has not ended after limit_s, %s s" % (name, plan["limit_s"])) from None
            with open(os.path.join(part, name + ".stderr"), encoding="utf-8", errors="replace") as errors:
                text = errors.read().strip()
            if process.returncode != 0:
                raise Failure("client %s: %s: exit %d: %s" % (name, shlex.join(process.args), process.returncode, text))
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()


def execute(run, plan, out):
    """Leaves runs/NAME, which is whole or not there."""
    part = os.path.join(out, "part")
    end_left_over(part)
    shutil.rmtree(part, ignore_errors=True)
    os.mkdir(part)
    image = os.path.join(out, "disk.img")
    if not os.path.exists(image):
        command([os.path.join(TOP, "disk1.img.sh"), str(plan["image_mib"]), image])
    with Service(run.cell.service, image, part) as service:
        run_clients(service, run, plan, part)
        with open(os.path.join(part, "service.json"), "w", encoding="utf-8") as file:
            json.dump(service.status(), file)
    values_of(run, plan, part)  # a metric that is not there is told at the first run
    os.rename(part, os.path.join(out, "runs", run.name))


def execute_all(runs, plan, out):
    left = [run for run in runs if not os.path.isdir(os.path.join(out, "runs", run.name))]
    if len(left) < len(runs):
        print("experiment: %d of %d runs are there" % (len(runs) - len(left), len(runs)), file=sys.stderr)
    begin = time.monotonic()
    for done, run in enumerate(left):
        spent = time.monotonic() - begin
        remaining = ", about %d s left" % round(spent / done * (len(left) - done)) if done else ""
        print("run %d of %d%s: %s" % (len(runs) - len(left) + done + 1, len(runs), remaining, run.name),
              file=sys.stderr, flush=True)
        try:
            execute(run, plan, out)
        except Failure as error:
            raise Failure("run %s failed: %s\nthe %d runs before it are kept in %s" %
                          (run.name, error, len(runs) - len(left) + done, out)) from None
