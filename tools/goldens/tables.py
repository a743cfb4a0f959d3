"""The golden folders of models that read tables: TAPAS, which chooses cells, and TAPEX, which writes. Judged by
transformers' own table pipeline; the other heads of TAPAS by its model, since its tokenizer takes no plain text."""
import json

import transformers as hf
from transformers.models.deprecated.tapex import TapexTokenizer

import cases
import vocabulary
from encoders import masks, some
from heads import Head, edit_weights, labels
from seq2seq import SMALL as BART

TAPAS = {"vocab_size": 402, "hidden_size": 24, "intermediate_size": 44, "num_hidden_layers": 2, "num_attention_heads": 4,
         "max_position_embeddings": 96, "type_vocab_sizes": [3, 12, 24, 2, 20, 20, 10], "pad_token_id": 0}
AGGREGATION = {"num_aggregation_labels": 4, "no_aggregation_label_index": 0,
               "aggregation_labels": {0: "NONE", 1: "SUM", 2: "AVERAGE", 3: "COUNT"}}

STARS = {"Repository": ["Transformers", "Datasets", "Tokenizers"], "Stars": ["36,542", "4512", "3934"],
         "Language": ["Python", "Python", "Rust, Python and NodeJS"]}
# Numbers in words, ordinals, signs, powers; ties; dates of several forms; cells without any of it.
VALUES = {
    "Place": ["first", "2nd", "third", "twelfth", "2nd"],
    "Number": ["-1.5", " 1e3", "the 7 and .25", "1,234.5", "n/a"],
    "Date": ["12 March 1998", "March 1998", "Sept 3, 1998", "1582-07-01", "monday, jan 5"],
    "Year": ["1990s", "2001", "1998", "2001", "1699"],
    "Mixed": ["", "?", "12 or 13", "naïve 東京", "may 31"],
}
DATES = {"Day": ["7 february 1967", "10 june 1996", "28 november 1967", "29 february 1900"],
         "Short": ["5.6.1990", "31.12.1989", "1.1.1990", "32.1.1990"], "Month": ["May", "june", "Dec", "august"],
         "Digits": ["٣", "1_000", "٤٥", "5 5"]}
LONG = {"Name": [f"row {i} of the long table" for i in range(18)], "Count": [str(7 * i % 11) for i in range(18)]}
WORDY = {"Text": [cases.SHORT, cases.FIRST], "Other": ["the river", cases.SHORT]}
ONE = {"a": ["b"]}
SPECIAL = {"É <mask>": ["</s> THE", " ", "ΟΔΟΣ", "\u00a0x\u00a0"]}
SMALL = {"a": ["1", "2"], "the river": ["train", "2 books"]}
WIDE = {f"c{i}": [str(i), str(10 - i)] for i in range(9)}


def ask(query, table, **more):
    return {"query": query, "table": table} | more


def table_questions(sequential=False):
    rows = [
        ("object", ask("How many stars does the transformers repository have?", STARS), {}),
        ("queries", ask(["What is above 4,000?", "the sum of 3934 and 4512", "Python"], STARS), {}),
        ("list of one query", ask(["Which is the third?"], VALUES), {}),
        ("list", [ask("What came in 2001?", VALUES), ask("less than 2", STARS)], {}),
        ("list of rows", ask("which came before march 1998", [dict(zip(VALUES, row)) for row in zip(*VALUES.values())]), {}),
        ("values", ask("more than 7 or the second of march 1998 or 12.5", VALUES), {}),
        ("dates", ask("Who was born in june 1996, on 1 january 1990, in the 1960s or on may 5?", DATES), {}),
        ("rows dropped", ask("What is the count of row 3?", LONG), {}),
        ("cells cut", ask("Where?", WORDY), {}),
        ("one cell", ask("b?", ONE), {}),
        ("wide", ask("6", WIDE), {"padding": "do_not_pad"}),
        ("unicode", ask("東京 naïve ٣", VALUES | {"Ünï": ["é", "ﬁ", "😀", "", "nan"]}), {}),
        ("not truncated", ask("2?", SMALL), {"truncation": False, "padding": "longest"}),
    ]
    if sequential:
        rows += [("one after the other", ask(["What is above 4,000?", "and of these?", "which is the first?"], STARS),
                  {"sequential": True}),
                 ("one after the other, dropped", ask(["What is 3?", "And of the long table?"], LONG), {"sequential": True})]
    return rows


# ---- weights that tell more -------------------------------------------------------------------------
def scaled(factors):
    """What is the same in a whole column or in every text would decide alone, as the weights come."""
    def change(tensors):
        def factor(name):
            return next((f for part, f in factors.items() if part in name), 1)
        return {name: tensor * factor(name) for name, tensor in tensors.items()}
    return lambda folder: edit_weights(folder, change)


TYPES = {f"token_type_embeddings_{i}": f for i, f in enumerate([1, 0.3, 0.6, 4, 3, 3, 4])} | {"output_bias": 0.2}
CROSS = {"encoder_attn.out_proj.weight": 8, "encoder_attn.v_proj.weight": 2}


# ---- what the tokenizer makes of tables ---------------------------------------------------------------
NUMBERS = [
    "1,234.5 and 12,34 or 1,234,567.", "-5 - 5 +7 x-1 a.5 .5. 5..5", "1e5 2E3 1e 3e4th 1st 22nd 23rd 4th 5TH th st", "inf nan infinity -inf",
    "zero twelve Twelfth thirteen FIRST eleventh.", "may 5, 1990", "May 5 1990", "5 may 1990 10 june", "Sept 5, 1990 sep 5", "1990-02-29 1992-2-29",
    "2-29-1992 13-01-1992 12-31-2016 1-1-2017", "29.2.1900 29.02.2000 1.13.2000", "monday, january 1 and sunday, feb 3 mon, feb 3", "1699 1700 2016 2017 0000",
    "1990s 1699s 90s", "january february 30 march 31 april 31", "may1990 may  1990 1990 may", "٣٫٥ ١٢٣ ١٩٩٠ ²3 ½ Ⅷ 五 1０", "3/4 3:4 $5 5% #6 _7_ 8-9 10–11",
    "999999999999999999999 " + "9" * 320 + " -" + "9" * 320, "the first of may 2000 to the 3rd of june, 2001", "2 may 2000, 3", "\u00a05\u2003 6\t-7\n+8 ", "İ1 ΑΣ2 ﬁ3",
    "1990-5 1990-13 1990-05-05", "5 5 5 5 5 5 5 may 6 7", "", "?", "12 december 2016. 31 december",
]


def table_file(folder):
    """tables.json: for the tokenizer's own test, ids and the seven types, and the numbers of texts."""
    import pandas
    from transformers.models.tapas import tokenization_tapas as tapas
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)

    def encoded(query, table, truncation):
        frame = pandas.DataFrame(table)
        made = tokenizer(frame, query, truncation=truncation)
        cells = [list(frame.columns)] + frame.values.tolist()
        return {"query": query, "cells": cells, "keep": not truncation, "ids": made["input_ids"],
                "types": [list(column) for column in zip(*made["token_type_ids"])]}

    def value(v):
        return v.float_value if v.date is None else [v.date.year or 0, v.date.month or 0, v.date.day or 0]

    def numbers(text):
        spans = tapas.parse_text(tapas.normalize_for_match(text))
        return {"text": text, "values": ["inf" if v == float("-inf") else v for s in spans for v in map(value, s.values)]}
    column = {"Text": NUMBERS, "Again": NUMBERS[::-1]}
    tables = [(q, inputs["table"], True) for _, inputs, _ in table_questions() if isinstance(inputs, dict)
              for q in (inputs["query"] if isinstance(inputs["query"], list) else [inputs["query"]])]
    tables += [(NUMBERS[i], column, True) for i in (0, 5, 7)] + [("2 or 3", SMALL, False), ("?", {"a": ["", "1"], "b": ["?", "n/a"]}, True)]
    rows = [json.dumps(encoded(*t), ensure_ascii=False) for t in tables]
    texts = [json.dumps(numbers(t), ensure_ascii=False) for t in NUMBERS]
    (folder / "tables.json").write_text("{\"tables\":[\n" + ",\n".join(rows) + "\n],\n\"numbers\":[\n" + ",\n".join(texts) + "\n]}\n",
                                        encoding="utf-8")


def tapas_tokenizer():
    return vocabulary.wordpiece(401, False, hf.TapasTokenizer, max_length=96)


def trimmed_tokenizer():
    return with_settings(tapas_tokenizer(), cell_trim_length=3, strip_column_names=True, max_row_id=5,
                         max_question_length=19, min_question_length=2)


def with_settings(tokenizer, **settings):
    for key, value in settings.items():
        setattr(tokenizer, key, value)
    return tokenizer


def tapas_heads():
    def finish(folder):
        scaled(TYPES)(folder)
        if folder.name in ("table-question-answering", "trimmed"):
            table_file(folder)

    def row(head, cls, tasks, change=None, tokenizer=tapas_tokenizer, **more):
        return Head("tapas", head, cls, hf.TapasConfig(**TAPAS | (change or {})), tokenizer, tasks,
                    finish=finish, **more)
    answers = "table-question-answering"
    yield row(answers, hf.TapasForQuestionAnswering, {answers: table_questions(True)},
              AGGREGATION | {"temperature": 0.5, "hidden_act": "relu", "layer_norm_eps": 1e-3})
    yield row("sequential", hf.TapasForQuestionAnswering, {answers: table_questions(True)},
              {"reset_position_index_per_cell": False, "temperature": 3.0}, dtype="BF16")
    yield row("trimmed", hf.TapasForQuestionAnswering, {answers: table_questions()},
              AGGREGATION | {"no_aggregation_label_index": None, "num_hidden_layers": 1, "max_num_rows": 4,
                             "max_num_columns": 4, "allow_empty_column_selection": True},
              tokenizer=trimmed_tokenizer)
    yield row("fill-mask", hf.TapasForMaskedLM, {"fill-mask": masks(tapas_tokenizer)})
    yield row("feature-extraction", hf.TapasModel, {"feature-extraction": cases.feature_extraction()[:3]})
    yield row("text-classification", hf.TapasForSequenceClassification,
              {"text-classification": some(cases.text_classification(), "string", "list", "too long", "none")},
              labels(["refuted", "entailed"]))


def tapex_tokenizer(**options):
    return vocabulary.byte_bpe(407, vocabulary.ROBERTA_SPECIAL, TapexTokenizer, **options)


def tapex_heads():
    """Its texts are cut behind 64 tokens, a cell's behind four; cells and questions hold specials, too."""
    def row(head, tokenizer, generation, asked):
        return Head("bart", head, hf.BartForConditionalGeneration, hf.BartConfig(**BART), tokenizer,
                    {"table-question-answering": asked}, readable=True, generation=generation, finish=scaled(CROSS))
    some_questions = [r for r in table_questions() if r[0] != "not truncated"]
    some_questions.append(("specials", ask("A <mask> of </s>?", SPECIAL), {}))
    yield row("tapex", lambda: with_settings(tapex_tokenizer(), max_cell_length=4), 
              {"max_new_tokens": 9, "no_repeat_ngram_size": 2}, some_questions)
    yield row("tapex-cased", lambda: tapex_tokenizer(do_lower_case=False, add_prefix_space=True),
              {"max_new_tokens": 7, "num_beams": 3, "length_penalty": 0.5, "no_repeat_ngram_size": 1}, some_questions[:6])


def all_heads():
    for rows in (tapas_heads, tapex_heads):
        yield from rows()
