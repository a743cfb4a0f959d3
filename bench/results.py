"""Figures of a run: rows from the seconds of rounds, the tables, and whether a run fell behind the committed one.

Pure reckoning on plain data: nothing here measures, so that tests/tools/bench_test.py can hold it without PyTorch.
latest.json: rows of {work, torch_ms, brisk: {precision: {ms, ratio (against PyTorch), against: {peer: spread}, …}},
peers: {peer and precision: {ms, …}}}.
"""

import json
import os
import statistics

import peers
import workloads

TOLERANCE = 0.1  # of a ratio's median, which two quiet runs of a day differ by at most
BASE = ("torch", "fp32")  # what "times faster" means where nothing else is said
AGREES = {"embed": {"fp32": 0.9999, "bf16": 0.999, "int8": 0.99, "int4": 0.9},
          "classify": {"fp32": 0.999, "bf16": 0.98, "int8": 0.9, "int4": 0.8}}


def save(folder, name, result, text):
    """The figures as <name>.json, the table that people read as <name>.md, which is printed, too."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f"{name}.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1, ensure_ascii=False)
        file.write("\n")
    with open(os.path.join(folder, f"{name}.md"), "w", encoding="utf-8") as file:
        file.write(text)
    print(text)


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(theirs, ours):
    """Of two lists of rounds' seconds, pair by pair."""
    return spread([a / b for a, b in zip(theirs, ours)])


def row_of(work, seconds, memory, agreement, limits):
    """One workload. seconds, memory: {(who, precision): of each round; MiB}; who is "brisk" or a peer. limits: of each round."""
    row = {"work": work["name"], "brisk": {}, "peers": {}}
    if BASE in seconds:
        row["torch_ms"] = spread([1000 * s for s in seconds[BASE]])
    for (who, precision), of_rounds in seconds.items():
        figures = {"ms": spread([1000 * s for s in of_rounds]), "memory_mib": memory[who, precision]}
        figures["rate"], figures["of"] = workloads.per_second(work, statistics.median(of_rounds))
        if who != "brisk":
            row["peers"][f"{who} {precision}"] = figures | {
                "title": peers.title(who, precision), "agreement": agreement[who, precision]}
            if BASE in seconds:
                row["peers"][f"{who} {precision}"]["ratio"] = ratios(seconds[BASE], of_rounds)
            continue
        if BASE in seconds:
            figures["ratio"] = ratios(seconds[BASE], of_rounds)
        shares = [workloads.share_of_limit(work, precision, s, at) for s, at in zip(of_rounds, limits)]
        figures["share_of_limit"], figures["limit"] = statistics.median(s for s, _ in shares), shares[0][1]
        figures["against"] = {f"{w} {p}": ratios(theirs, of_rounds) for (w, p), theirs in seconds.items()
                              if w != "brisk" and p == precision and (w, p) != BASE}
        row["brisk"][precision] = figures
    return row


def disagreements(work, agreement):
    """Words for each peer whose answers are not Brisk's at the same precision: then the work is not equal. Of texts that
    are made token by token only the fp32 ones can be held to it: one near tie, and they part."""
    for (who, precision), value in agreement.items():
        least = AGREES.get(work["kind"], {"fp32": 0.5}).get(precision, 0)
        if value is not None and value < least:
            yield f"{work['name']}: {peers.title(who, precision)} answers otherwise than Brisk {precision} ({value:.4f})"


# ---- tables --------------------------------------------------------------------------------------

def times(ratio):
    return f"**{ratio['median']:.2f}×** ({ratio['min']:.2f}–{ratio['max']:.2f})" if ratio else "–"


def hardest(figures, row):
    """The peer at equal precision that is the fastest: its title and the ratio."""
    if not figures["against"]:
        return "–"
    name, ratio = min(figures["against"].items(), key=lambda item: item[1]["median"])
    return f"{times(ratio)} {row['peers'][name]['title']}"


def table(result):
    lines = ["| work | precision | Brisk, ms | a second | MiB | times faster than PyTorch fp32 (min–max) "
             "| than the fastest peer at equal precision | share of the limit |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in result["rows"]:
        for precision, b in row["brisk"].items():
            lines.append(f"| {row['work']} | {precision} | {b['ms']['median']:.2f} | {b['rate']:.0f} {b['of'].split('/')[0]} | "
                         f"{b['memory_mib']:.0f} | {times(b.get('ratio'))} | {hardest(b, row)} | "
                         f"{100 * b['share_of_limit']:.0f} % {b['limit']} |")
    return "\n".join(lines) + "\n"


def peers_table(result):
    lines = ["| work | peer | ms (min–max) | a second | MiB | Brisk at equal precision is faster by (min–max) |",
             "| --- | --- | --- | --- | --- | --- |"]
    for row in result["rows"]:
        for name, p in row["peers"].items():
            ours = row["brisk"].get(name.split()[1], {})
            ratio = ours.get("ratio") if name == " ".join(BASE) else ours.get("against", {}).get(name)
            lines.append(f"| {row['work']} | {p['title']} | {p['ms']['median']:.2f} ({p['ms']['min']:.2f}–{p['ms']['max']:.2f}) "
                         f"| {p['rate']:.0f} {p['of'].split('/')[0]} | {p['memory_mib']:.0f} | {times(ratio)} |")
    return "\n".join(lines) + "\n"


def page(result):
    """The whole of latest.md."""
    versions = ", ".join(result["versions"].values()) or "no peer"
    missing = "".join(f"Left out: {why}.\n" for why in result["missing"])
    return (f"{result['machine']['cpu']}, {result['threads']} threads; {versions}; median of {result['rounds']} "
            f"interleaved rounds. Memory is the whole process's, with one model.\n{missing}\n"
            f"{table(result)}\n## Peers\n\n{peers_table(result)}")


# ---- against the committed figures ---------------------------------------------------------------

def ratios_of(result):
    """{(work, precision, peer): spread}"""
    found = {}
    for row in result["rows"]:
        for precision, b in row["brisk"].items():
            against = dict(b.get("against", {}))
            if "ratio" in b:
                against[" ".join(BASE)] = b["ratio"]
            found |= {(row["work"], precision, peer): ratio for peer, ratio in against.items()}
    return found


def comparable(old, new):
    """Why the two runs cannot be compared; None: they can. Ratios differ from processor to processor."""
    for key, what in (("machine", "another machine"), ("threads", "another number of threads")):
        if old[key] != new[key]:
            return f"the committed figures are of {what}: {old[key]}, here {new[key]}"
    return None if ratios_of(old).keys() & ratios_of(new).keys() else "the committed figures have none of these workloads"


def regressions(old, new, tolerance=TOLERANCE):
    """Words for each ratio that clearly fell: its median by more than the tolerance, and no round reaches the old one.
    A ratio of a precision or a peer that is only in one of the runs is no regression."""
    before, now = ratios_of(old), ratios_of(new)
    return [f"{work}, {precision}, against {peer}: {before[key]['median']:.2f}× → {ratio['median']:.2f}× "
            f"({ratio['min']:.2f}–{ratio['max']:.2f})"
            for key, ratio in now.items() for work, precision, peer in [key] if key in before
            and ratio["median"] < (1 - tolerance) * before[key]["median"] and ratio["max"] < before[key]["median"]]
