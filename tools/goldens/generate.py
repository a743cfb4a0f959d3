"""Goldens of the logits processors and the sampling steps: what transformers' own classes make of
scores. Writes tests/golden/generate/processors.json; the same bytes every time.

Each row: the generation settings under test, the ids so far (the first n_prompt of them are the
prompt), the encoder's ids, the scores before, and after (null: minus infinity).
"""
import json
import random
from pathlib import Path

import torch
from transformers.generation import logits_process as lp

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "generate" / "processors.json"
VOCAB = 24
EOS = [2, 7]

# name, settings, how transformers makes it (settings, ids so far, row) -> processor
ROWS = [
    ("sequence_bias", {"sequence_bias": [[[3], -2.5], [[1, 2], 4.0], [[2], 1.5], [[5, 1], -7.25], [[1, 2], 3.0],
                                         [list(range(1, 14)), 5.0]]},
     lambda s, r: lp.SequenceBiasLogitsProcessor([list(pair) for pair in s["sequence_bias"]])),
    ("encoder_repetition_penalty", {"encoder_repetition_penalty": 1.8},
     lambda s, r: lp.EncoderRepetitionPenaltyLogitsProcessor(s["encoder_repetition_penalty"], r["encoder"])),
    ("repetition_penalty", {"repetition_penalty": 1.7},
     lambda s, r: lp.RepetitionPenaltyLogitsProcessor(s["repetition_penalty"])),
    ("repetition_penalty below 1", {"repetition_penalty": 0.6},
     lambda s, r: lp.RepetitionPenaltyLogitsProcessor(s["repetition_penalty"])),
    ("no_repeat_ngram_size 1", {"no_repeat_ngram_size": 1},
     lambda s, r: lp.NoRepeatNGramLogitsProcessor(s["no_repeat_ngram_size"])),
    ("no_repeat_ngram_size 2", {"no_repeat_ngram_size": 2},
     lambda s, r: lp.NoRepeatNGramLogitsProcessor(s["no_repeat_ngram_size"])),
    ("no_repeat_ngram_size 3", {"no_repeat_ngram_size": 3},
     lambda s, r: lp.NoRepeatNGramLogitsProcessor(s["no_repeat_ngram_size"])),
    ("encoder_no_repeat_ngram_size 2", {"encoder_no_repeat_ngram_size": 2},
     lambda s, r: lp.EncoderNoRepeatNGramLogitsProcessor(s["encoder_no_repeat_ngram_size"], r["encoder"])),
    ("encoder_no_repeat_ngram_size 3", {"encoder_no_repeat_ngram_size": 3},
     lambda s, r: lp.EncoderNoRepeatNGramLogitsProcessor(s["encoder_no_repeat_ngram_size"], r["encoder"])),
    ("bad_words_ids", {"bad_words_ids": [[3], [2], [1, 2], [1, 2, 4], [5, 1], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]]},
     lambda s, r: lp.NoBadWordsLogitsProcessor(s["bad_words_ids"], EOS)),
    ("min_length", {"min_length": 8}, lambda s, r: lp.MinLengthLogitsProcessor(s["min_length"], EOS)),
    ("min_new_tokens", {"min_new_tokens": 4},
     lambda s, r: lp.MinNewTokensLengthLogitsProcessor(r["n_prompt"], s["min_new_tokens"], EOS)),
    ("forced_bos_token_id", {"forced_bos_token_id": 9},
     lambda s, r: lp.ForcedBOSTokenLogitsProcessor(s["forced_bos_token_id"])),
    ("forced_eos_token_id", {"forced_eos_token_id": 7},
     lambda s, r: lp.ForcedEOSTokenLogitsProcessor(r["max_length"], s["forced_eos_token_id"])),
    ("remove_invalid_values", {"remove_invalid_values": True}, lambda s, r: lp.InfNanRemoveLogitsProcessor()),
    ("exponential_decay_length_penalty", {"exponential_decay_length_penalty": [2, 1.3]},
     lambda s, r: lp.ExponentialDecayLengthPenalty(s["exponential_decay_length_penalty"], EOS, r["n_prompt"])),
    ("exponential_decay_length_penalty at once", {"exponential_decay_length_penalty": [0, 0.8]},
     lambda s, r: lp.ExponentialDecayLengthPenalty(s["exponential_decay_length_penalty"], EOS, r["n_prompt"])),
    ("suppress_tokens", {"suppress_tokens": [0, 5, 23]},
     lambda s, r: lp.SuppressTokensLogitsProcessor(s["suppress_tokens"])),
    ("begin_suppress_tokens", {"begin_suppress_tokens": [4, 6]},
     lambda s, r: lp.SuppressTokensAtBeginLogitsProcessor(s["begin_suppress_tokens"], r["n_prompt"])),
    ("temperature", {"temperature": 0.35}, lambda s, r: lp.TemperatureLogitsWarper(s["temperature"])),
    ("top_k", {"top_k": 5}, lambda s, r: lp.TopKLogitsWarper(s["top_k"], min_tokens_to_keep=r["keep"])),
    ("top_k 1", {"top_k": 1}, lambda s, r: lp.TopKLogitsWarper(s["top_k"], min_tokens_to_keep=r["keep"])),
    ("top_p", {"top_p": 0.8}, lambda s, r: lp.TopPLogitsWarper(s["top_p"], min_tokens_to_keep=r["keep"])),
    ("top_p small", {"top_p": 0.05}, lambda s, r: lp.TopPLogitsWarper(s["top_p"], min_tokens_to_keep=r["keep"])),
    ("min_p", {"min_p": 0.2}, lambda s, r: lp.MinPLogitsWarper(s["min_p"], min_tokens_to_keep=r["keep"])),
    ("min_p large", {"min_p": 0.95}, lambda s, r: lp.MinPLogitsWarper(s["min_p"], min_tokens_to_keep=r["keep"])),
    ("typical_p", {"typical_p": 0.6}, lambda s, r: lp.TypicalLogitsWarper(s["typical_p"], min_tokens_to_keep=r["keep"])),
    ("typical_p small", {"typical_p": 0.1}, lambda s, r: lp.TypicalLogitsWarper(s["typical_p"], min_tokens_to_keep=r["keep"])),
    ("epsilon_cutoff", {"epsilon_cutoff": 0.05},
     lambda s, r: lp.EpsilonLogitsWarper(s["epsilon_cutoff"], min_tokens_to_keep=r["keep"])),
    ("eta_cutoff", {"eta_cutoff": 0.3}, lambda s, r: lp.EtaLogitsWarper(s["eta_cutoff"], min_tokens_to_keep=r["keep"])),
    ("renormalize_logits", {"renormalize_logits": True}, lambda s, r: lp.LogitNormalization()),
    ("renormalize_logits of what is drawn", {"renormalize_logits": True, "do_sample": True, "top_k": 5},
     lambda s, r: lp.LogitsProcessorList([lp.TopKLogitsWarper(s["top_k"], min_tokens_to_keep=r["keep"]),
                                          lp.LogitNormalization()])),
    ("diversity_penalty", {"diversity_penalty": 1.3, "num_beams": 6, "num_beam_groups": 3},
     lambda s, r: last_group(lp.HammingDiversityLogitsProcessor(s["diversity_penalty"], 6, 3), chosen(r))),
]


def chosen(row):
    """What two groups of two beams have chosen: some of it more than once."""
    return (row["encoder_ids"] * 4)[:4]


def last_group(processor, tokens):
    return lambda ids, scores: processor(ids, scores, torch.tensor(tokens + [0, 0]), beam_group_idx=2)


def make(rng):
    """Ids with repeats, an encoder text that shares some of them, scores with ties and an infinity."""
    n = rng.choice([1, 1, 2, 3, 5, 9, 12])
    n_prompt = rng.randint(1, n)
    ids = [rng.randrange(6) for _ in range(n)]
    encoder = [rng.randrange(6) for _ in range(rng.choice([1, 4, 10]))]
    scores = [round(rng.gauss(0, 3), 2) for _ in range(VOCAB)]
    scores[rng.randrange(VOCAB)] = scores[rng.randrange(VOCAB)]
    if rng.random() < 0.3:
        scores[rng.randrange(8, VOCAB)] = float("-inf")
    return {"ids": ids, "n_prompt": n_prompt, "encoder_ids": encoder, "max_length": n + rng.choice([1, 2, 5]),
            "keep": rng.choice([1, 1, 3]), "before": scores}


def numbers(values):
    return [None if v == float("-inf") else v for v in values]


def main():
    rng = random.Random(20)
    cases = []
    for name, settings, build in ROWS:
        for _ in range(12):
            row = make(rng)
            given = dict(row, encoder=torch.tensor([row["encoder_ids"]]))
            scores = torch.tensor([row["before"]], dtype=torch.float32)
            after = build(settings, given)(torch.tensor([row["ids"]]), scores.clone())
            cases.append({"name": name, "settings": settings | {"eos_token_id": EOS}} | row
                         | ({"chosen": chosen(row)} if name == "diversity_penalty" else {})
                         | {"before": numbers(row["before"]), "after": numbers(after[0].tolist())})
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


if __name__ == "__main__":
    main()
