"""Starts a `brisk serve` of its own for a test, waits until it answers, and ends it by its own
process id. Also asks it things over one kept connection. Standard library only; used by tests/http,
tests/clients, tests/mixed.py and tests/soak.py.
"""
import atexit
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODELS = ROOT / "models"
GOLDEN = ROOT / "tests/golden"

# What is started here keeps nothing in the user's cache (packed weights would go there).
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="brisk-test-cache-")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)


def golden_cases():
    """(model, cases) of every golden model; the tokenizers' goldens are of another kind."""
    for path in sorted(GOLDEN.glob("*/*/cases.json")):
        cases = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(cases, list):
            yield f"{path.parent.parent.name}/{path.parent.name}", cases


def difference(got, wanted, tolerance, path="answer"):
    """Where an answer is not the expected one, in words; None when it is. Warnings may come on top:
    goldens know none. Numbers with a fraction may differ by the tolerance, or that share of them."""
    if isinstance(wanted, float):
        near = isinstance(got, (int, float)) and abs(got - wanted) <= tolerance * max(1, abs(wanted))
        return None if near else f"{path}: got {got!r}, wanted {wanted!r}"
    if isinstance(wanted, dict) and isinstance(got, dict):
        keys = sorted(set(got) - ({"warnings"} - set(wanted)))
        if keys != sorted(wanted):
            return f"keys of {path}: got {keys!r}, wanted {sorted(wanted)!r}"
        pairs = [(got[key], wanted[key], f"{path}.{key}") for key in wanted]
    elif isinstance(wanted, list) and isinstance(got, list):
        if len(got) != len(wanted):
            return f"length of {path}: got {len(got)}, wanted {len(wanted)}"
        pairs = [(*pair, f"{path}[{i}]") for i, pair in enumerate(zip(got, wanted))]
    else:
        return None if got == wanted else f"{path}: got {got!r}, wanted {wanted!r}"
    return next(filter(None, (difference(a, b, tolerance, where) for a, b, where in pairs)), None)


def slowness(binary):
    """How many times slower a build with sanitizers may be."""
    text = str(binary)
    return 20 if "tsan" in text else 6 if "asan" in text else 1


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {k.lower(): v for k, v in headers}

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Client:
    """One kept connection; a new one after so long without a request that the server may have closed it."""

    KEPT_SECONDS = 60  # the server: LIMIT_IDLE_SECONDS

    def __init__(self, port, timeout=60):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.used = time.monotonic()

    def call(self, method, path, body=None, headers=None):
        """body: bytes as they are, anything else as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        if time.monotonic() - self.used > self.KEPT_SECONDS:
            self.connection.close()
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            answer = Answer(response.status, response.getheaders(), response.read())
        except Exception:
            self.connection.close()  # what comes next is another matter
            raise
        self.used = time.monotonic()
        return answer

    def run(self, model, inputs, parameters=None, task=None, headers=None, **more):
        body = {"inputs": inputs} | ({"parameters": parameters} if parameters else {}) | more
        path = f"/pipeline/{task}/{model}" if task else f"/models/{model}"
        return self.call("POST", path, body, headers)

    def close(self):
        self.connection.close()


class Server:
    """with Server(binary, folders) as server: …"""

    def __init__(self, binary, folders=(MODELS,), options=()):
        self.binary, self.slow = binary, slowness(binary)
        command = [str(binary), "serve", "--host", "127.0.0.1", "--port", "0", "--no-auth"]
        for folder in folders:
            command += ["--models", str(folder)]
        self.lines, self.port = [], None
        self.listening, self.ended = threading.Event(), threading.Event()
        self.process = subprocess.Popen(command + list(options), stdin=subprocess.DEVNULL, cwd=ROOT, bufsize=0,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self.read_output, daemon=True)
        self.reader.start()
        if not self.listening.wait(10 * self.slow) or self.port is None:
            raise RuntimeError(f"brisk did not start: {self.output()}")
        if self.client().call("GET", "/health").status != 200:
            raise RuntimeError(f"brisk is not well: {self.output()}")

    def read_output(self):
        """Keeps what the server says; its first line tells the port that it was given."""
        for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace"))
            found = re.match(r"listening on \S+:(\d+)", self.lines[-1])
            if found and not self.listening.is_set():
                self.port = int(found[1])
                self.listening.set()
        self.ended.set()
        self.listening.set()

    def client(self):
        return Client(self.port, timeout=60 * self.slow)

    def metrics(self):
        """Values by name, with labels as they stand in the text."""
        text = self.client().call("GET", "/metrics").body.decode()
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in rows}

    def wait_for(self, condition, seconds=20):
        """Asks again and again; false when the time is over or the server has ended."""
        until = time.monotonic() + seconds * self.slow
        while not condition():
            if time.monotonic() > until or self.ended.wait(0.01):
                return False
        return True

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds=30):
        """The exit code; None when it did not end (then it is killed)."""
        try:
            return self.process.wait(seconds * self.slow)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def output(self):
        return "".join(self.lines)[-6000:]

    def stop(self):
        """Ends it with SIGTERM; AssertionError with what it said when it ends otherwise than with 0, which
        is also how sanitizers tell of a race or a leak."""
        self.terminate()
        code = self.wait()
        self.reader.join()
        if code != 0:
            raise AssertionError(f"the server ended with {code}: {self.output()}")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            self.reader.join()
            self.process.stdout.close()
