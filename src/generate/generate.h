/* Generation: from a prompt and a configuration to token sequences: logits processors, sampling,
 * beams, stopping. A generation is a state machine that somebody else drives, so that many of them
 * share forward passes:
 *
 *     generation_create -> { generation_plan -> (one pass of the model) -> generation_advance }*
 *
 * The reference is `transformers`' GenerationMixin (4.57): greedy, sample, beam search and beam
 * sampling, with the same order of logits processors and the same stopping rules; and diverse beam
 * search as it was there before.
 * It knows no text but through struct generation_text, no queues, no threads. */
#ifndef BRISK_GENERATE_GENERATE_H
#define BRISK_GENERATE_GENERATE_H

#include "base/base.h"
#include "engine/engine.h"

enum early_stopping { EARLY_STOPPING_FALSE, EARLY_STOPPING_TRUE, EARLY_STOPPING_NEVER };

#define GENERATION_EOS_MAX        16
#define GENERATION_DEFAULT_LENGTH 20 /* new tokens when no length is given */

/* Adds to the score of the last of these tokens where those before it have just come. */
struct sequence_bias {
    const int32_t *ids;
    uint32_t n; /* >= 1 */
    float bias;
};

/* As generation_config.json; defaults are `transformers`'. generation_config_default fills them. */
struct generation_config {
    bool do_sample;
    float temperature, top_p, min_p, typical_p;
    float epsilon_cutoff, eta_cutoff;                            /* 0: off */
    uint32_t top_k;                                              /* 0: off */
    float repetition_penalty;                                    /* 1: off */
    float encoder_repetition_penalty;                            /* 1: off */
    uint32_t no_repeat_ngram_size, encoder_no_repeat_ngram_size; /* 0: off */
    uint32_t num_beams, num_return_sequences;
    uint32_t num_beam_groups; /* 1: plain beam search; counts with num_beams > 1 only */
    float diversity_penalty;
    float length_penalty;
    enum early_stopping early_stopping;
    /* Lengths count tokens; 0: not given. max_length and min_length include the prompt in
     * decoder-only models, and the decoder's start token in the others; the _new_ ones win. */
    uint32_t max_length, max_new_tokens, min_length, min_new_tokens;
    int32_t eos[GENERATION_EOS_MAX];
    uint32_t n_eos;
    int32_t bos, pad, decoder_start, forced_bos, forced_eos; /* -1: none */
    const int32_t *suppress, *begin_suppress;                /* suppress_tokens; borrowed */
    uint32_t n_suppress, n_begin_suppress;
    const int32_t *const *bad_words; /* bad_words_ids, each n_bad_words[i] ids; borrowed */
    const uint32_t *bad_words_len;
    uint32_t n_bad_words;
    const struct sequence_bias *biases; /* sequence_bias; borrowed */
    uint32_t n_biases;
    bool has_decay; /* exponential_decay_length_penalty: [start, factor] */
    uint32_t decay_start;
    double decay_factor;
    bool remove_invalid_values, renormalize_logits;
    bool has_seed;
    uint64_t seed;
    double max_time_s;       /* 0: no limit */
    const char *const *stop; /* stop strings; borrowed */
    uint32_t n_stop;
    /* Ways of generating that Brisk has not; generation_config_check refuses them by name, as
     * `transformers` 4.57 does, which has moved most of them out of the library. */
    float penalty_alpha;  /* 0: off */
    float guidance_scale; /* 1: off */
    bool constraints, force_words, dola_layers, token_healing, watermarking;
};

void generation_config_default(struct generation_config *config);
/* Reads generation_config.json (NULL: absent) and, as `transformers` does, generation keys that
 * stand in config.json (NULL: absent) and its task_specific_params[task] (task may be NULL).
 * Lists live in the arena. INPUT/MODEL names the key that is wrong. */
enum status generation_config_read(struct generation_config *config, struct arena *arena,
                                   const struct json *generation_config,
                                   const struct json *model_config, const char *task,
                                   struct error *err) MUST_CHECK;
/* The same keys from one object (NULL: nothing to do), as a file named `where` for messages. */
enum status generation_config_update(struct generation_config *config, struct arena *arena,
                                     const struct json *object, const char *where,
                                     struct error *err) MUST_CHECK;
/* Checks ranges and combinations (num_return_sequences <= num_beams, temperature > 0, …): INPUT. */
enum status generation_config_check(const struct generation_config *config,
                                    struct error *err) MUST_CHECK;

/* How generation sees text, for stop strings: handed in by the caller. */
struct generation_text {
    /* Appends the text of ids[0, n) to out. */
    void (*decode)(const void *user, const int32_t *ids, uint32_t n, struct buf *out);
    const void *user;
};

enum finish_reason {
    FINISH_NONE,
    FINISH_EOS,
    FINISH_LENGTH,
    FINISH_STOP,
    FINISH_TIME,
    FINISH_CANCELLED
};
const char *
finish_reason_name(enum finish_reason reason); /* "eos_token", "length", "stop_sequence", … */

struct generation_output {
    const int32_t *ids; /* new tokens, without prompt and decoder start; with the EOS if it came */
    uint32_t n;
    const float
        *logprobs; /* [n] log-probability of each token after the processors, or NULL (beams) */
    float score;   /* beams: sum of log-probabilities / length ^ length_penalty */
    enum finish_reason reason;
};

/* Room for proposed tokens in the passes of one model (speculate.c), shared by its generations. */
#define DRAFT_ROWS 12 /* two tiles of the matrix kernels: a pass of these waits for memory yet */
struct draft_rows {
    float *logits;               /* [n, vocab_size] of texts with proposals, in this pass */
    uint32_t n;                  /* rows of a pass beyond which nothing is proposed */
    uint32_t used;               /* of logits */
    uint32_t left;               /* tokens that may still be proposed */
    uint64_t proposed, accepted; /* tokens; whoever reads these may set them back */
};
/* Before planning a pass that decodes `steps` tokens without any proposals. */
void draft_rows_begin(struct draft_rows *drafts, uint32_t steps);

struct generation_input {
    struct model *model;
    uint32_t stack; /* that generates */
    const int32_t
        *prompt; /* tokens fed to that stack first: >= 1 (decoder start for encoder-decoder) */
    uint32_t n_prompt;
    const int32_t *encoder_tokens; /* the input text's ids in encoder-decoder models (for
                                      penalties), or NULL */
    uint32_t n_encoder_tokens;
    struct memory *memory; /* cross-attention; taken over by reference (memory_ref), or NULL */
    const struct generation_config *config; /* copied; its lists are borrowed until destroy */
    struct generation_text text;
    /* Borrowed until destroy. Where it is given, a greedy generation proposes tokens from what its
     * text repeats and has several of them checked in one pass; texts stay the same. NULL: not. */
    struct draft_rows *drafts;
    /* What the stack has read of the prompt's beginning for another text: its first n_known tokens,
     * fewer than the prompt has, which are not read again. Not where what a stack makes of a token
     * depends on what comes behind it (STACK_TWO_SIDED, ropes with a border). Or NULL. */
    const struct sequence *known;
    uint32_t n_known;
};

struct generation;
/* Reserves everything (pages for prompt + new tokens for each beam, logits buffers): no later step
 * allocates or fails. INPUT when the prompt leaves no room; MEMORY when pages run out. */
enum status generation_create(struct generation **out, const struct generation_input *input,
                              struct error *err) MUST_CHECK;
void generation_destroy(struct generation *generation); /* NULL is fine */
/* Writes the segments of the next pass (one a live beam or sequence; a prompt in chunks first), of
 * at most `budget` tokens in all, if that is generation_least() or more, returns how many;
 * `segments` has room for generation_width(). The outputs are the generation's own buffers, or the
 * drafts'. */
uint32_t generation_plan(struct generation *generation, uint32_t budget, struct segment *segments);
uint32_t generation_width(const struct generation *generation); /* most segments of a plan */
/* Tokens of each text that plans have to feed before the next is chosen: of the prompt, or of texts
 * that are read again (STACK_REREADS, and two tokens a step where STACK_TWO_SIDED). */
uint32_t generation_unread(const struct generation *generation);
bool generation_reads(const struct generation *generation); /* these come next, not a step */
uint32_t generation_least(const struct generation *generation); /* budget that plan can do with */
/* After the pass. AGAIN: plan again; OK: finished. */
enum status generation_advance(struct generation *generation);
void generation_cancel(struct generation *generation); /* finished at the next advance */
/* Tokens so far of the first sequence, for streaming (not with beams: 0 until finished). */
uint32_t generation_progress(const struct generation *generation, const int32_t **ids);
/* Of one without beams that goes on: the first text's sequence, which has read the first
 * sequence_length() of its tokens ids[0, *n); NULL with beams. Until the next call of any of these. */
const struct sequence *generation_sequence(const struct generation *generation, const int32_t **ids,
                                           uint32_t *n);
/* Of a finished one without beams, once: the first text's sequence, now the caller's, and the tokens
 * that it has read, which live as long as the generation. */
struct sequence *generation_take_sequence(struct generation *generation, const int32_t **ids);
uint32_t generation_outputs(const struct generation *generation,
                            const struct generation_output **outputs);

#endif
