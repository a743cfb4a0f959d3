/* Private to tasks: what a task is made of, its parameter table, and what job.c offers to it.
 *
 * Reading order: struct param (a row of a parameter table), struct part (one element of `inputs`),
 * struct task (the row a task file defines), then the helpers. */
#ifndef BRISK_TASKS_TASK_H
#define BRISK_TASKS_TASK_H

#include <stddef.h>
#include "tasks/tasks.h"

struct text {
    const char *data;
    size_t len;
};

/* ---- parameters (params.c) ---- */
enum param_type {
    PARAM_BOOL,
    PARAM_INT,
    PARAM_NUMBER,
    PARAM_STRING,
    PARAM_CHOICE,     /* a string of `choices` */
    PARAM_STRINGS,    /* a string or a list of strings */
    PARAM_TRUNCATION, /* a boolean or the name of a strategy */
    PARAM_ANY,        /* looked at by the task */
};

/* What a request gave for one parameter. */
struct arg {
    bool given; /* and not null */
    bool null;  /* null was sent */
    bool boolean;
    int64_t integer;
    double number;
    struct text text;
    const struct json *json;
};

struct param {
    const char *name;
    const char *aliases; /* separated by spaces, or NULL */
    enum param_type type;
    double min, max;     /* of numbers; both 0: no limit */
    const char *choices; /* separated by spaces, of PARAM_CHOICE */
    const char *preset;  /* JSON of the default, for documentation; NULL: none */
    const char *help;
    size_t offset; /* of the struct arg in the task's arguments */
};

/* Where parameters may stand: each object is searched before the next one. */
#define PARAM_SOURCES 8
struct param_sources {
    const struct json *objects[PARAM_SOURCES];
    uint32_t n;
};
/* parameters, the objects nested in it (generation_parameters, generate_kwargs, ...), root. */
enum status param_sources_find(struct param_sources *sources, const struct json *parameters,
                               const struct json *root, struct error *err) MUST_CHECK;
/* Fills the struct args of `args`, which is zeroed. Unknown parameters are ignored. */
enum status params_read(const struct param *params, size_t n, const struct param_sources *sources,
                        void *args, struct error *err) MUST_CHECK;
void params_write(const struct param *params, size_t n, struct json_out *out);
const char *value_kind(const struct json *value); /* "string", "list", for messages */
/* "abc" (string), 5, [1,2] (list): a value for messages, at most a line. */
const char *describe_value(struct arena *arena, const struct json *value);

static inline int64_t arg_int(const struct arg *arg, int64_t otherwise) {
    return arg->given ? arg->integer : otherwise;
}
static inline bool arg_bool(const struct arg *arg, bool otherwise) {
    return arg->given ? arg->boolean : otherwise;
}

/* ---- jobs (job.c) ---- */
struct part {
    struct job *job;
    uint32_t index;
    const struct json *input; /* one element of inputs */
    void *state;              /* the task's */
    size_t truncated;         /* tokens cut off */
};

struct job {
    struct arena arena;
    const struct task *task;
    const char *name; /* under which it was asked for; lives as long as the body */
    const struct task_model *model;
    const struct json *body, *inputs, *options;
    struct param_sources sources;
    void *args;         /* the task's arguments */
    void *state;        /* the task's, for the whole job */
    struct part *parts; /* [n_parts] */
    uint32_t n_parts;
    bool single; /* inputs was not a list */
    struct item *first, *last;
    size_t n_items;
    size_t text_bytes;    /* given to the tokenizer so far */
    size_t output_floats; /* of all items */
    struct job_facts facts;
};

struct task {
    const char *name;
    const char *const *aliases; /* NULL-terminated, or NULL */
    const char *summary;
    const struct param *params;
    size_t n_params, args_size;
    const char *const *fields; /* of an object input: a body with them needs no "inputs"; or NULL */
    bool nest_single;          /* the answer to one input is a list of one answer, too */
    enum status (*supports)(const struct task_model *model, struct error *err);
    /* Checks the arguments, once a job; may change what the parts are. NULL: nothing to do. */
    enum status (*open)(struct job *job, struct error *err);
    /* Reads the input, makes the first items. */
    enum status (*begin)(struct part *part, struct error *err);
    /* Sees their outputs: AGAIN when it made more items. NULL: write does everything. */
    enum status (*next)(struct part *part, struct error *err);
    void (*write)(struct part *part, struct json_out *out);
};

#define TASK(name) extern const struct task task_##name;
#include "tasks/tasks.inc"
#undef TASK

/* A string of the input, for messages called `what`; counts its characters. */
enum status part_text(struct part *part, const struct json *value, const char *what,
                      struct text *out, struct error *err) MUST_CHECK;

/* How an input that is too long is treated. */
struct fit {
    bool refuse;              /* "truncation": false */
    bool left;                /* cut at the left */
    enum truncation strategy; /* TRUNCATE_NONE: longest first */
    uint32_t limit;           /* tokens with specials; 0: the model's */
    bool plain;               /* no special tokens */
    bool whole;               /* never cut: what is too long is refused by who reads it */
    bool may_be_empty;
    bool generates; /* a decoder does not read the text: only the encoder's positions limit it */
    int32_t language; /* of the text, as encode_options has it */
};
/* Reads the usual parameters: truncation and max_length. */
struct fit fit_of(const struct arg *truncation, const struct arg *max_length);
/* Their two rows in a table of parameters; `args` is the struct that holds both, `other_name` of
 * truncation may be NULL, `length` says what max_length limits. */
#define FIT_PARAMS(args, other_name, length)                                                       \
    {.name = "truncation",                                                                         \
     .aliases = (other_name),                                                                      \
     .type = PARAM_TRUNCATION,                                                                     \
     .preset = "true",                                                                             \
     .help = "false: refuse an input that is too long, rather than cut it",                        \
     .offset = offsetof(args, truncation)},                                                        \
    {                                                                                              \
        .name = "max_length", .type = PARAM_INT, .min = 1, .max = 1e9, .help = (length),           \
        .offset = offsetof(args, max_length)                                                       \
    }
/* Most tokens of a text: the tokenizer's and the model's limit. */
uint32_t model_limit(const struct task_model *model);
/* Counts bytes that the tokenizer is about to read. TOO_LARGE over the job's limit. */
enum status part_reads(struct part *part, size_t bytes, struct error *err) MUST_CHECK;
/* Encodes, counts tokens and what was cut. INPUT when nothing is left or it is refused. */
enum status part_encode(struct part *part, struct text text, const struct text *pair,
                        struct fit fit, struct encoding *out, struct error *err) MUST_CHECK;
/* For encodings that part_encode did not make: that there are tokens, all in the vocabulary. */
enum status check_encoding(const struct part *part, const struct encoding *encoding,
                           struct error *err) MUST_CHECK;
/* A new item at the end of the job's list that runs the encoding; with a decoder that shifts its
 * input (arch.shifts_input) also what the decoder reads. */
struct item *part_item(struct part *part, const struct encoding *encoding);
/* Asks for rows (NULL: all) of hidden states and/or logits. TOO_LARGE over the job's limit. */
enum status part_want(struct part *part, struct item *item, const uint32_t *rows, uint32_t n_rows,
                      bool hidden, bool logits, struct error *err) MUST_CHECK;
/* The row that a head of HEAD_SEQUENCE reads, by arch.head.rows. */
uint32_t head_row(const struct task_model *model, const struct encoding *encoding);

/* ---- text.c ---- */
/* Byte offsets of the code points of text: [n + 1], the last is its length. */
struct characters {
    const char *data;
    size_t n;
    const uint32_t *offsets;
};
struct characters characters_of(struct arena *arena, struct text text);
struct text characters_slice(const struct characters *characters, size_t start, size_t end);
struct text text_strip(struct text text);                      /* as Python's str.strip() */
bool text_equal_ignoring_case(struct text a, struct text b);   /* equal as str.lower() makes them */
struct text text_lower(struct arena *arena, struct text text); /* each character for itself */
uint32_t text_hash_ignoring_case(struct text text);
struct text text_of(const char *zero_terminated);
void write_text(struct json_out *out, struct text text);
void write_base64(struct json_out *out, const float *values, size_t n); /* little endian floats */

/* ---- scores.c ---- */
struct scored {
    float score;
    uint32_t index;
};
/* Sorts by score, largest first; equal ones by index. */
void scored_sort(struct scored *scored, size_t n);
/* The k best of n, sorted; returns how many. */
size_t scored_top(struct scored *out, size_t k, const float *scores, size_t n);
enum status needs_head(const struct task_model *model, enum head_kind kind, const char *task,
                       const char *classes, struct error *err) MUST_CHECK;
float sigmoid(float x);
const char *model_label(const struct task_model *model, size_t i);

/* ---- generating.c: shared by the tasks that generate ---- */
struct generation_args {
    struct arg do_sample, temperature, top_k, top_p, min_p, typical_p, epsilon_cutoff, eta_cutoff;
    struct arg repetition_penalty, no_repeat_ngram_size, length_penalty, early_stopping;
    struct arg max_new_tokens, max_length, min_length, min_new_tokens, max_time;
    struct arg num_beams, num_beam_groups, diversity_penalty, num_return_sequences;
    struct arg encoder_repetition_penalty, encoder_no_repeat_ngram_size, bad_words_ids;
    struct arg sequence_bias, exponential_decay_length_penalty, suppress_tokens;
    struct arg begin_suppress_tokens, forced_bos_token_id, forced_eos_token_id, eos_token_id;
    struct arg renormalize_logits, remove_invalid_values;
    struct arg seed, stop, clean_up_tokenization_spaces;
};
#define GENERATION_PARAM_ROW(args_type_, field_, type_, min_, max_, preset_, aliases_, help_)      \
    {.name = #field_,                                                                              \
     .aliases = aliases_,                                                                          \
     .type = PARAM_##type_,                                                                        \
     .min = min_,                                                                                  \
     .max = max_,                                                                                  \
     .preset = preset_,                                                                            \
     .help = help_,                                                                                \
     .offset = offsetof(args_type_, generation.field_)},
/* What the pipeline of a task sets when neither model nor request does. */
struct generation_presets {
    bool do_sample;
    float temperature;
    uint32_t max_new_tokens, num_beams;
};
/* The job's configuration from model, presets and request; checks it. */
enum status generation_open(struct job *job, const struct generation_args *args,
                            const struct generation_presets *presets, const char *task,
                            struct generation_config **out, struct error *err) MUST_CHECK;
/* That the token a text begins with, which a request may set, is one of the model's. */
enum status check_start(const struct job *job, const char *name, int32_t id,
                        struct error *err) MUST_CHECK;
/* The token that an encoder-decoder's decoder begins with. */
enum status generation_start(const struct job *job, const struct generation_config *config,
                             int32_t *start, struct error *err) MUST_CHECK;
/* The text in front of every input (config.prefix, task_specific_params). */
struct text generation_prefix(const struct job *job, const char *task);
/* Makes item one that generates num_return_sequences texts. */
void item_generates(struct part *part, struct item *item, const struct generation_config *config);
void count_generated(struct part *part, const struct item *item);

#endif
