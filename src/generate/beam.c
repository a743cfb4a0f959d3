/* Beam search and beam sampling, step for step as `transformers` 4.57 has them (_beam_search):
 * (number of EOS tokens + 1) * num_beams candidates a step, of which the best num_beams may finish
 * and the best unfinished go on; length penalty on finished texts; the three kinds of early
 * stopping. Scores are floats and empty places have -1e9, as there, so that equal inputs make equal
 * choices. It knows nothing of the model: lines hand it their logits.
 *
 * Diverse beam search (Vijayakumar et al. 2016; groups.c) is several of these searches side by
 * side. */
#include "generate/parts.h"

#include <math.h>

void beams_create(struct generation *generation, struct beams *beams, uint32_t first, uint32_t n) {
    struct arena *arena = &generation->arena;
    const uint32_t n_eos = generation->config.n_eos;
    const size_t room = generation->max_length - generation->n_prompt;
    *beams = (struct beams){.n = n, .n_running = n};
    beams->n_candidates = (n_eos > 1 ? n_eos + 1 : 2) * n;
    beams->order = arena_alloc(arena, n * sizeof(*beams->order));
    beams->next = arena_alloc(arena, n * sizeof(*beams->next));
    beams->ranked = arena_alloc(arena, beams->n_candidates * sizeof(*beams->ranked));
    beams->values = arena_alloc(arena, beams->n_candidates * sizeof(*beams->values));
    beams->hits = arena_alloc(arena, beams->n_candidates * sizeof(*beams->hits));
    beams->done = arena_zalloc(arena, n, sizeof(*beams->done));
    beams->taken = arena_alloc(arena, n * sizeof(*beams->taken));
    for (uint32_t i = 0; i < n; i++) {
        struct line *line = &generation->lines[first + i];
        beams->order[i] = line;
        beams->done[i].ids = arena_alloc(arena, room * sizeof(int32_t));
        beams->done[i].score = BEAM_NO_SCORE;
        /* All begin alike, so that only the first may count at first. */
        line->score = i == 0 ? 0 : BEAM_NO_SCORE;
    }
    beams->random = generation->lines[first].random;
}

/* ---- candidates ---- */

static uint32_t keep_best(struct beams *beams, const float *scores, uint32_t vocab_size,
                          uint32_t beam, uint32_t n) {
    const float before = beams->order[beam]->score;
    for (uint32_t i = 0; i < vocab_size; i++) {
        const float value = scores[i] + before;
        if (value > -INFINITY && (n < beams->n_candidates || value > beams->ranked[0].value)) {
            n = ranked_push(beams->ranked, n, beams->n_candidates, value, beam * vocab_size + i);
        }
    }
    return n;
}

/* Draws without replacement from the softmax over all beams' candidates: the largest of
 * log p + Gumbel noise, in that order (Kool et al. 2019), which is torch.multinomial's law. */
static uint32_t keep_drawn(struct generation *generation, struct beams *beams, const float *scores,
                           uint32_t beam, uint32_t n) {
    struct candidates *c = &generation->candidates;
    const float before = beams->order[beam]->score;
    candidates_fill(c, scores, generation->vocab_size);
    candidates_warp(c, &generation->config, generation->config.n_eos + 1);
    for (uint32_t i = 0; i < c->n; i++) {
        const double noise = -log(-log1p(-random_uniform(&beams->random)));
        const float key = (float)((double)(c->scores[i] + before) + noise);
        n = ranked_push(beams->ranked, n, beams->n_candidates, key,
                        beam * generation->vocab_size + (uint32_t)c->ids[i]);
        /* The warped score is what counts later. */
        beams->order[beam]->logits[c->ids[i]] = c->scores[i];
    }
    return n;
}

uint32_t beams_find(struct generation *generation, struct beams *beams) {
    const uint32_t vocab_size = generation->vocab_size;
    uint32_t n = 0;
    for (uint32_t beam = 0; beam < beams->n_running; beam++) {
        struct line *line = beams->order[beam];
        ops_log_softmax(line->logits, vocab_size);
        generation_score(generation, line, beam);
        n = generation->config.do_sample ? keep_drawn(generation, beams, line->logits, beam, n)
                                         : keep_best(beams, line->logits, vocab_size, beam, n);
    }
    ranked_sort(beams->ranked, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct line *line = beams->order[beams->ranked[i].index / vocab_size];
        beams->values[i] = line->logits[beams->ranked[i].index % vocab_size] + line->score;
    }
    return n;
}

/* ---- finished texts ---- */

float beams_penalized(float score, uint32_t length, float length_penalty) {
    return score / (float)pow(length, (double)length_penalty);
}

void beams_keep(struct beams *beams, const int32_t *ids, uint32_t n, float score,
                enum finish_reason reason) {
    uint32_t at = beams->n;
    while (at > 0 && score > beams->done[at - 1].score) {
        at--;
    }
    if (at == beams->n) {
        return;
    }
    struct hypothesis dropped = beams->done[beams->n - 1];
    memmove(&beams->done[at + 1], &beams->done[at], (beams->n - 1 - at) * sizeof(dropped));
    memcpy(dropped.ids, ids, n * sizeof(*ids));
    dropped.n = n;
    dropped.score = score;
    dropped.reason = reason;
    beams->done[at] = dropped;
}

bool beams_all_done(const struct beams *beams) {
    for (uint32_t i = 0; i < beams->n; i++) {
        if (beams->done[i].reason == FINISH_NONE) {
            return false;
        }
    }
    return true;
}

/* Whether the best running text could still beat the worst finished one. `length`: new tokens. */
static bool can_improve(const struct generation *generation, uint32_t length) {
    const struct beams *beams = generation->groups;
    const struct generation_config *config = &generation->config;
    if (!beams_all_done(beams)) {
        return true;
    }
    if (config->early_stopping == EARLY_STOPPING_NEVER && config->length_penalty > 0) {
        length = generation->max_length - generation->n_prompt;
    }
    return beams_penalized(beams->order[0]->score, length, config->length_penalty) >
           beams->done[beams->n - 1].score;
}

/* ---- going on ---- */

/* Gives chosen beam j a line that holds what its parent's holds: the parent's own for its first
 * child, a free line made a copy for the others. */
static void assign_lines(struct beams *beams, const uint32_t *parents, uint32_t n) {
    uint32_t free_line = 0;
    memset(beams->taken, 0, beams->n * sizeof(*beams->taken));
    for (uint32_t j = 0; j < n; j++) {
        beams->next[j] = NULL;
        if (!beams->taken[parents[j]]) {
            beams->taken[parents[j]] = true;
            beams->next[j] = beams->order[parents[j]];
        }
    }
    for (uint32_t j = 0; j < beams->n; j++) {
        if (j < n && beams->next[j]) {
            continue;
        }
        while (beams->taken[free_line]) {
            free_line++;
        }
        beams->next[j] = beams->order[free_line++];
        if (j < n) {
            const struct line *parent = beams->order[parents[j]];
            sequence_copy(beams->next[j]->sequence, parent->sequence);
            memcpy(beams->next[j]->ids, parent->ids, parent->n * sizeof(*parent->ids));
            beams->next[j]->n = parent->n;
        }
    }
    struct line **order = beams->order;
    beams->order = beams->next;
    beams->next = order;
}

void beams_go_on(const struct generation *generation, struct beams *beams, uint32_t n_candidates) {
    uint32_t parents[LIMIT_BEAMS];
    uint32_t chosen[LIMIT_BEAMS];
    uint32_t n = 0;
    /* Candidates of beam search come best first; drawn ones are ordered here. */
    for (uint32_t i = 0; i < n_candidates; i++) {
        if (beams->hits[i] != FINISH_NONE) {
            continue;
        }
        uint32_t at = n < beams->n ? n++ : n;
        while (at > 0 && beams->values[i] > beams->values[chosen[at - 1]]) {
            if (at < n) {
                chosen[at] = chosen[at - 1];
            }
            at--;
        }
        if (at < n) {
            chosen[at] = i;
        }
    }
    for (uint32_t j = 0; j < n; j++) {
        parents[j] = beams->ranked[chosen[j]].index / generation->vocab_size;
    }
    assign_lines(beams, parents, n);
    for (uint32_t j = 0; j < n; j++) {
        struct line *line = beams->order[j];
        line->ids[line->n++] = (int32_t)(beams->ranked[chosen[j]].index % generation->vocab_size);
        line->score = beams->values[chosen[j]];
    }
    beams->n_running = n;
}

bool beams_step(struct generation *generation, bool out_of_time) {
    struct beams *beams = generation->groups;
    const struct generation_config *config = &generation->config;
    const uint32_t n = beams_find(generation, beams);
    bool all_hit = true;
    for (uint32_t i = 0; i < n; i++) {
        struct line *line = beams->order[beams->ranked[i].index / generation->vocab_size];
        const int32_t token = (int32_t)(beams->ranked[i].index % generation->vocab_size);
        enum finish_reason hit = stopping_check(&generation->stopping, line->ids, line->n, token);
        if (hit == FINISH_NONE && out_of_time) {
            hit = FINISH_TIME;
        }
        beams->hits[i] = hit;
        all_hit = all_hit && hit != FINISH_NONE;
        if (hit != FINISH_NONE && i < beams->n) {
            const uint32_t length = line->n - generation->n_prompt + 1;
            line->ids[line->n] = token; /* a free place: the line goes on with another one */
            beams_keep(beams, line->ids + generation->n_prompt, length,
                       beams_penalized(beams->values[i], length, config->length_penalty), hit);
        }
    }
    if (all_hit) {
        return true;
    }
    beams_go_on(generation, beams, n);
    const uint32_t length = beams->order[0]->n - generation->n_prompt;
    return !can_improve(generation, length) ||
           (config->early_stopping == EARLY_STOPPING_TRUE && beams_all_done(beams));
}

void beams_finish(struct generation *generation, enum finish_reason reason) {
    struct beams *beams = generation->groups;
    for (uint32_t i = 0; i < generation->n_outputs; i++) {
        struct hypothesis *done = &beams->done[i];
        if (done->reason == FINISH_NONE && i < beams->n_running) {
            const struct line *line = beams->order[i];
            done->n = line->n - generation->n_prompt;
            memcpy(done->ids, line->ids + generation->n_prompt, done->n * sizeof(*done->ids));
        }
        if (done->reason == FINISH_NONE) {
            done->reason = reason;
        }
        generation->outputs[i] = (struct generation_output){
            .ids = done->ids, .n = done->n, .score = done->score, .reason = done->reason};
    }
}
