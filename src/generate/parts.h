/* Private to generate: what its files share. One generation is a set of lines (live sequences, or
 * beams), a table of processors that change the scores of the next token, a sampler or a beam
 * search that picks, and the stopping rules.
 *
 * Everything is allocated by generation_create; nothing here allocates in a step. */
#ifndef BRISK_GENERATE_PARTS_H
#define BRISK_GENERATE_PARTS_H

#include <stdatomic.h>
#include "generate/generate.h"

/* ---- processors.c: scores of the next token -> scores ---- */
struct scoring {
    const struct generation_config *config;
    const int32_t *ids; /* [n] prompt (or decoder start) and what came so far */
    uint32_t n, n_prompt;
    uint32_t max_length; /* tokens in all; forced_eos takes the last of them */
    uint32_t min_length;
    const int32_t *encoder_ids; /* the input text's: encoder's, or the prompt itself */
    uint32_t n_encoder_ids;
    uint32_t beam;         /* 0: the best one (of its group), or no beams */
    const int32_t *chosen; /* [n_chosen] what earlier groups of beams have chosen in this step */
    uint32_t n_chosen;
    float *scores; /* [vocab_size] changed in place */
    uint32_t vocab_size;
    uint8_t *seen; /* [vocab_size] zero before and after */
};

/* One row a processor, in the order of `transformers`' _get_logits_processor. */
struct processor {
    const char *name;
    bool (*applies)(const struct generation_config *config);
    void (*run)(const struct scoring *scoring);
};
extern const struct processor generation_processors[];
extern const size_t generation_n_processors;
void generation_process(const struct scoring *scoring); /* all that apply */

/* ---- sample.c: scores -> the tokens that may be drawn, and a draw ---- */
struct ranked {
    float value;
    uint32_t index;
};
struct candidates {
    uint32_t n;
    int32_t *ids; /* [vocab_size], as all of them; the first n are in use */
    float *scores;
    float *probs; /* scratch of the warpers from here on */
    struct ranked *ranked;
    uint8_t *keep;
};
void candidates_create(struct candidates *candidates, struct arena *arena, uint32_t vocab_size);
/* All tokens but those with score -inf. */
void candidates_fill(struct candidates *candidates, const float *scores, uint32_t vocab_size);

/* A sampling step ("warper"): removes candidates, or scales their scores. */
struct warper {
    const char *name;
    bool (*applies)(const struct generation_config *config);
    void (*run)(struct candidates *candidates, const struct generation_config *config,
                uint32_t min_keep);
};
extern const struct warper generation_warpers[];
extern const size_t generation_n_warpers;
void candidates_warp(struct candidates *candidates, const struct generation_config *config,
                     uint32_t min_keep);
/* Draws one; *logprob is its log-probability among the candidates. */
int32_t candidates_draw(struct candidates *candidates, struct random *random, float *logprob);

/* Keeps the k largest of what is pushed (of equals the first): heap has room for k and holds n;
 * returns the new n. heap[0] is the smallest that is kept, until ranked_sort orders all, largest
 * first. */
uint32_t ranked_push(struct ranked *heap, uint32_t n, uint32_t k, float value, uint32_t index);
void ranked_sort(struct ranked *heap, uint32_t n);

/* ---- stop.c ---- */
struct stopping {
    const struct generation_config *config;
    struct generation_text text;
    uint32_t n_prompt, max_length;
    uint32_t window;    /* tokens decoded to look for stop strings */
    int32_t *tail;      /* [window] */
    struct buf decoded; /* text of the tail */
};
void stopping_create(struct stopping *stopping, struct arena *arena,
                     const struct generation_config *config, const struct generation_text *text,
                     uint32_t n_prompt, uint32_t max_length);
void stopping_destroy(struct stopping *stopping);
bool stopping_is_eos(const struct generation_config *config, int32_t id);
/* Whether ids[n] followed by `last` are finished, and why. */
enum finish_reason stopping_check(struct stopping *stopping, const int32_t *ids, uint32_t n,
                                  int32_t last);

/* ---- speculate.c ---- */
/* What is proposed to one text, and how that fared. */
struct speculation {
    const int32_t *source; /* [n_source] what the encoder read, or NULL */
    uint32_t n_source, vocab_size;
    uint32_t proposed; /* tokens in the pass that is planned */
    uint32_t limit;    /* tokens of the next proposal, at most */
    uint32_t misses;   /* proposals in a row of which nothing was kept */
    uint32_t wait;     /* tokens to come before the next one */
};
void speculation_begin(struct speculation *s, uint32_t vocab_size, const int32_t *source,
                       uint32_t n_source);
/* Writes what may follow ids[n] behind them, at most `most` tokens; returns how many. */
uint32_t speculation_propose(struct speculation *s, int32_t *ids, uint32_t n, uint32_t most);
/* After the pass: so many of the tokens proposed are those that the model chose. */
void speculation_judge(struct speculation *s, uint32_t accepted);

/* ---- generation.c, beam.c and groups.c ---- */
/* One live text: a sequence of its own in the engine. */
struct line {
    struct sequence *sequence;
    int32_t *ids;    /* [max_length] prompt and new tokens */
    uint32_t n;      /* of ids */
    float *logits;   /* [vocab_size] of the last pass */
    float *logprobs; /* [max_length - n_prompt]; not with beams */
    float score;     /* beams: sum of log-probabilities */
    enum finish_reason reason;
    struct random random;
    uint32_t row; /* wanted row of its segment */
};

/* A finished hypothesis of beam search. */
struct hypothesis {
    int32_t *ids; /* [max_length - n_prompt] new tokens */
    uint32_t n;
    float score; /* with length penalty; BEAM_NO_SCORE while there is none */
    enum finish_reason reason;
};
#define BEAM_NO_SCORE (-1e9f) /* as `transformers` marks empty places */

/* One beam search; diverse beam search has several, a group each. */
struct beams {
    uint32_t n;               /* num_beams, or those of a group */
    uint32_t n_running;       /* <= n: lines in order[0, n_running) go on */
    uint32_t n_candidates;    /* kept a step: (number of EOS + 1, at least 2) * num_beams */
    struct line **order;      /* [n] all lines; the running ones first, best first */
    struct line **next;       /* [n] scratch */
    struct ranked *ranked;    /* [n_candidates] index: beam * vocab_size + token */
    float *values;            /* [n_candidates] accumulated log-probability */
    enum finish_reason *hits; /* [n_candidates] */
    struct hypothesis *done;  /* [n] best first */
    bool *taken;              /* [n] scratch */
    struct random random;
    bool over; /* groups: none of its texts can become better */
};

struct generation {
    struct model *model;
    uint32_t stack, vocab_size;
    struct memory *memory;
    struct generation_config config;
    struct generation_text text;
    struct arena arena; /* all buffers */
    uint32_t n_prompt, max_length, min_length;
    const int32_t *encoder_ids;
    uint32_t n_encoder_ids;
    uint32_t n_lines;
    struct line *lines; /* [n_lines] */
    struct line **live; /* [n_lines] scratch of plans */
    uint32_t border;    /* stack_border() */
    bool two_sided;     /* STACK_TWO_SIDED */
    uint32_t to_feed;   /* n_prompt; later: of each live line, where some of it is read again */
    uint32_t fed;       /* tokens of these that have been planned */
    uint32_t n_planned; /* segments of the last plan */
    bool prefilled, finished;
    atomic_bool cancelled; /* set by any thread, read by the one that advances */
    uint64_t start_ns;
    uint8_t *seen; /* [vocab_size] */
    struct candidates candidates;
    struct stopping stopping;
    struct beams *groups; /* [n_groups]; with num_beams 1: none */
    uint32_t n_groups;
    int32_t *chosen; /* [num_beams] tokens of the groups before, in this step */
    uint32_t n_chosen;
    struct draft_rows *drafts; /* NULL: nothing is proposed */
    struct speculation speculation;
    float *draft_logits; /* [1 + proposed, vocab_size] in drafts, of the pass that is planned */
    struct generation_output *outputs;
    uint32_t n_outputs;
};

/* A search over lines[first, first + n). */
void beams_create(struct generation *generation, struct beams *beams, uint32_t first, uint32_t n);
/* Fills ranked and values, in the order in which they count; returns how many. */
uint32_t beams_find(struct generation *generation, struct beams *beams);
/* Keeps ids[n] among the finished texts, if it is one of the best; those before win ties. */
void beams_keep(struct beams *beams, const int32_t *ids, uint32_t n, float score,
                enum finish_reason reason);
float beams_penalized(float score, uint32_t length, float length_penalty);
bool beams_all_done(const struct beams *beams); /* as many finished texts as beams */
/* The best candidates without a hit become the running beams. */
void beams_go_on(const struct generation *generation, struct beams *beams, uint32_t n_candidates);
/* One step of beam search from the lines' logits; true when the search is over. out_of_time: every
 * candidate is finished. */
bool beams_step(struct generation *generation, bool out_of_time);
/* Writes the outputs; places without a finished text get a running one. */
void beams_finish(struct generation *generation, enum finish_reason reason);
/* The same three for diverse beam search. */
void groups_create(struct generation *generation);
bool groups_step(struct generation *generation, bool out_of_time);
void groups_finish(struct generation *generation, enum finish_reason reason);
/* Runs the processors on the line's logits; it is the beam-th best running one. */
void generation_score(struct generation *generation, struct line *line, uint32_t beam);

#endif
