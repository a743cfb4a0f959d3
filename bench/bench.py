#!/usr/bin/env python3
"""Brisk against its peers on equal models, side by side in one run.

Each round runs every contestant once, one after the other (A B C A B C …), so that a machine
whose speed drifts drifts for all. The figure of a pair is the median of the rounds' ratios, with the
smallest and the largest. Brisk is measured as a client sees it: one HTTP request to `brisk serve`
on a kept connection, JSON and tokenizing included; the peers (bench/peers) inside their own
processes: tokenizer, model and what follows it. Answers are compared, so that the work is equal.

Writes tables, a chart and the raw figures into the folder of results. See `make bench`.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import chart  # noqa: E402
import models  # noqa: E402
import peers  # noqa: E402
import results  # noqa: E402
import workloads  # noqa: E402
from contestants import Brisk, Missing, Peer  # noqa: E402
from results import spread  # noqa: E402, F401 (cold.py's too)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMMITTED = os.path.join(ROOT, "bench/results")
SCRATCH = os.path.join(ROOT, "build/bench/results")


def options_of(doc, rounds=7):
    """What the programs that measure Brisk alone are asked: a parser, to which each adds its own."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--brisk", default=os.path.join(ROOT, "build/brisk"))
    parser.add_argument("--models", default=os.path.join(ROOT, "build/bench/models"))
    parser.add_argument("--results", default=COMMITTED)
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--threads", type=int, default=2)
    return parser


def machine_limits(args):
    """What all threads of this machine can do together just now, by the kernels' benchmark: bytes/s read, operations/s."""
    out = subprocess.run([args.kernels, "--peaks", "--json", "--threads", str(args.threads)], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)


def largest(limits):
    """The machine's peaks: the most of each that was seen."""
    return {k: max(of[k] for of in limits) if isinstance(v, float | int) else v for k, v in limits[0].items()}


class Contest:
    """All who run a model, each in a process of its own. Leaves out, with a word, who cannot."""

    def __init__(self, args, model, speculate, kinds, missing):
        self.args, self.model, self.speculate, self.kinds, self.missing, self.of = args, model, speculate, kinds, missing, {}

    def start(self):
        args, folder = self.args, models.make(self.args.models, self.model)
        wanted = workloads.precisions(self.kinds, args.precisions)
        for name in args.peers:
            row = peers.PEERS[name]
            for precision in row.precisions if self.kinds & set(row.kinds) else ():
                if precision in wanted or (name, precision) == results.BASE:
                    self._add(name, precision, lambda: Peer(name, precision, folder, args.cache, args.threads))
        for precision in wanted:
            self._add("brisk", precision, lambda: Brisk(
                args.brisk, args.models, precision, args.threads, self.speculate))

    def _add(self, who, precision, start):
        try:
            contestant = start()
        except Missing as why:
            return self._leave_out(who, precision, why)
        contestant.rest()
        self.of[who, precision] = contestant

    def _leave_out(self, who, precision, why):
        word = f"{peers.title(who, precision)}: {why}"
        print(f"  left out: {word}", file=sys.stderr)
        if word not in self.missing:
            self.missing.append(word)

    def each(self, work, do):
        """{who: do(contestant)} of those that run such work, in turn."""
        got = {}
        for who, contestant in list(self.of.items()):
            if who[0] != "brisk" and work["kind"] not in peers.PEERS[who[0]].kinds:
                continue
            contestant.go_on()
            try:
                got[who] = do(contestant)
            except Missing as why:
                self._leave_out(*who, why)
                self.of.pop(who).stop()
            else:
                contestant.rest()
        return got

    def measure(self, work):
        """By contestant: seconds of the rounds, whether the answers agree with Brisk's; the machine's limits in each round."""
        self.each(work, lambda c: c.run(work))
        answers = self.each(work, lambda c: c.run(work))
        rounds, limits = {who: [] for who in answers}, []
        for i in range(self.args.rounds):
            for who, seconds in self.each(work, lambda c: c.timed(work)).items():
                rounds[who].append(seconds)
            limits.append(machine_limits(self.args))
            print(f"  round {i + 1}/{self.args.rounds}  " + "  ".join(
                f"{' '.join(who)} {of[-1] * 1000:.2f} ms" for who, of in rounds.items()), file=sys.stderr)
        agreement = {(who, p): workloads.agreement(work, answers["brisk", p], a) if ("brisk", p) in answers else None
                     for (who, p), a in answers.items() if who != "brisk"}
        print("  agreement with Brisk: " + ", ".join(
            f"{' '.join(who)} {value:.4f}" for who, value in agreement.items() if value is not None), file=sys.stderr)
        return {who: of for who, of in rounds.items() if len(of) == self.args.rounds}, agreement, limits

    def memory(self):
        return {who: contestant.memory_mib() for who, contestant in self.of.items()}

    def versions(self):
        return {who[0]: c.ready["version"] for who, c in self.of.items() if who[0] != "brisk"}

    def stop(self):
        for contestant in self.of.values():
            contestant.stop()


def run(args):
    """The result, and words for peers that answered otherwise."""
    measured, missing, versions, odd, seen = [], [], {}, [], []
    for (model, speculate), works in workloads.by_processes(args.only):
        works = list(works)
        contest = Contest(args, model, speculate, {work["kind"] for work in works}, missing)
        try:
            contest.start()
            for work in works:
                print(work["name"], file=sys.stderr)
                seconds, agreement, limits = contest.measure(work)
                odd += results.disagreements(work, {who: agreement[who] for who in seconds if who in agreement})
                measured.append(results.row_of(work, seconds, contest.memory(), agreement, limits))
                seen += limits
            versions |= contest.versions()
        finally:
            contest.stop()
    return {"machine": machine(), "threads": args.threads, "rounds": args.rounds, "peaks": largest(seen), "versions": versions,
            "missing": missing, "rows": measured}, odd


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        told = dict(re.split(r"\s*:\s*", line.strip(), maxsplit=1) for line in f if ":" in line)
    name = f"{told.get('model name', '?')} (family {told.get('cpu family', '?')}, model {told.get('model', '?')})"
    return {"cpu": name, "cores": os.cpu_count(), "system": platform.system()}


def write_results(folder, result):
    results.save(folder, "latest", result, results.page(result))
    chart.write_speed(os.path.join(folder, "latest.svg"), result)
    chart.write_overview(os.path.join(folder, "overview.svg"), result)


def check(result, tolerance):
    """The exit status: 1 where a ratio clearly fell behind the committed one, 2 where there is nothing to compare with."""
    with open(os.path.join(COMMITTED, "latest.json"), encoding="utf-8") as f:
        old = json.load(f)
    why = results.comparable(old, result)
    if why:
        print(f"nothing checked: {why}. Run `make bench` on this machine and commit bench/results first.")
        return 2
    fallen = results.regressions(old, result, tolerance)
    for words in fallen:
        print(f"slower than committed: {words}")
    shared = len(results.ratios_of(old).keys() & results.ratios_of(result).keys())
    print(f"{shared - len(fallen)} of {shared} ratios hold against bench/results/latest.json")
    return 1 if fallen else 0


def precisions_of(binary):
    """Those worth measuring that this build serves."""
    told = subprocess.run([binary, "serve", "--help"], check=True, capture_output=True, text=True).stdout
    return ",".join(p for p in ("fp32", "int8", "int4") if re.search(rf"--precision P.*\b{p}\b", told))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brisk", default=os.path.join(ROOT, "build/brisk"))
    parser.add_argument("--kernels", default=os.path.join(ROOT, "build/release/bench-kernels"))
    parser.add_argument("--models", default=os.path.join(ROOT, "build/bench/models"))
    parser.add_argument("--cache", default=os.path.join(ROOT, "build/bench/peers"), help="the peers' own files")
    parser.add_argument("--results", help=f"folder for them (a whole run: {os.path.relpath(COMMITTED, ROOT)}; "
                        f"a part of it or a check: {os.path.relpath(SCRATCH, ROOT)})")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precisions", help="of Brisk, and the peers' equal ones (fp32,int8,int4 as far as it has them)")
    parser.add_argument("--peers", default=",".join(peers.PEERS), help="of " + ",".join(peers.PEERS))
    parser.add_argument("--only", default="", help="part of the name of the workloads to run")
    parser.add_argument("--check", action="store_true", help="compare with the committed ratios; status 1 when one fell")
    parser.add_argument("--tolerance", type=float, default=results.TOLERANCE, help="of --check (%(default)s)")
    args = parser.parse_args()
    whole = not (args.only or args.check or args.precisions or args.peers != parser.get_default("peers"))
    args.results = args.results or (COMMITTED if whole else SCRATCH)
    args.peers = [name for name in args.peers.split(",") if name]
    unknown = [name for name in args.peers if name not in peers.PEERS]
    if unknown:
        parser.error(f"--peers: there is no {', '.join(unknown)}; of {', '.join(peers.PEERS)}")
    if not any(args.only in work["name"] for work in workloads.WORKLOADS):
        parser.error(f"--only: no workload has {args.only!r} in its name")
    args.precisions = (args.precisions or precisions_of(args.brisk)).split(",")
    return args


def main():
    args = arguments()
    result, odd = run(args)
    write_results(args.results, result)
    for words in odd:
        print(f"unequal: {words}", file=sys.stderr)
    return check(result, args.tolerance) if args.check else 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())
