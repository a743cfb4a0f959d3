"""What is asked of each task: (name, inputs, parameters), the same for every family. A fourth part
of a row are the body's options.

A body that depends on the model's own text (a stop string that really occurs) is a function of
`ask(inputs, parameters)`, which answers as the service would.
"""

FIRST = "Clara went to Paris in 1998 and met Dr. Omar Hassan at the museum."
SHORT = "The film was wonderful, funny and warm."
TINY = "Rain."
ODD = "Café Zürich – 東京 привет 😀👍 e\u0301 naïve…"
SHORT_ODD = "Café 東京 😀…"
SPACED = " two  spaces\tand a\nline , with marks !"
LONG = ("The committee of the United Nations will meet in Geneva on 12 March, said Mr. Tanaka from Tokyo. "
        "A small company called Northwind Traders sells tea, coffee and sugar to the islands of the north. "
        "Sarah Jessica Miller lived in Bristol for eleven years and painted the same grey bridge every Monday. "
        "She said that the train from Berlin to Prague was late, and that the one to Vienna had been cancelled.")
MIXED = [SHORT, TINY, FIRST, ODD]
LIST_FORM = {"zero_shot_form": "list"}
QUESTION = "Where did Clara go?"
LONG_QA = {"question": "Where did Sarah live?", "context": LONG}


def text_classification(pairs=True):
    rows = [
        ("string", SHORT, {}),
        ("list", MIXED, {}),
        ("list of one", [SHORT], {}),
        ("unicode", ODD, {}),
        ("white space", SPACED, {}),
        ("too long", LONG, {}),
        ("top_k 1", FIRST, {"top_k": 1}),
        ("top_k 2 of a list", [FIRST, TINY], {"top_k": 2}),
        ("top_k null", FIRST, {"top_k": None}),
        ("softmax", FIRST, {"function_to_apply": "softmax"}),
        ("sigmoid", FIRST, {"function_to_apply": "sigmoid"}),
        ("none", FIRST, {"function_to_apply": "none"}),
    ]
    if pairs:
        pair = {"text": FIRST, "text_pair": SHORT}
        rows += [("pair", pair, {}), ("pairs", [pair, {"text": TINY, "text_pair": ODD}], {}),
                 ("pair too long", {"text": LONG, "text_pair": FIRST}, {})]
    return rows


def scores_only():
    """For heads whose only difference is the score function."""
    return [("string", SHORT, {}), ("list", MIXED, {}), ("pair", {"text": FIRST, "text_pair": SHORT}, {}),
            ("sigmoid", FIRST, {"function_to_apply": "sigmoid"}),
            ("none", FIRST, {"function_to_apply": "none"})]


def token_classification(stride=True):
    strategies = ["none", "simple", "first", "average", "max"]
    rows = [("string", FIRST, {}), ("list", MIXED, {}), ("unicode", ODD, {}), ("white space", SPACED, {}),
            ("too long", LONG, {}), ("none ignores", FIRST, {"aggregation_strategy": "none",
                                                             "ignore_labels": ["O", "B-PER"]}),
            ("nothing ignored", FIRST, {"ignore_labels": []}),
            ("PER ignored", FIRST, {"ignore_labels": ["O", "PER"]})]
    rows += [(s, FIRST, {"aggregation_strategy": s}) for s in strategies]
    rows += [(f"{s} of odd text", ODD, {"aggregation_strategy": s}) for s in strategies]
    if stride:
        rows += [("stride", LONG, {"stride": 8}), ("stride first", LONG, {"stride": 16, "aggregation_strategy": "first"}),
                 ("stride max", LONG, {"stride": 5, "aggregation_strategy": "max"})]
    return rows


def fill_mask(mask, word, other):
    """`word` and `other` are whole words of the vocabulary, in its own spelling."""
    one = f"The capital of {mask} is Paris."
    two = f"The {mask} was wonderful, funny and {mask}."
    return [
        ("string", one, {}),
        ("list", [one, f"{mask}", f"She painted the same {mask} bridge; naïve 東京 😀."], {}),
        ("list of one", [one], {}),
        ("top_k", one, {"top_k": 3}),
        ("targets string", one, {"targets": word}),
        ("targets list", one, {"targets": [word, other, word]}),
        ("targets capped", one, {"targets": [word, other], "top_k": 7}),
        ("targets and top_k", one, {"targets": [word, other], "top_k": 1}),
        ("absent targets", one, {"targets": ["Wonderfulness", word]}),
        ("two masks", two, {}),
        ("two masks, targets", two, {"targets": [word, other]}),
        ("unicode", f"Café {mask} 東京 😀👍 привет", {"top_k": 4}),
        ("white space", f" two  spaces {mask}\tand a\nline , with marks !", {"top_k": 2}),
        ("too long", f"The {mask} in short. " + LONG, {"top_k": 2}),
    ]


def question_answering():
    first = {"question": QUESTION, "context": FIRST}
    odd = {"question": "Wo ist 東京?", "context": ODD + " " + SPACED}
    return [
        ("object", first, {}),
        ("list", [first, odd, LONG_QA], {}),
        ("top_k", first, {"top_k": 3}),
        ("top_k, spans of tokens", first, {"top_k": 4, "align_to_words": False}),
        ("short answers", first, {"max_answer_len": 1, "top_k": 2}),
        ("long answers", first, {"max_answer_len": 40, "top_k": 3}),
        ("impossible", first, {"handle_impossible_answer": True, "top_k": 4}),
        ("impossible, best only", odd, {"handle_impossible_answer": True}),
        ("unicode", odd, {"top_k": 5}),
        ("windows", LONG_QA, {}),
        ("windows, top_k", LONG_QA, {"top_k": 5}),
        ("windows of 40", LONG_QA, {"max_seq_len": 40, "doc_stride": 12, "top_k": 3}),
        ("windows of 30", LONG_QA, {"max_seq_len": 30, "doc_stride": 3, "align_to_words": False, "top_k": 3}),
        ("windows, impossible", LONG_QA, {"handle_impossible_answer": True, "top_k": 6, "doc_stride": 20}),
        ("every window has it", {"question": QUESTION, "context": " ".join([FIRST] * 6)}, {"top_k": 3}),
    ]


def zero_shot():
    labels = ["politics", "weather and light", "tea"]
    return [
        ("labels", FIRST, {"candidate_labels": labels}),
        ("list", [SHORT, TINY, FIRST, SHORT_ODD], {"candidate_labels": labels}),
        ("list of one", [SHORT], {"candidate_labels": labels}),
        ("labels in a string", SHORT, {"candidate_labels": "politics, sport ,, 東京"}),
        ("one label", SHORT, {"candidate_labels": ["sport"]}),
        ("multi_label", FIRST, {"candidate_labels": labels, "multi_label": True}),
        ("template", FIRST, {"candidate_labels": labels, "hypothesis_template": "The text talks about {}, perhaps."}),
        ("template and multi_label", SHORT_ODD, {"candidate_labels": labels, "multi_label": True,
                                           "hypothesis_template": "{}"}),
        ("as a list", FIRST, {"candidate_labels": labels}, LIST_FORM),
        ("too long", LONG, {"candidate_labels": labels}, LIST_FORM),
    ]


def feature_extraction():
    return [("string", SHORT, {}), ("list", [TINY, ODD], {}), ("list of one", [TINY], {}), ("too long", LONG, {}),
            ("white space", SPACED, {})]


def embeddings(prompts=False):
    rows = feature_extraction() + [("normalize", FIRST, {"normalize": True})]
    if prompts:
        rows += [("prompt", FIRST, {"prompt_name": "query"})]
    return rows


def similarity():
    return [("several", {"source_sentence": SHORT, "sentences": [FIRST, SHORT, ODD, TINY, LONG]}, {}),
            ("one", {"source_sentence": ODD, "sentences": [SHORT]}, {})]


GREEDY = {"do_sample": False, "max_new_tokens": 16}
NEW_ONLY = {"return_full_text": False}


def cut(ask, inputs, parameters, start, end):
    """A piece of the text that the model writes by itself."""
    text = next(iter(ask(inputs, parameters)[0].values()))
    assert len(text) >= end, text
    return text[start:end]


def text_generation():
    def stop(pieces, **more):
        return lambda ask: (SHORT, GREEDY | {"stop": ["never there"] + [
            cut(ask, SHORT, GREEDY | NEW_ONLY, a, b) for a, b in pieces]} | more)

    beams = GREEDY | {"num_beams": 3}
    return [
        ("greedy", SHORT, GREEDY),
        ("greedy list", MIXED, GREEDY),
        ("greedy list of one", [FIRST], GREEDY),
        ("no prompt", "", GREEDY),
        ("white space", SPACED, GREEDY),
        ("defaults of the folder", FIRST, {"do_sample": False}),
        ("new text only", SHORT, GREEDY | {"return_full_text": False}),
        ("max_length", SHORT, {"do_sample": False, "max_length": 30}),
        ("up to the last position", SHORT, {"do_sample": False, "max_new_tokens": 40}),
        ("min_new_tokens", FIRST, GREEDY | {"min_new_tokens": 12}),
        ("min_length", FIRST, {"do_sample": False, "max_new_tokens": 20, "min_length": 56}),
        ("repetition_penalty", SHORT, GREEDY | {"repetition_penalty": 1.7}),
        ("no_repeat_ngram_size", SHORT, {"do_sample": False, "max_new_tokens": 24, "no_repeat_ngram_size": 2}),
        ("best of one", SHORT, {"do_sample": True, "top_k": 1, "temperature": 0.7, "max_new_tokens": 12, "seed": 3}),
        ("beams", SHORT, beams),
        ("beams of a list", MIXED, beams),
        ("beams, all", SHORT, beams | {"num_return_sequences": 3}),
        ("beams, two of four", FIRST, GREEDY | {"num_beams": 4, "num_return_sequences": 2,
                                                "return_full_text": False}),
        ("beams, long ones", FIRST, beams | {"length_penalty": 2.0, "num_return_sequences": 3}),
        ("beams, short ones", FIRST, beams | {"length_penalty": -1.5, "num_return_sequences": 3}),
        ("beams, early", FIRST, beams | {"early_stopping": True, "num_return_sequences": 3}),
        ("beams, never early", FIRST, beams | {"early_stopping": "never", "length_penalty": 1.5}),
        ("beams without repeats", ODD, beams | {"no_repeat_ngram_size": 2, "repetition_penalty": 1.2}),
        ("beams, min_new_tokens", FIRST, beams | {"min_new_tokens": 14}),
        ("stop", stop([(5, 7)])),
        ("stop at the first of two", stop([(9, 12), (4, 6)])),
        ("stop, new text only", stop([(3, 8)], return_full_text=False)),
    ]


def crossing():
    """Of a model whose positions are others beyond 24 tokens: TINY stays within, FIRST begins beyond, SHORT crosses."""
    beams = GREEDY | {"num_beams": 3}
    return [
        ("within", TINY, GREEDY),
        ("up to the border", SHORT, {"do_sample": False, "max_length": 25}),
        ("beyond", FIRST, GREEDY),
        ("across", SHORT, GREEDY),
        ("one across", SHORT, {"do_sample": False, "max_length": 26}),
        ("across from far", TINY, {"do_sample": False, "max_new_tokens": 30}),
        ("all of a list", [TINY, SHORT, FIRST, SPACED], GREEDY),
        ("up to the last position", SHORT, {"do_sample": False, "max_new_tokens": 44}),
        ("without repeats", SHORT, GREEDY | {"repetition_penalty": 1.5, "no_repeat_ngram_size": 2}),
        ("beams across", SHORT, beams | {"num_return_sequences": 3}),
        ("beams across from far", TINY, {"do_sample": False, "max_new_tokens": 28, "num_beams": 4}),
        ("beams beyond", FIRST, beams),
    ]


def every(step, start=3, end=390):
    """Ids of the tiny vocabularies: so many that some are what the model would have said."""
    return list(range(start, end, step))


def processors(greedy, beams):
    """Everything that changes scores and draws nothing, alone and with beams."""
    pairs = [[[i, j], 6.0] for i in every(9) for j in every(97)][:60]
    biases = [[[i], 1.5 + i % 3] for i in every(7)] + [[[i], -30.0] for i in every(5, 4)] + pairs
    return [
        ("bad_words_ids", SHORT, greedy | {"bad_words_ids": [[i] for i in every(4)] + [p for p, _ in pairs]}),
        ("sequence_bias", SHORT, greedy | {"sequence_bias": biases}),
        ("sequence_bias and beams", FIRST, beams | {"sequence_bias": biases}),
        ("suppress_tokens", FIRST, greedy | {"suppress_tokens": every(3)}),
        ("begin_suppress_tokens", FIRST, greedy | {"begin_suppress_tokens": every(2) + every(4, 4)}),
        ("encoder_repetition_penalty", FIRST, greedy | {"encoder_repetition_penalty": 2.5}),
        ("encoder_repetition_penalty and beams", SHORT, beams | {"encoder_repetition_penalty": 0.4}),
        ("encoder_no_repeat_ngram_size", SHORT, greedy | {"encoder_no_repeat_ngram_size": 1}),
        ("exponential_decay_length_penalty", SHORT, greedy | {"exponential_decay_length_penalty": [4, 1.9]}),
        ("exponential_decay_length_penalty and beams", FIRST,
         beams | {"exponential_decay_length_penalty": [2, 1.4], "min_length": 0}),
        ("several ends", SHORT, greedy | {"eos_token_id": every(29)}),
        ("several ends and beams", FIRST, beams | {"eos_token_id": every(37)}),
        ("forced_eos_token_id", SHORT, greedy | {"forced_eos_token_id": 60, "eos_token_id": [60, 61]}),
        ("renormalize_logits and beams", FIRST, beams | {"renormalize_logits": True, "suppress_tokens": every(3),
                                                         "repetition_penalty": 1.6}),
        ("remove_invalid_values", FIRST, beams | {"remove_invalid_values": True, "bad_words_ids": [[9], [17]]}),
        ("drawn of one", SHORT, greedy | {"do_sample": True, "top_k": 1, "typical_p": 0.9, "min_p": 0.1,
                                                     "epsilon_cutoff": 0.01, "eta_cutoff": 0.02, "seed": 5}),
        ("what changes nothing", SHORT, greedy | {"diversity_penalty": 0.0, "num_beam_groups": 1,
                                                  "guidance_scale": 1.0}),
    ]


def groups(greedy, end):
    """Diverse beam search."""
    def of(beams, count, penalty, returned=1, **more):
        return greedy | {"num_beams": beams, "num_beam_groups": count, "diversity_penalty": penalty,
                         "num_return_sequences": returned} | more

    return [
        ("two of two", SHORT, of(4, 2, 1.5, 4)),
        ("a group a beam", FIRST, of(3, 3, 2.0, 3)),
        ("a small penalty", ODD, of(6, 2, 0.1, 6)),
        ("a large penalty", FIRST, of(6, 3, 40.0, 6)),
        ("the best only", MIXED, of(4, 2, 1.0)),
        ("long ones", SHORT, of(4, 2, 1.0, 4, length_penalty=3.0)),
        ("short ones", FIRST, of(4, 2, 1.0, 4, length_penalty=-2.0)),
        ("early", FIRST, of(6, 3, 2.5, 6, early_stopping=True)),
        ("never early", SHORT, of(6, 3, 2.5, 6, early_stopping="never", length_penalty=1.5)),
        ("several ends", FIRST, of(6, 2, 2.0, 6, eos_token_id=every(29))),
        ("many ends, early", FIRST, of(6, 3, 6.0, 6, eos_token_id=every(26), pad_token_id=40, early_stopping=True)),
        ("a pad that is an end", TINY, of(5, 5, 1.0, 5, pad_token_id=end)),
        ("other processors", FIRST, of(4, 2, 1.0, 4, repetition_penalty=1.6, encoder_repetition_penalty=1.8,
                                       no_repeat_ngram_size=2, sequence_bias=[[[i], 2.0] for i in every(5)])),
        ("groups without beams", SHORT, greedy | {"num_beams": 1, "num_beam_groups": 1, "diversity_penalty": 0.5}),
    ]


def stops(beams):
    """Stop strings with beams, where one text may end before the others."""
    def at(start, end, asked):
        return lambda ask: (SHORT, asked | {"stop": [cut(ask, SHORT, asked, start, end)]})

    return [("stop string and beams", at(2, 4, beams)),
            ("stop string and all beams", at(1, 3, beams | {"num_return_sequences": beams["num_beams"],
                                                            "early_stopping": True}))]


def details(greedy):
    """Ids, log-probabilities and why it ended."""
    asked = greedy | {"details": True}
    return [
        ("details", SHORT, asked),
        ("details of an end", FIRST, asked | {"return_full_text": False, "eos_token_id": every(29)}),
        ("details of a stop string", lambda ask: (SHORT, asked | {"stop": [cut(ask, SHORT, greedy | NEW_ONLY, 2, 5)]})),
        ("details of what was changed", ODD, asked | {"repetition_penalty": 1.8, "suppress_tokens": every(3), "seed": 7}),
    ]


def talks(length):
    """Talks of the old clients. `length` are the parameters that limit the answer."""
    past = {"past_user_inputs": [TINY], "generated_responses": ["So it does."]}
    longer = {"past_user_inputs": [TINY, "Tea?"], "generated_responses": [SHORT_ODD, "No."]}
    return [
        ("first", {"text": SHORT}, length),
        ("second", {"text": "And?"} | past, length),
        ("third", {"text": " And tea ? "} | longer, length),
        ("list", [{"text": TINY}, {"text": "Tea."} | past], length),
        ("beams", {"text": TINY} | past, length | {"num_beams": 3}),
    ]


def too_long_a_talk(length):
    whole = {"text": "And?", "past_user_inputs": [FIRST, SHORT], "generated_responses": [SHORT, FIRST]}
    return [("too long a talk", whole, length)]


def ranking():
    asked = {"query": QUESTION, "texts": [SHORT, FIRST, ODD, TINY, LONG]}
    return [("texts", asked, {}), ("raw scores", asked, {"raw_scores": True}),
            ("with the texts", {"query": ODD, "texts": [TINY, SPACED, FIRST]}, {"return_text": True}),
            ("one text", {"query": TINY, "texts": [SHORT]}, {})]


def chat():
    hello = [{"role": "user", "content": TINY}]
    turns = [{"role": "system", "content": "Be é."}, *hello, {"role": "assistant", "content": " A cup. "},
             {"role": "user", "content": "And?"}]
    prefill = [*hello, {"role": "assistant", "content": " So "}]
    return [
        ("one message", hello, GREEDY),
        ("turns", turns, GREEDY),
        ("other members are kept", [{"role": "user", "content": "Tea.", "name": "x", "n": [1.5, None]}], GREEDY),
        ("new text only", turns, GREEDY | {"return_full_text": False}),
        ("the assistant goes on", prefill, GREEDY),
        ("the assistant goes on, new text only", prefill, GREEDY | {"return_full_text": False}),
        ("a new message all the same", prefill, GREEDY | {"continue_final_message": False}),
        ("the user goes on", hello, GREEDY | {"continue_final_message": True}),
        ("list of chats", [hello, prefill], GREEDY),
        ("beams, all", hello, GREEDY | {"num_beams": 3, "num_return_sequences": 2}),
        ("no chat", TINY, GREEDY),
    ]


def summarization():
    beams = {"num_beams": 3, "max_length": 20}
    return [
        ("defaults of the folder", FIRST, {}),
        ("list", MIXED, {}),
        ("list of one", [SHORT], {}),
        ("too long", LONG, {}),
        ("greedy", FIRST, {"num_beams": 1, "max_length": 20}),
        ("greedy without repeats", SHORT, {"num_beams": 1, "no_repeat_ngram_size": 2, "max_length": 24}),
        ("max_new_tokens", SHORT, {"num_beams": 1, "max_new_tokens": 7}),
        ("beams", FIRST, beams),
        ("beams, long ones", SHORT, beams | {"length_penalty": 3.0}),
        ("beams, short ones", SHORT, beams | {"length_penalty": -2.0, "min_length": 4}),
        ("beams, not early", ODD, beams | {"early_stopping": False}),
        ("beams, never early", ODD, beams | {"early_stopping": "never"}),
        ("min_length", TINY, beams | {"min_length": 12}),
        ("beams, two", FIRST, beams | {"num_return_sequences": 2}),
        ("repetition_penalty", FIRST, beams | {"repetition_penalty": 1.4, "no_repeat_ngram_size": 0}),
        ("encoder's ngrams kept out", FIRST, beams | {"encoder_no_repeat_ngram_size": 2}),
        ("spaces cleaned up", SPACED, beams | {"clean_up_tokenization_spaces": True}),
    ]
