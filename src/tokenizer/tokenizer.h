/* Tokenizers: text to ids and back, equal to the `tokenizers` library and to `transformers`'
 * decode.
 *
 * A tokenizer is a pipeline of stages, each a row of its stage's table:
 *   added tokens -> normalizer -> pre-tokenizer -> model -> post-processor     and decoder back.
 * It is read from tokenizer.json, or built from the legacy files (vocab.json + merges.txt,
 * vocab.txt) as `transformers` converts them. Immutable after loading but for a cache of
 * words that nobody waits for (word_cache.h): any number of threads may use it at once. It knows no
 * model weights, HTTP or chat templates.
 *
 * Offsets count code points of the original text, end exclusive. */
#ifndef BRISK_TOKENIZER_TOKENIZER_H
#define BRISK_TOKENIZER_TOKENIZER_H

#include "base/base.h"

struct tokenizer;

/* Loads from a repository folder. config.json is optional (its model_type helps the legacy files).
 * NOT_FOUND: no tokenizer files. MODEL: damaged, or a stage that is not supported, by name. */
enum status tokenizer_load(struct tokenizer **out, const char *folder,
                           struct error *err) MUST_CHECK;
/* From the trees of tokenizer.json and tokenizer_config.json (or NULL), which may go afterwards:
 * for a folder that has neither file, but the same in another one (GGUF). */
enum status tokenizer_load_json(struct tokenizer **out, const char *folder,
                                const struct json *tokenizer_json,
                                const struct json *tokenizer_config, struct error *err) MUST_CHECK;
void tokenizer_destroy(struct tokenizer *tokenizer); /* NULL is fine */

/* ---- what it is ---- */
enum special_token {
    TOKEN_BOS,
    TOKEN_EOS,
    TOKEN_UNK,
    TOKEN_SEP,
    TOKEN_PAD,
    TOKEN_CLS,
    TOKEN_MASK,
    TOKEN_ROLES
};
int32_t tokenizer_special(const struct tokenizer *tokenizer,
                          enum special_token role); /* id, -1: none */
uint32_t
tokenizer_vocab_size(const struct tokenizer *tokenizer); /* with added tokens: highest id + 1 */
/* model_max_length of tokenizer_config.json; 0 when unknown or "very large" (above 1e9). */
uint32_t tokenizer_max_length(const struct tokenizer *tokenizer);
bool tokenizer_pads_left(const struct tokenizer *tokenizer); /* padding_side of its config */
/* Whether a model is handed token types: by model_input_names of its config, else by its class. */
bool tokenizer_gives_types(const struct tokenizer *tokenizer);
/* True when the model marks continuations by a prefix (WordPiece's "##"), see task NER. */
bool tokenizer_marks_subwords(const struct tokenizer *tokenizer);
/* The token as the vocabulary has it ("##ing", "\u0120the"), zero-terminated, or NULL. */
const char *tokenizer_token(const struct tokenizer *tokenizer, int32_t id);
int32_t tokenizer_find(const struct tokenizer *tokenizer, const char *token,
                       size_t len);                                       /* -1: absent */
bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id); /* skipped by decode */

/* The token of a language of a translation model: "fra_Latn" (NLLB), "fr_XX" (mBART), "fra"
 * (SeamlessM4T). What encode_options.language takes for the source, and what generation begins
 * with for the target. -1: not a language of this tokenizer, or not a model of languages. */
int32_t tokenizer_language(const struct tokenizer *tokenizer, const char *code);
/* Whether it is the tokenizer of a model of languages at all. */
bool tokenizer_has_languages(const struct tokenizer *tokenizer);
/* The first language whose token's id is above `id` (-1: of all), or -1; its code stands in the
 * arena. */
int32_t tokenizer_next_language(const struct tokenizer *tokenizer, int32_t id, struct arena *arena,
                                const char **code);
/* Those that tokenizer_config.json names, src_lang and tgt_lang; -1: it names none. */
int32_t tokenizer_source_language(const struct tokenizer *tokenizer);
int32_t tokenizer_target_language(const struct tokenizer *tokenizer);

/* ---- text to ids ---- */
struct span {
    uint32_t start, end; /* code points of the text that `sequence` names */
};

enum truncation {
    TRUNCATE_NONE,
    TRUNCATE_LONGEST_FIRST,
    TRUNCATE_ONLY_FIRST,
    TRUNCATE_ONLY_SECOND
};

struct encode_options { /* zero is the default: both specials on, no truncation */
    bool no_special_tokens;
    enum truncation truncation;
    bool truncate_left;  /* drop from the left; else from the right */
    uint32_t max_length; /* tokens with the specials; needed with truncation */
    uint32_t stride;     /* overlap of the overflow windows; only with `overflow` */
    int32_t language;    /* source language of a translation model, as tokenizer_language gives it;
                            0: that of its config */
    bool overflow;       /* what is cut off becomes further windows, as return_overflowing_tokens */
};

/* One window. All arrays have n elements and live in the arena. */
struct encoding {
    size_t n;
    int32_t *ids;
    int32_t *type_ids;
    struct span *offsets;  /* {0,0} for special tokens */
    uint8_t *special;      /* 1: added by the post-processor (special_tokens_mask) */
    int8_t *sequence;      /* 0 text, 1 pair, -1 special */
    int32_t *words;        /* pre-tokenizer word of the token's text, -1 for special (word_ids) */
    uint8_t *attention;    /* 0: padding (attention_mask); NULL: nothing is padded, all are 1 */
    size_t truncated;      /* tokens cut off and not in another window */
    struct encoding *next; /* next overflow window, NULL at the end */
};

/* Encodes text (and pair, NULL when there is none). INPUT when a text is not valid UTF-8 (naming
 * the position) or max_length leaves no room for the special tokens. */
enum status tokenizer_encode(const struct tokenizer *tokenizer, struct encoding *out,
                             struct arena *arena, const char *text, size_t text_len,
                             const char *pair, size_t pair_len,
                             const struct encode_options *options, struct error *err) MUST_CHECK;

/* ---- tables ---- */
enum table_form {
    TABLES_NONE,   /* not a tokenizer of tables */
    TABLES_CELLS,  /* TapasTokenizer: tokens of cells, with types that say where they stand */
    TABLES_LINEAR, /* TapexTokenizer: one line of text */
};
enum table_form tokenizer_tables(const struct tokenizer *tokenizer);

struct table_cell {
    const char *text; /* valid UTF-8 */
    size_t len;
};
struct table {
    uint32_t rows, columns;         /* at least one each; the header is no row */
    const struct table_cell *cells; /* [rows + 1, columns]: the header, then the rows */
};
struct table_options {
    uint32_t max_length; /* tokens with the specials that rows are dropped for */
    bool keep_rows;      /* drop none */
};

/* TABLES_CELLS: a table once read, for many questions. Lives in the arena; borrows nothing. INPUT:
 * too many columns. */
struct table_reading;
enum status tokenizer_read_table(const struct tokenizer *tokenizer, struct table_reading **out,
                                 struct arena *arena, const struct table *table,
                                 struct error *err) MUST_CHECK;
enum table_type {
    TYPE_SEGMENT, /* 1: of the table */
    TYPE_COLUMN,  /* from 1 on; 0: of the question */
    TYPE_ROW,     /* from 1 on; 0: of the question or the header */
    TYPE_ANSWER,  /* 1: of the answer to the question before; left to the caller */
    TYPE_RANK,    /* of the cell's number or date among the column's, from 1 on; 0: it has none */
    TYPE_INVERSE_RANK,
    TYPE_RELATION, /* to the question's numbers: bits equal, less, greater */
    TABLE_TYPES
};
struct table_encoding {
    size_t n;
    int32_t *ids;
    int32_t *types;   /* [TABLE_TYPES, n] */
    size_t truncated; /* tokens of the table that are not there */
};
/* INPUT: too many rows to keep; more tokens than max_length, whatever is dropped. */
enum status tokenizer_encode_table(const struct tokenizer *tokenizer, struct table_encoding *out,
                                   struct arena *arena, const struct table_reading *reading,
                                   const char *question, size_t len,
                                   const struct table_options *options,
                                   struct error *err) MUST_CHECK;

/* TABLES_LINEAR: question and table as one text, which is then encoded as any other. */
enum status tokenizer_join_table(const struct tokenizer *tokenizer, char **out, size_t *out_len,
                                 struct arena *arena, const struct table *table,
                                 const char *question, size_t len,
                                 const struct table_options *options,
                                 struct error *err) MUST_CHECK;

/* ---- padding ---- */
struct padding {          /* zero: to the longest, on the right, with id 0 of type 0 */
    uint32_t length;      /* tokens to pad to; 0: to the longest of the encodings */
    uint32_t multiple_of; /* raised to a multiple of this; 0: not */
    bool left;
    int32_t id, type_id; /* of the padding */
};
/* Fills up n encodings with their overflow windows, so that the shorter have the same length (one
 * that is longer stays as it is). Padding counts as special, of no sequence, word or place. New
 * arrays live in the arena. INPUT: the length is above LIMIT_TEXT. */
enum status tokenizer_pad(struct encoding *encodings, size_t n, struct arena *arena,
                          const struct padding *padding, struct error *err) MUST_CHECK;
/* The padding that transformers would do: the tokenizer's pad token, or 0, and its side. */
struct padding tokenizer_padding(const struct tokenizer *tokenizer);

/* ---- ids to text ---- */
struct decode_options {
    bool keep_special; /* else special tokens are skipped */
    int clean_up; /* clean_up_tokenization_spaces: 0 as the tokenizer's config says, 1 on, -1 off */
};
/* Appends the text to out. Ids out of range are skipped, as the library does. */
void tokenizer_decode(const struct tokenizer *tokenizer, struct buf *out, const int32_t *ids,
                      size_t n, struct decode_options options);
/* convert_tokens_to_string: the decoder alone over token strings (also words, as NER groups them).
 */
void tokenizer_join(const struct tokenizer *tokenizer, struct buf *out, const char *const *tokens,
                    size_t n);

/* Streaming: gives out text as soon as it cannot change any more; never half a character. All that
 * is given out is tokenizer_decode's text, but for one case: bytes of ByteFallback ("<0xE2>") that
 * are no UTF-8 together are all broken, so that a run of them is held back until it ends. A run of
 * more than DECODE_STREAM_HELD is given out character by character, and a bad byte behind them
 * comes too late for them. Memory and a step's work are bounded. */
#define DECODE_STREAM_HELD 16 /* ids whose text is held back, at most */
struct decode_stream {
    const struct tokenizer *tokenizer;
    struct decode_options options;
    int32_t ids[4 * DECODE_STREAM_HELD]; /* the last ones: for context, and what is held back */
    size_t n;
    size_t given; /* bytes of the ids' text (before cleaning up) that have been given out */
    size_t held;  /* ids since all text was given out */
    /* The run of bytes that the ids end with. */
    size_t run;                 /* its length; 0: none */
    size_t broken;              /* of them at the end, that are no character yet */
    uint8_t partial[4];         /* their bytes */
    bool falls_back;            /* the decoder makes bytes of "<0xE2>" */
    bool part_given;            /* the run's first characters have been given out */
    bool spoiled;               /* it is no UTF-8 */
    struct slow_stream *joined; /* a class that joins words step by step does all of it; or NULL */
};
void decode_stream_init(struct decode_stream *stream, const struct tokenizer *tokenizer,
                        struct decode_options options);
void decode_stream_deinit(struct decode_stream *stream);
/* Appends the text that `id` completes (possibly none) to out. */
void decode_stream_push(struct decode_stream *stream, int32_t id, struct buf *out);
/* Appends what is still held back (a broken character as U+FFFD). */
void decode_stream_finish(struct decode_stream *stream, struct buf *out);

#endif
