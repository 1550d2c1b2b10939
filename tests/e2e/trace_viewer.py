# SPDX-License-Identifier: MIT
"""Does a viewer see in a trace what the file has? trace_viewer.py TRACE.json VIEWER.html [PICTURE.png]

VIEWER.html is the trace in catapult's viewer (trace2html), which a headless Chromium opens by way of
chromedriver. The viewer's model is to have as many slices, asynchronous slices, arrows, counters' samples,
processes and threads as the file, by the same names, and no complaint. PICTURE: a request of a domain, from
close by, with all arrows.
"""
import base64
import collections
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PATIENCE_S = 60 * float(os.environ.get("TIMEOUT_FACTOR", "1"))

SEEN = """
const view = document.querySelector('tr-ui-timeline-view');
if (!view || !view.model) return null;
const model = view.model, seen = {flows: model.flowEvents.length, processes: {}, joined: 0,
                                  warnings: model.importWarnings.map(w => w.message)};
for (const flow of model.flowEvents)
    seen.joined += flow.startSlice && flow.endSlice ? 1 : 0;
for (const process of Object.values(model.processes)) {
    const one = {name: process.name, threads: {}, slices: 0, asynchronous: 0, samples: 0};
    for (const thread of Object.values(process.threads)) {
        if (thread.name) one.threads[thread.tid] = thread.name;
        one.slices += thread.sliceGroup.length;
        one.asynchronous += thread.asyncSliceGroup.length;
    }
    for (const counter of Object.values(process.counters)) one.samples += counter.timestamps.length;
    seen.processes[process.pid] = one;
}
return seen;
"""

LOOK_CLOSELY = """
const view = document.querySelector('tr-ui-timeline-view'), track = view.trackView_;
for (const part of [view.$.analysis, view.$.side_panel_container, track.mouseModeSelector_])
    part.style.display = 'none';
const domain = Object.values(view.model.processes).find(p => p.pid > 0);
const requests = Object.values(domain.threads)[0].asyncSliceGroup.slices, request = requests[requests.length >> 1];
const transform = track.viewport.currentDisplayTransform.clone();
transform.xSetWorldBounds(request.start - 0.2 * request.duration, request.end + 0.2 * request.duration,
                          track.modelTrackContainer_.canvas.clientWidth);
track.viewport.setDisplayTransformImmediately(transform);
track.viewport.selectedFlowEvents = new Set(['way']);
"""


class Browser:
    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        self.session = None
        try:
            self.until(self.is_ready, "chromedriver does not answer")
            arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,620",
                         f"--user-data-dir={folder}"]
            wanted = {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}
            self.session = self.ask("POST", "/session", {"capabilities": wanted})["sessionId"]
        except BaseException:
            self.end()
            raise

    def until(self, condition, complaint):
        limit = time.monotonic() + PATIENCE_S
        while not (value := condition()):
            if time.monotonic() > limit:
                sys.exit(complaint)
            time.sleep(0.1)
        return value

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"},
                                         method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)["value"]

    def is_ready(self):
        try:
            return self.ask("GET", "/status")["ready"]
        except OSError:
            return False

    def do(self, what, body=None, method="POST"):
        return self.ask(method, f"/session/{self.session}{what}", body)

    def run(self, script):
        return self.do("/execute/sync", {"script": script, "args": []})

    def end(self):
        try:
            if self.session:
                self.do("", method="DELETE")
        finally:
            self.driver.terminate()
            self.driver.wait()


def expected(events):
    """The same of the file."""
    processes = collections.defaultdict(lambda: {"name": "", "threads": {}, "slices": 0, "asynchronous": 0, "samples": 0})
    flows = 0
    for event in events:
        process = processes[event["pid"]]
        if event["ph"] == "M" and event["name"] == "process_name":
            process["name"] = event["args"]["name"]
        elif event["ph"] == "M":
            process["threads"][str(event["tid"])] = event["args"]["name"]
        process["slices"] += event["ph"] == "X"
        process["asynchronous"] += event["ph"] == "b"
        process["samples"] += event["ph"] == "C"
        flows += event["ph"] in "tf" # from the place before
    return {"flows": flows, "joined": flows, "processes": {str(pid): p for pid, p in processes.items()}, "warnings": []}


def main():
    trace, viewer = sys.argv[1:3]
    with open(trace, encoding="utf-8") as file:
        want = expected(json.load(file)["traceEvents"])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(folder)
        try:
            browser.do("/url", {"url": "file://" + os.path.abspath(viewer)})
            seen = browser.until(lambda: browser.run(SEEN), "the viewer shows no model")
            if len(sys.argv) > 3:
                browser.run(LOOK_CLOSELY)
                time.sleep(1)  # it is drawn with the next frames; nothing is judged by the picture
                with open(sys.argv[3], "wb") as file:
                    file.write(base64.b64decode(browser.do("/screenshot", method="GET")))
        finally:
            browser.end()
    for name, value in want.items():
        if seen[name] != value:
            sys.exit(f"{name}: the viewer has {seen[name]}, and the file {value}")
    print(f"{len(want['processes'])} processes, {want['flows']} arrows, "
          f"{sum(p['slices'] for p in want['processes'].values())} slices, "
          f"{sum(p['asynchronous'] for p in want['processes'].values())} asynchronous ones")


main()
