"""Diverse beam search for the goldens. transformers 4.57 has moved the loop to the Hub and kept what
decides: BeamSearchScorer and HammingDiversityLogitsProcessor. This is the loop around them, for one
text and without a cache, to be given to generate() as custom_generate.
"""
import torch
from transformers import LogitsProcessorList, SequenceBiasLogitsProcessor
from transformers.generation.beam_search import BeamSearchScorer
from transformers.generation.logits_process import HammingDiversityLogitsProcessor


def processors(given, config):
    """generate() had the penalty behind sequence_bias and before all others."""
    hamming = HammingDiversityLogitsProcessor(float(config.diversity_penalty), config.num_beams, config.num_beam_groups)
    first = [p for p in given if isinstance(p, SequenceBiasLogitsProcessor)]
    return LogitsProcessorList([*first, hamming, *(p for p in given if p not in first)])


def next_logits(model, ids, kwargs):
    if model.config.is_encoder_decoder:
        out = model(decoder_input_ids=ids, encoder_outputs=kwargs["encoder_outputs"],
                    attention_mask=kwargs["attention_mask"], use_cache=False)
    else:
        out = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
    return out.logits[:, -1].float()


def search(model, input_ids, logits_processor, stopping_criteria, generation_config, **kwargs):
    config = generation_config
    size = config.num_beams // config.num_beam_groups
    eos = config._eos_token_tensor
    ends = {"pad_token_id": config._pad_token_tensor, "eos_token_id": eos, "decoder_prompt_len": input_ids.shape[1]}
    score = processors(logits_processor, config)
    scorer = BeamSearchScorer(1, config.num_beams, input_ids.device, config.length_penalty, config.early_stopping,
                              config.num_return_sequences, config.num_beam_groups, config.max_length)
    beams = torch.full((config.num_beams,), -1e9)
    beams[::size] = 0
    while True:
        logits = torch.log_softmax(next_logits(model, input_ids, kwargs), dim=-1)
        last = torch.zeros(config.num_beams, dtype=torch.long)
        before = input_ids.clone()
        for group in range(config.num_beam_groups):
            rows = slice(group * size, (group + 1) * size)
            scores = score(before[rows], logits[rows], current_tokens=last, beam_group_idx=group) + beams[rows, None]
            n = max(2, 1 + (0 if eos is None else len(eos))) * size
            best, at = torch.topk(scores.reshape(1, -1), n, sorted=True)
            vocab = scores.shape[1]
            chosen = scorer.process(before[rows], best, at % vocab, at // vocab, group_index=group, **ends)
            beams[rows] = chosen["next_beam_scores"]
            last[rows] = chosen["next_beam_tokens"]
            input_ids[rows] = before[rows][chosen["next_beam_indices"]]
        input_ids = torch.cat([input_ids, last[:, None]], dim=1)
        if scorer.is_done or all(stopping_criteria(input_ids, None)):
            break
    return scorer.finalize(input_ids, beams, None, None, max_length=stopping_criteria.max_length, **ends)["sequences"]
