"""bench/: what a run's figures mean, whether a run fell behind, and that the tables of workloads, models and peers fit."""
import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "bench"))
import models  # noqa: E402
import peers  # noqa: E402
import results  # noqa: E402
import workloads  # noqa: E402

PEAKS = {"read_bytes_per_s": 2e10, "fp32_flops_per_s": 1e11, "int8_ops_per_s": 4e11}


def work(name):
    return next(w for w in workloads.WORKLOADS if name in w["name"])


def of(ratios, machine="this", threads=2):
    """A run's result with the ratios: {(work, precision, peer): (median, max)}."""
    rows = {}
    for (name, precision, peer), (median, most) in ratios.items():
        figures = rows.setdefault(name, {"work": name, "brisk": {}, "peers": {}})["brisk"].setdefault(precision, {"against": {}})
        spread = {"median": median, "min": median, "max": most}
        if peer == "torch fp32":
            figures["ratio"] = spread
        else:
            figures["against"][peer] = spread
    return {"machine": machine, "threads": threads, "rows": list(rows.values())}


# before; now; how many ratios fell (tolerance 10 %)
A, B = ("gpt2", "int8", "torch fp32"), ("gpt2", "int8", "llama int8")
CHECKS = [
    ("equal", {A: (6, 6)}, {A: (6, 6)}, 0),
    ("faster", {A: (6, 6)}, {A: (9, 9)}, 0),
    ("within the tolerance", {A: (6, 6)}, {A: (5.41, 5.5)}, 0),
    ("below it", {A: (6, 6.5)}, {A: (5.39, 5.5)}, 1),
    ("below it, but a round reaches the old one", {A: (6, 6.5)}, {A: (5, 6)}, 0),
    ("one of two", {A: (6, 6), B: (1.5, 1.5)}, {A: (6, 6), B: (1, 1)}, 1),
    ("both", {A: (6, 6), B: (1.5, 1.5)}, {A: (4, 4), B: (1, 1)}, 2),
    ("a peer is missing now", {A: (6, 6), B: (1.5, 1.5)}, {A: (6, 6)}, 0),
    ("a peer is new", {A: (6, 6)}, {A: (6, 6), B: (0.1, 0.1)}, 0),
]


class CheckTest(unittest.TestCase):
    def test_clear_regressions_are_found(self):
        for name, before, now, fallen in CHECKS:
            with self.subTest(name):
                self.assertEqual(len(results.regressions(of(before), of(now))), fallen)

    def test_words_name_work_precision_peer_and_both_figures(self):
        words, = results.regressions(of({B: (1.5, 1.5)}), of({B: (1, 1.1)}))
        self.assertEqual(words, "gpt2, int8, against llama int8: 1.50× → 1.00× (1.00–1.10)")

    def test_the_tolerance_counts(self):
        self.assertTrue(results.regressions(of({A: (6, 6)}), of({A: (5.8, 5.8)}), 0.01))

    def test_what_cannot_be_compared_is_said(self):
        self.assertIsNone(results.comparable(of({A: (6, 6)}), of({A: (6, 6)})))
        self.assertIn("machine", results.comparable(of({A: (6, 6)}), of({A: (6, 6)}, machine="other")))
        self.assertIn("threads", results.comparable(of({A: (6, 6)}), of({A: (6, 6)}, threads=1)))
        self.assertIn("none of these", results.comparable(of({A: (6, 6)}), of({B: (6, 6)})))


class RowTest(unittest.TestCase):
    WHO = {("torch", "fp32"): [2.0, 4.0, 6.0], ("llama", "int8"): [0.5, 0.9, 1.0], ("llama", "fp32"): [1.0, 1.0, 1.0],
           ("brisk", "int8"): [0.5, 0.5, 0.5]}

    def row(self, who, limits=(PEAKS, PEAKS, PEAKS)):
        return results.row_of(work("16 → 128 tokens, greedy, one"), who, dict.fromkeys(who, 100), dict.fromkeys(who, 1), limits)

    def test_shares_are_of_what_the_machine_gave_in_the_same_round(self):
        half = {k: v / 2 for k, v in PEAKS.items()}
        slowed = self.row({("brisk", "int8"): [0.5, 1.0, 1.0]}, (PEAKS, half, half))["brisk"]["int8"]
        steady = self.row({("brisk", "int8"): [0.5, 0.5, 0.5]})["brisk"]["int8"]
        self.assertAlmostEqual(slowed["share_of_limit"], steady["share_of_limit"])
        self.assertGreater(steady["share_of_limit"], 0)

    def test_ratios_are_of_pairs_of_rounds(self):
        brisk = self.row(self.WHO)["brisk"]["int8"]
        self.assertEqual(brisk["ratio"], {"median": 8, "min": 4, "max": 12})
        self.assertEqual(brisk["against"], {"llama int8": {"median": 1.8, "min": 1, "max": 2}})  # not llama's fp32
        self.assertEqual(brisk["rate"], 128 / 0.5)

    def test_peers_have_their_ratio_against_pytorch(self):
        row = self.row(self.WHO)
        self.assertEqual(row["torch_ms"]["median"], 4000)
        self.assertEqual(row["peers"]["llama fp32"]["ratio"]["median"], 4)

    def test_tables_show_every_contestant(self):
        result = {"rows": [self.row(self.WHO)], "machine": {"cpu": "C"}, "threads": 2, "rounds": 3, "versions": {"torch": "T 1"},
                  "missing": ["ONNX Runtime fp32: no"]}
        page = results.page(result)
        for part in ("| **8.00×** (4.00–12.00) |", "**1.80×** (1.00–2.00) llama.cpp Q8_0", "PyTorch fp32 | 4000.00 (2000.00–6000.00)",
                     "llama.cpp F32", "Left out: ONNX Runtime fp32: no.", "256 tokens", "T 1"):
            self.assertIn(part, page)

    def test_without_pytorch_nothing_is_claimed_of_it(self):
        row = self.row({who: of for who, of in self.WHO.items() if who[0] != "torch"})
        self.assertNotIn("ratio", row["brisk"]["int8"])
        self.assertIn("| – | **1.80×**", results.table({"rows": [row]}))

    def test_the_fastest_peer_is_shown(self):
        row = self.row(self.WHO | {("ct2", "int8"): [0.6, 0.6, 0.6]})
        self.assertIn("CTranslate2", results.hardest(row["brisk"]["int8"], row))


class LimitTest(unittest.TestCase):
    def test_decoding_is_bound_by_the_memory(self):
        share, of_what = workloads.share_of_limit(work("16 → 128 tokens, greedy, one"), "fp32", 10, PEAKS)
        self.assertAlmostEqual(share, 128 * 4 * (12 * 12 * 768 * 768 + 50257 * 768) / 2e10 / 10)
        self.assertEqual(of_what, "of the memory's bandwidth")

    def test_int4_moves_less(self):
        one = work("16 → 128 tokens, greedy, one")
        shares = [workloads.share_of_limit(one, p, 1, PEAKS)[0] for p in ("int4", "int8", "fp32")]
        self.assertEqual(shares, sorted(shares))

    def test_encoders_are_not_measured_in_int4(self):
        self.assertEqual(workloads.precisions({"embed"}, ["fp32", "int4"]), ["fp32"])
        self.assertEqual(workloads.precisions({"generate"}, ["fp32", "int4"]), ["fp32", "int4"])

    def test_many_streams_reckon(self):
        streams = work("16 streams")
        share, of_what = workloads.share_of_limit(streams, "fp32", 10, PEAKS)
        self.assertAlmostEqual(share, 128 * 16 * 2 * (12 * 12 * 768 * 768 + 50257 * 768) / 1e11 / 10)
        self.assertEqual(of_what, "of the peak rate")

    def test_encoders_reckon(self):
        share, of_what = workloads.share_of_limit(work("bert-base classification, 128"), "int8", 1, PEAKS)
        self.assertAlmostEqual(share, 2 * 128 * 12 * 12 * 768 * 768 / 4e11)
        self.assertEqual(of_what, "of the peak int8 rate")


# kind, answers, the other's, how far they agree
ANSWERS = [
    ("generate", ["a b c d"], ["a b c d"], 1),
    ("generate", ["a b c d"], ["a b x d"], 0.5),
    ("generate", ["a b"], ["a b c d"], 0.5),
    ("generate", ["<filler1><filler2>"], ["<filler1><filler3>"], 0.5),
    ("generate", ["a b", "a b"], ["a b", "a x"], 0.5),
    ("generate", ["a b"], ["a b", "a b"], 0),
    ("embed", [[1.0, 0.0]], [[2.0, 0.0]], 1),
    ("embed", [[1.0, 0.0]], [[0.0, 1.0]], 0),
    ("classify", [[0.75, 0.25]], [[0.5, 0.5]], 0.75),
]


class AnswersTest(unittest.TestCase):
    def test_agreement(self):
        for kind, ours, theirs, wanted in ANSWERS:
            with self.subTest(kind=kind, ours=ours, theirs=theirs):
                self.assertAlmostEqual(workloads.agreement({"kind": kind}, ours, theirs), wanted)

    def test_answers_of_the_pipelines_are_read(self):
        rows = [({"kind": "generate"}, [[{"generated_text": "a"}], [{"generated_text": "b"}]], ["a", "b"]),
                ({"kind": "translate"}, [[{"summary_text": "a"}]], ["a"]),
                ({"kind": "embed"}, [[0.5, 0.25]], [[0.5, 0.25]]),
                ({"kind": "classify"}, [[{"label": "LABEL_1", "score": 0.75}, {"label": "LABEL_0", "score": 0.25}]], [[0.25, 0.75]]),
                ({"kind": "classify"}, [[[{"label": "LABEL_0", "score": 1}], [{"label": "LABEL_0", "score": 0.5}]]], [[1], [0.5]])]
        for kind, answers, wanted in rows:
            with self.subTest(answers=answers):
                self.assertEqual(workloads.of_brisk(kind, answers), wanted)

    def test_other_answers_are_told(self):
        told = list(results.disagreements(work("MiniLM"), {("ort", "fp32"): 0.98, ("ort", "int8"): 0.995, ("ct2", "int8"): 0.9}))
        self.assertEqual(len(told), 2)
        self.assertIn("ONNX Runtime fp32", told[0])


class TablesTest(unittest.TestCase):
    def test_every_workload_has_its_model_weights_and_a_peer(self):
        for w in workloads.WORKLOADS:
            with self.subTest(w["name"]):
                self.assertIn(w["model"], models.MAKERS)
                self.assertIn(w["model"], workloads.WEIGHTS)
                self.assertGreaterEqual(sum(w["kind"] in row.kinds for row in peers.PEERS.values()), 2)

    def test_names_are_unique_and_what_shares_processes_stands_together(self):
        names = [w["name"] for w in workloads.WORKLOADS]
        self.assertEqual(len(names), len(set(names)))
        together = [key for key, _ in workloads.by_processes("")]
        self.assertEqual(len(together), len(set(together)))

    def test_every_peer_has_a_file_that_says_what_it_is(self):
        for name, row in peers.PEERS.items():
            with self.subTest(name):
                with open(os.path.join(ROOT, "bench", "peers", f"{row.file}.py"), encoding="utf-8") as f:
                    text = f.read()
                self.assertTrue(text.startswith('"""'))
                self.assertIn("class Peer:", text)
                for kind in row.kinds:
                    self.assertIn(f"def {kind}(", text)
                self.assertTrue(set(row.precisions) <= set(workloads.BYTES_A_WEIGHT))


if __name__ == "__main__":
    unittest.main()
