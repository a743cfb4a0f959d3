"""Who is measured: Brisk as a client sees it, and peers, each with one model in a process of its own.

A contestant has run(work), timed(work), memory_mib() and stop(). Those whose turn it is not stand still (rest
and go on: SIGSTOP, SIGCONT), so that threads that wait in a loop for more work take nothing from the one that runs.
"""

import ctypes
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

import workloads

PR_SET_PDEATHSIG = 1
HERE = os.path.dirname(os.path.abspath(__file__))


class Missing(Exception):
    """A peer that cannot be measured here, and why."""


def _end_with_parent():
    """In the child: killed when this program is, for what rests would otherwise rest for ever."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """What all contestants are."""

    process = None

    def start(self, command, **options):
        """In a session of its own: the kernel wakes stopped members of a process group that loses its parent."""
        self.process = subprocess.Popen(command, preexec_fn=_end_with_parent, start_new_session=True, **options)

    def rest(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def memory_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Connection:
    """One kept connection. The plainest client there is: Python's http.client alone takes a quarter of a
    small request's time."""

    def __init__(self, port):
        self.port, self.socket = port, None

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method, path, body):
        """One request: (status, body)."""
        if self.socket is None:
            self.connect()
        head = (f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n")
        self.socket.sendall(head.encode() + body)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.receive()
        head, _, rest = got.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
        while len(rest) < length:
            rest += self.receive()
        return int(head.split()[1]), rest

    def receive(self):
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise ConnectionResetError
        return piece

    def post(self, path, body):
        """The answer's JSON."""
        try:
            status, answer = self.ask("POST", path, body)
        except (BrokenPipeError, ConnectionResetError):  # closed while another one was measured
            self.socket = None
            status, answer = self.ask("POST", path, body)
        if status != 200:
            raise SystemExit(f"brisk answered {status}: {answer}")
        return json.loads(answer)


class Brisk(Process):
    """One `brisk serve` process, and a kept connection for each stream at once."""

    def __init__(self, binary, root, precision, threads, speculate=False):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.start(
            [binary, "serve", "--port", str(self.port), "--models", root, "--precision", precision,
             "--threads", str(threads), "--cache-dir", "none", "--no-auth", "--prefix-reuse", "off",
             "--speculate", "on" if speculate else "off"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.connections = [Connection(self.port)]
        for _ in range(600):
            try:
                self.connections[0].ask("GET", "/health", b"")
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("brisk serve does not answer")

    def post(self, task, model, body):
        return self.connections[0].post(f"/pipeline/{task}/{model}", json.dumps(body).encode())

    def run(self, work):
        return workloads.of_brisk(work, self._ask(work))

    def _ask(self, work):
        """The answers of all streams, which ask at the same time."""
        path = f"/pipeline/{workloads.task(work)}/{work['model']}"
        body, streams = json.dumps(workloads.body(work)).encode(), work.get("streams", 1)
        while len(self.connections) < streams:
            self.connections.append(Connection(self.port))
        if streams == 1:
            return [self.connections[0].post(path, body)]
        answers = [None] * streams

        def one(i):
            answers[i] = self.connections[i].post(path, body)

        threads = [threading.Thread(target=one, args=(i,)) for i in range(streams)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if None in answers:
            raise SystemExit("brisk did not answer all streams")
        return answers

    def timed(self, work):
        """Seconds a call: the median of the round's calls."""
        seconds = []
        for _ in range(work["calls"]):
            start = time.perf_counter()
            self._ask(work)
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)


class Peer(Process):
    """bench/worker.py with one peer (a row of peers.PEERS), model and precision. It takes the time itself."""

    def __init__(self, name, precision, folder, cache, threads):
        self.start(
            [sys.executable, os.path.join(HERE, "worker.py"), name, precision, folder, cache, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.ready = self._told()
        except Missing:
            self.process.wait()
            raise

    def _told(self):
        line = self.process.stdout.readline()
        told = json.loads(line) if line else {"missing": f"ended with status {self.process.wait()}"}
        if "missing" in told:
            raise Missing(told["missing"])
        return told

    def _tell(self, work, calls):
        self.process.stdin.write(json.dumps({"work": work["name"], "calls": calls}) + "\n")
        self.process.stdin.flush()
        return self._told()

    def run(self, work):
        return self._tell(work, 1)["answer"]

    def timed(self, work):
        return statistics.median(self._tell(work, work["calls"])["seconds"])
