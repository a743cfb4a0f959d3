"""A thousand kept connections with mixed tasks, some of whose clients leave: does the server stay
whole, small and quick?

    python3 tests/soak.py build/release/brisk [--connections 1000] [--seconds 120] [--leave 0.05]

Each connection asks one thing after the other, of all tasks, with short pauses; at each request the
client leaves with the given probability, without waiting for the answer, and another one comes in
its place. Checked: no error but those of leaving; the memory of the server is steady (second half
against the first); in the end all work of those who left has stopped. Standard library only. Prints
p50 and p99 a task, requests a second, and the memory over time. Exit 1 when a check fails.
"""
import argparse
import asyncio
import collections
import json
import pathlib
import random
import resource
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import driver

GROWTH_BYTES = 16 << 20   # memory may differ by so much between the halves, beside a tenth
SETTLE_SECONDS = 10       # for the work of those who left


def bodies():
    """(kind, path, body) of every task; texts of different lengths, generation of up to 64 tokens."""
    found = [(case["task"], f"/pipeline/{case['task']}/{model}", case["body"])
             for model, cases in driver.golden_cases() for case in cases[:6]]
    for n in (8, 32, 64):
        for speaker in ("ROMEO:", "JULIET: O", "KING HENRY: What"):
            found.append(("text-generation", "/models/brisk/tiny-writer",
                          {"inputs": speaker, "parameters": {"max_new_tokens": n, "temperature": 0.8, "top_k": 40}}))
    for n in (1, 10, 40):
        found.append(("text-classification", "/models/brisk/tiny-sentiment", {"inputs": "a fine film " * n}))
    return found


class Tally:
    def __init__(self):
        self.seconds = collections.defaultdict(list)
        self.errors = collections.Counter()
        self.left = self.asked = 0


def encode(path, body, cached):
    data = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: soak", "Content-Type: application/json", f"Content-Length: {len(data)}"]
    if not cached:
        lines.append("x-use-cache: false")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


async def read_answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    status = int(lines[0].split()[1])
    length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:"))
    return status, await reader.readexactly(length)


async def client(port, requests, tally, until, leave, rng):
    """One place: a connection for as long as its client stays, then the next."""
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            tally.errors[f"connect: {error}"] += 1
            await asyncio.sleep(0.1)
            continue
        try:
            await one_connection(reader, writer, requests, tally, until, leave, rng)
        except (OSError, asyncio.IncompleteReadError) as error:
            tally.errors[f"connection: {type(error).__name__} {error}"] += 1
        finally:
            writer.close()


async def one_connection(reader, writer, requests, tally, until, leave, rng):
    while time.monotonic() < until:
        kind, path, body = rng.choice(requests)
        writer.write(encode(path, body, cached=rng.random() < 0.1))
        await writer.drain()
        tally.asked += 1
        if rng.random() < leave:
            await asyncio.sleep(rng.random() * 0.05)
            writer.transport.abort()
            tally.left += 1
            return
        began = time.monotonic()
        status, answer = await read_answer(reader)
        tally.seconds[kind].append(time.monotonic() - began)
        if status != 200:
            tally.errors[f"{status} {answer[:200]!r}"] += 1
        await asyncio.sleep(rng.random() * 0.02)


async def watch(server, until, every):
    """Memory over time: [(second, bytes)]."""
    began, points = time.monotonic(), []
    while time.monotonic() < until:
        points.append((time.monotonic() - began, server.rss_bytes()))
        await asyncio.sleep(every)
    return points


async def soak(server, args, tally):
    requests = bodies()
    until = time.monotonic() + args.seconds
    watcher = asyncio.create_task(watch(server, until, max(1, args.seconds / 12)))
    places = [client(server.port, requests, tally, until, args.leave, random.Random(i)) for i in range(args.connections)]
    await asyncio.gather(*places)
    return await watcher


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def check_memory(points):
    """Medians of the third quarter and the last one; models are loaded by then."""
    half = [rss for _, rss in points[len(points) // 2:]]
    middle = len(half) // 2
    before, after = percentile(half[:middle], 0.5), percentile(half[middle:], 0.5)
    return after - before <= max(GROWTH_BYTES, before // 10), before, after


def report(server, args, tally, points, took):
    everything = [s for seconds in tally.seconds.values() for s in seconds]
    print(f"{tally.asked} requests on {args.connections} connections in {took:.0f} s "
          f"({len(everything) / took:.0f} answers a second), {tally.left} clients left")
    for kind, seconds in sorted(tally.seconds.items()):
        print(f"  {kind:26} {len(seconds):7}  p50 {percentile(seconds, 0.5) * 1e3:7.1f} ms  "
              f"p99 {percentile(seconds, 0.99) * 1e3:7.1f} ms")
    print(f"  {'all':26} {len(everything):7}  p50 {percentile(everything, 0.5) * 1e3:7.1f} ms  "
          f"p99 {percentile(everything, 0.99) * 1e3:7.1f} ms")
    print("  memory (MiB at second): " + "  ".join(f"{rss >> 20} at {second:.0f}" for second, rss in points))
    for text, n in tally.errors.most_common(10):
        print(f"  error, {n} times: {text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--leave", type=float, default=0.05, help="share of requests whose client leaves")
    args = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, args.connections * 2 + 100)), hard))

    tally, failures = Tally(), []
    with driver.Server(args.binary.resolve(), (driver.MODELS, driver.GOLDEN)) as server:
        began = time.monotonic()
        points = asyncio.run(soak(server, args, tally))
        took = time.monotonic() - began
        stopped = server.wait_for(lambda: server.metrics()["brisk_queued_items"] == 0, SETTLE_SECONDS)
        steps = server.metrics()["brisk_steps_total"]
        server.ended.wait(1)
        figures = server.metrics()
        report(server, args, tally, points, took)
        cancelled, own = (figures[f'brisk_requests_total{{outcome="{kind}"}}'] for kind in ("cancelled", "server_error"))
        print(f"  the server counts {cancelled:.0f} cancelled requests, {own:.0f} errors of its own")
        if tally.errors:
            failures.append(f"{sum(tally.errors.values())} errors")
        if not stopped or figures["brisk_steps_total"] != steps:
            failures.append("work of those who left goes on")
        if tally.left > 50 and cancelled == 0:
            failures.append("no request was cancelled")
        steady, before, after = check_memory(points)
        if not steady:
            failures.append(f"memory grows: {before >> 20} MiB, later {after >> 20} MiB")
        server.terminate()
        if server.wait() != 0:
            failures.append(f"exit code: {server.output()}")
    print("soak: " + ("; ".join(failures) if failures else "steady, no error"))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
