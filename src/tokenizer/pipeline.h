/* The parts of a tokenizer, private to this room.
 *
 * Each kind of stage is a table of rows (struct stage_kind): its type as tokenizer.json names it,
 * how its parameters are read, how it runs. Adding a stage is a function and a row; nothing else
 * knows the types. All parsed state lives in the tokenizer's arena and does not change after
 * loading; what a call needs on the way lives in its own scratch arena. */
#ifndef BRISK_TOKENIZER_PIPELINE_H
#define BRISK_TOKENIZER_PIPELINE_H

#include "tokenizer/model.h"
#include "tokenizer/pattern.h"
#include "tokenizer/text.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocab.h"
#include "tokenizer/word_cache.h"

/* ---- what flows through -------------------------------------------------------------------- */

/* A piece of the text: an added token, or a word for the model. */
struct piece {
    struct text text;
    int32_t id;      /* of the added token, -1: not one */
    bool byte_level; /* its bytes are still to be mapped to byte-level characters */
};

struct pieces {
    struct piece *items;
    size_t n, cap;
    struct arena *arena;
    bool lost; /* a text was: see text_is_lost */
};
void pieces_reserve(struct pieces *pieces, size_t cap);     /* room for cap in all */
void pieces_add(struct pieces *pieces, struct piece piece); /* an empty text is left out */

struct token {
    int32_t id;
    int32_t type_id;
    struct span offsets;  /* code points */
    int32_t word;         /* -1: special */
    uint32_t lead, trail; /* spaces at the token's ends, for trim_offsets */
    bool special;         /* added by a post-processor */
};

struct tokens {
    struct token *items;
    size_t n, cap;
};

#define WINDOW_RANGES 8

/* An encoding on its way through the post-processor: the main window and the overflow. */
struct window {
    struct token *tokens;
    size_t n;
    /* Where the tokens of text i are, places in the window; bit i of `ranged`: it is known. A
     * ByteLevel behind a template makes a sequence of each of its pieces, hence more than two. */
    struct span ranges[WINDOW_RANGES];
    uint8_t ranged;
};
void window_set_range(struct window *window, size_t sequence, size_t start, size_t end);
struct windows {
    struct window main;
    struct window *overflow;
    size_t n_overflow;
};

/* What the post-processors work on: one entry a sequence first, then a part a template piece. */
struct parts {
    struct windows *items;
    size_t n;
    bool is_pair, add_special_tokens;
    struct arena *arena;
};

struct strings {
    struct string {
        const char *data;
        size_t len;
    } * items;
    size_t n;
    struct arena *arena; /* of what the stages make */
};

/* ---- stages -------------------------------------------------------------------------------- */

struct stage;
struct loader;

struct stage_kind {
    const char *type; /* as in tokenizer.json */
    /* Reads the parameters into stage->state; NULL: there are none. */
    enum status (*parse)(struct stage *stage, struct loader *loader, const struct json *config,
                         struct error *err);
    union {
        void (*normalize)(const struct stage *stage, struct text *text, struct arena *scratch);
        void (*split)(const struct stage *stage, struct pieces *pieces, struct arena *scratch);
        void (*process)(const struct stage *stage, struct parts *parts);
        void (*decode)(const struct stage *stage, struct strings *strings);
    };
    size_t (*added)(const struct stage *stage, bool is_pair); /* post-processors: special tokens */
};

struct stage {
    const struct stage_kind *kind;
    void *state;
    struct stage **children; /* of a Sequence */
    size_t n_children;
};

/* Each parses one stage from its JSON; null gives NULL. */
enum status normalizer_parse(struct stage **out, struct loader *loader, const struct json *config,
                             struct error *err) MUST_CHECK;
enum status pre_tokenizer_parse(struct stage **out, struct loader *loader,
                                const struct json *config, struct error *err) MUST_CHECK;
enum status post_processor_parse(struct stage **out, struct loader *loader,
                                 const struct json *config, struct error *err) MUST_CHECK;
enum status decoder_parse(struct stage **out, struct loader *loader, const struct json *config,
                          struct error *err) MUST_CHECK;

typedef enum status stage_parser(struct stage **out, struct loader *loader,
                                 const struct json *config, struct error *err);
/* For those four: finds the row and parses. `what` is for messages. */
enum status stage_parse(struct stage **out, struct loader *loader, const struct json *config,
                        const struct stage_kind *kinds, size_t n_kinds, const char *what,
                        struct error *err) MUST_CHECK;
enum status stage_parse_children(struct stage *stage, struct loader *loader,
                                 const struct json *list, stage_parser *parse,
                                 struct error *err) MUST_CHECK;
/* {"String": …} or {"Regex": …} into a pattern that the tokenizer owns. */
enum status stage_parse_pattern(struct pattern **out, struct loader *loader,
                                const struct json *config, struct error *err) MUST_CHECK;
/* A pattern's destruction with the tokenizer. */
void loader_own_pattern(struct loader *loader, struct pattern *pattern);
struct arena *loader_arena(struct loader *loader);

/* Stages with a file of their own. */
enum status precompiled_parse(struct stage *stage, struct loader *loader, const struct json *config,
                              struct error *err);
void precompiled_run(const struct stage *stage, struct text *text, struct arena *scratch);
void unicode_scripts_run(const struct stage *stage, struct pieces *pieces, struct arena *scratch);

bool stage_is(const struct stage *stage, const char *type); /* false for NULL */

/* ByteLevel's state, which transformers' add_prefix_space and trim_offsets reach into. */
struct byte_level {
    bool add_prefix_space, trim_offsets, use_regex;
    struct pattern *pattern;
};
/* RobertaProcessing's and BertProcessing's. */
struct cls_sep {
    int32_t cls, sep;
    bool add_prefix_space, trim_offsets;
};
/* BertNormalizer's. */
struct bert_normalizer {
    bool clean_text, handle_chinese_chars, lowercase;
    int strip_accents; /* -1: as lowercase */
};
enum status bert_normalizer_parse(struct stage *stage, struct loader *loader,
                                  const struct json *config, struct error *err);
void bert_normalizer_run(const struct stage *stage, struct text *text, struct arena *scratch);
bool bert_is_chinese(uint32_t code_point);

/* The byte-level alphabet: a printable character for each byte (GPT-2's encoder). */
uint32_t byte_level_char(uint8_t byte);
int byte_level_byte(uint32_t code_point); /* -1: none */
void byte_level_map(struct text *text, struct arena *scratch);
/* A word that stands for nothing of the input (a normalizer put it at the start) is not replaced by
 * its mapping, but gets it in front, which is the library's way; then true. */
bool byte_level_repeats(struct text *text, struct arena *scratch);

/* ---- added tokens -------------------------------------------------------------------------- */

struct added_token {
    const char *content; /* in the tokenizer's arena */
    size_t len;
    bool single_word, lstrip, rstrip, normalized, special;
};

struct trie;
struct added {
    struct vocab vocab;        /* content to id, id to content */
    struct added_token *by_id; /* [vocab.size]: the flags that count when matching */
    size_t by_id_cap;
    struct added_token *ordinary, *special; /* in order of adding: what the tries are made of */
    size_t n_ordinary, ordinary_cap, n_special, special_cap;
    struct vocab special_set; /* contents that decode skips */
    struct trie *plain;       /* matched before normalization */
    struct trie *normalized;  /* and after */
};
void added_init(struct added *added);
void added_deinit(struct added *added);
void added_add(struct tokenizer *tokenizer, struct added_token token);
/* Makes decode skip it. */
void added_special(struct tokenizer *tokenizer, struct added_token token);
/* With this id, whatever the vocabulary says; ids of LIMIT_VOCAB_SIZE and above are left out. */
void added_put(struct tokenizer *tokenizer, struct added_token token, uint32_t id);
/* Builds the tries; after the last added_add. */
void added_finish(struct tokenizer *tokenizer);
/* Splits the input at added tokens, normalizing what lies between. */
void added_split(const struct tokenizer *tokenizer, const char *text, size_t len,
                 struct pieces *pieces, struct arena *scratch);
bool added_is_special(const struct added *added, const char *content, size_t len);

/* ---- the tokenizer ------------------------------------------------------------------------- */

struct slow;
/* What tokenizer_config.json says of tables. */
struct table_settings {
    enum table_form form;
    uint32_t cell_tokens; /* most of a cell (cell_trim_length, max_cell_length); 0: any number */
    uint32_t max_columns, max_rows;         /* fewer than these; 0: any number */
    uint32_t question_least, question_most; /* tokens; others are no question; 0: any number */
    bool no_headers;                        /* strip_column_names */
    bool lowercase;                         /* of TABLES_LINEAR, all of the text */
};

struct tokenizer {
    struct arena arena;       /* states of the stages */
    struct word_cache *words; /* what the model made of words before; NULL: not yet loaded */
    struct vocab vocab;       /* the model's */
    struct added added;
    struct model model;
    struct stage *normalizer, *pre_tokenizer, *post_processor, *decoder; /* NULL: none */
    struct pattern **patterns;
    size_t n_patterns, patterns_cap;
    int32_t roles[TOKEN_ROLES];
    uint32_t max_length;
    bool pads_left, untyped, clean_up, strip_decoded, trims_offsets;
    bool splits_special;         /* special tokens in a text are text */
    int32_t language;            /* the source language that the post-processor adds, -1: none */
    int32_t source, target;      /* languages that tokenizer_config.json names, -1: none */
    struct slow *slow;           /* a class of Python alone (slow.h); NULL: not one */
    const char *language_format; /* a language's token: "%s", "__%s__"; NULL: it has none */
    struct table_settings tables;
};

/* What is known while loading. */
struct loader {
    struct tokenizer *tokenizer;
    const char *folder;
    struct arena arena; /* JSON trees, gone after loading */
    const struct json *tokenizer_json, *tokenizer_config, *special_tokens_map, *config;
    const struct tokenizer_class *class; /* NULL: no transformers class: the bare library */
    const char *class_name;              /* as the files name it, NULL: they do not */
    bool legacy;                         /* built from the files from before tokenizer.json */
    struct legacy_post *legacy_post;     /* the post-processor that waits for the special tokens */
};

int32_t tokenizer_token_to_id(const struct tokenizer *tokenizer, const char *token, size_t len);
const char *tokenizer_token_n(const struct tokenizer *tokenizer, int32_t id, size_t *len);

bool decode_cleans(const struct tokenizer *tokenizer, struct decode_options options);
/* Cleans up what stands in out from `start` on. */
void decode_clean(struct buf *out, size_t start);
/* True when data[0, at) ends in the beginning of something that cleaning up replaces, as far as
 * data[at, len) does not tell otherwise. */
bool decode_may_clean(const char *data, size_t at, size_t len);

/* Truncation and post-processing of both sequences into the public encoding. */
enum status post_process(const struct tokenizer *tokenizer, struct encoding *out,
                         struct arena *arena, struct arena *scratch, struct tokens sequences[2],
                         bool is_pair, const struct encode_options *options,
                         struct error *err) MUST_CHECK;

enum status legacy_load(struct loader *loader, struct error *err) MUST_CHECK;
/* The post-processor, once the special tokens have their ids. */
enum status legacy_finish(struct loader *loader, struct error *err) MUST_CHECK;
/* A TemplateProcessing of "[CLS]:0 $A:0 [SEP]:0": pieces separated by spaces, type 0 when nothing
 * is said. Ids are looked up: the unknown token's, else 0, where a token is absent. */
enum status template_set(struct loader *loader, const char *single, const char *pair,
                         struct error *err) MUST_CHECK;

#endif
