#!/usr/bin/env python3
"""A peer's process: loads one model at one precision, then runs what it is told a line of JSON at a time.

    worker.py PEER PRECISION FOLDER CACHE THREADS              (bench/contestants.py starts it)

Converting the model to the peer's own format happens first and in another process, so that the memory
measured is the peer's alone. {"missing": why} instead of an answer: this peer cannot be measured here.
"""

import json
import multiprocessing
import os
import sys
import time

import models
import peers
import workloads


def prepare(peer, precision, folder, place):
    try:
        models.once(place, peer.VERSION, lambda: peer.prepare(folder, precision, place))
    except Exception as error:  # whatever a library raises; the reason goes up in the exit text
        raise SystemExit(f"cannot convert {os.path.basename(folder)}: {type(error).__name__}: {error}") from error


def load(name, precision, folder, cache, threads):
    peer = peers.PEERS[name].load()
    place = os.path.join(cache, f"{name}-{precision}", os.path.basename(folder))
    if hasattr(peer, "prepare"):
        child = multiprocessing.get_context("spawn").Process(target=prepare, args=(peer, precision, folder, place))
        child.start()
        child.join()
        if child.exitcode:
            raise RuntimeError("it cannot convert the model (its words are above)")
        folder = place
    return peer(folder, precision, threads)


def main():
    name, precision, folder, cache, threads = sys.argv[1:]
    say = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not an answer

    def tell(**what):
        say.write(json.dumps(what) + "\n")
        say.flush()

    try:
        peer = load(name, precision, folder, cache, int(threads))
    except Exception as error:
        return tell(missing=f"{type(error).__name__}: {error}")
    tell(version=peer.version())
    by_name = {work["name"]: work for work in workloads.WORKLOADS}
    for line in sys.stdin:
        asked = json.loads(line)
        work, times, seconds = by_name[asked["work"]], 1, []
        if not peers.PEERS[name].together:
            work, times = {**work, "streams": 1}, work.get("streams", 1)
        try:
            for _ in range(asked["calls"]):
                start = time.perf_counter()
                answer = peer.run(work)
                seconds.append(times * (time.perf_counter() - start))
        except Exception as error:
            return tell(missing=f"{type(error).__name__}: {error}")
        tell(seconds=seconds, answer=answer * times)


if __name__ == "__main__":
    main()
