/* Diverse beam search (Vijayakumar et al. 2016): num_beams in groups of equal size, each a beam
 * search of its own whose scores lose diversity_penalty for every beam of an earlier group that has
 * just chosen the token (the processor diversity_penalty). Step for step as `transformers` had it
 * in _group_beam_search before that moved to the Hub, on BeamSearchScorer, which is older than the
 * search in beam.c and differs from it:
 *  - only an EOS token finishes a text, and all of them are written as the first EOS id;
 *  - a stop string ends the search only when every running text has just come to one;
 *  - a group is over by the best candidate of its step, and then counts as choosing pads. */
#include "generate/parts.h"

void groups_create(struct generation *generation) {
    const uint32_t num_beams = generation->config.num_beams;
    const uint32_t n = num_beams / generation->config.num_beam_groups;
    generation->n_groups = generation->config.num_beam_groups;
    generation->groups =
        arena_zalloc(&generation->arena, generation->n_groups, sizeof(*generation->groups));
    generation->chosen = arena_alloc(&generation->arena, num_beams * sizeof(int32_t));
    for (uint32_t g = 0; g < generation->n_groups; g++) {
        beams_create(generation, &generation->groups[g], g * n, n);
    }
}

static int32_t pad_of(const struct generation_config *config) {
    return config->pad >= 0 || config->n_eos == 0 ? config->pad : config->eos[0];
}

/* Whether no candidate of the step could beat the worst finished text. `length`: new tokens. */
static bool is_over(const struct generation *generation, const struct beams *beams, float best,
                    uint32_t length) {
    const struct generation_config *config = &generation->config;
    if (beams->n_running == 0) {
        return true;
    }
    if (!beams_all_done(beams) || config->early_stopping == EARLY_STOPPING_TRUE) {
        return beams_all_done(beams);
    }
    if (config->early_stopping == EARLY_STOPPING_NEVER && config->length_penalty > 0) {
        length = generation->max_length - generation->n_prompt;
    }
    return beams->done[beams->n - 1].score >= beams_penalized(best, length, config->length_penalty);
}

static void step_group(struct generation *generation, struct beams *beams) {
    const struct generation_config *config = &generation->config;
    const uint32_t n = beams_find(generation, beams);
    const uint32_t length = beams->order[0]->n + 1 - generation->n_prompt;
    for (uint32_t i = 0; i < n; i++) {
        struct line *line = beams->order[beams->ranked[i].index / generation->vocab_size];
        const int32_t token = (int32_t)(beams->ranked[i].index % generation->vocab_size);
        beams->hits[i] = stopping_is_eos(config, token) ? FINISH_EOS : FINISH_NONE;
        if (beams->hits[i] == FINISH_EOS && i < beams->n) {
            line->ids[line->n] = config->eos[0]; /* a free place: the line goes on with another */
            beams_keep(beams, line->ids + generation->n_prompt, length,
                       beams_penalized(beams->values[i], length, config->length_penalty),
                       FINISH_EOS);
        }
    }
    beams_go_on(generation, beams, n);
    beams->over = is_over(generation, beams, n > 0 ? beams->values[0] : 0, length);
}

/* What the group chose, for the groups behind it. */
static void tell(struct generation *generation, const struct beams *beams, bool padding) {
    for (uint32_t i = 0; i < (padding ? beams->n : beams->n_running); i++) {
        const struct line *line = beams->order[i];
        generation->chosen[generation->n_chosen++] =
            padding ? pad_of(&generation->config) : line->ids[line->n - 1];
    }
}

/* Why the running text ends here; NONE: it goes on. */
static enum finish_reason reason_of(struct generation *generation, struct line *line,
                                    bool out_of_time) {
    const enum finish_reason reason =
        stopping_check(&generation->stopping, line->ids, line->n - 1, line->ids[line->n - 1]);
    return reason == FINISH_NONE && out_of_time ? FINISH_TIME : reason;
}

/* Whether all running texts end with their last token, and what stands for the groups that are over
 * (pads) ends too. */
static bool all_end(struct generation *generation, bool padding, bool out_of_time) {
    const bool pads_end = stopping_is_eos(&generation->config, pad_of(&generation->config));
    bool end = true;
    for (uint32_t g = 0; g < generation->n_groups; g++) {
        const struct beams *beams = &generation->groups[g];
        for (uint32_t i = 0; i < beams->n_running && !beams->over; i++) {
            struct line *line = beams->order[i];
            line->reason = reason_of(generation, line, out_of_time);
            end = end && line->reason != FINISH_NONE &&
                  (line->reason != FINISH_STOP || !padding || pads_end);
        }
    }
    return end;
}

bool groups_step(struct generation *generation, bool out_of_time) {
    bool over = true, padding = false;
    generation->n_chosen = 0;
    for (uint32_t g = 0; g < generation->n_groups; g++) {
        struct beams *beams = &generation->groups[g];
        const bool was_over = beams->over;
        if (!was_over) {
            step_group(generation, beams);
        }
        tell(generation, beams, was_over);
        padding = padding || was_over;
        over = over && beams->over;
    }
    return over || all_end(generation, padding, out_of_time);
}

/* The group whose next finished text is the best; of equals the last. n_groups: none has one. */
static uint32_t best_group(const struct generation *generation, const uint32_t *next) {
    uint32_t best = generation->n_groups;
    for (uint32_t g = 0; g < generation->n_groups; g++) {
        const struct beams *beams = &generation->groups[g];
        if (next[g] == beams->n || beams->done[next[g]].reason == FINISH_NONE) {
            continue;
        }
        if (best == generation->n_groups ||
            beams->done[next[g]].score >= generation->groups[best].done[next[best]].score) {
            best = g;
        }
    }
    return best;
}

void groups_finish(struct generation *generation, enum finish_reason reason) {
    uint32_t next[LIMIT_BEAMS] = {0};
    for (uint32_t g = 0; g < generation->n_groups; g++) {
        struct beams *beams = &generation->groups[g];
        for (uint32_t i = 0; i < beams->n_running && !beams->over; i++) {
            const struct line *line = beams->order[i];
            const uint32_t length = line->n - generation->n_prompt;
            if (length > 0) {
                beams_keep(beams, line->ids + generation->n_prompt, length,
                           beams_penalized(line->score, length, generation->config.length_penalty),
                           line->reason == FINISH_NONE ? reason : line->reason);
            }
        }
    }
    for (uint32_t i = 0; i < generation->n_outputs; i++) {
        const uint32_t g = best_group(generation, next);
        generation->outputs[i] = (struct generation_output){.reason = reason};
        if (g < generation->n_groups) {
            const struct hypothesis *done = &generation->groups[g].done[next[g]++];
            generation->outputs[i] = (struct generation_output){
                .ids = done->ids, .n = done->n, .score = done->score, .reason = done->reason};
        }
    }
}
