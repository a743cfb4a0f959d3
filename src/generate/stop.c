/* When a text is finished: end-of-sequence tokens, the length, stop strings. Time and cancelling
 * concern all lines at once and are generation.c's.
 *
 * Stop strings are looked for in the text of the last tokens only: as many as the longest stop
 * string has bytes, since a token gives a byte at least, and a few more because the first ones may
 * decode differently without what stands before them. As in `transformers` the text is not cut: the
 * token that completes the stop string stays whole. */
#include "generate/parts.h"

#define WINDOW_MARGIN     8
#define TOKEN_BYTES_GUESS 32 /* room for a token's text; longer ones make the buffer grow */

void stopping_create(struct stopping *stopping, struct arena *arena,
                     const struct generation_config *config, const struct generation_text *text,
                     uint32_t n_prompt, uint32_t max_length) {
    *stopping = (struct stopping){
        .config = config, .text = *text, .n_prompt = n_prompt, .max_length = max_length};
    buf_init(&stopping->decoded, LIMIT_STOP_WINDOW);
    if (config->n_stop == 0 || !text->decode) {
        return;
    }
    size_t longest = 0;
    for (uint32_t i = 0; i < config->n_stop; i++) {
        const size_t len = strlen(config->stop[i]);
        longest = len > longest ? len : longest;
    }
    stopping->window = (uint32_t)longest + WINDOW_MARGIN;
    stopping->tail = arena_alloc(arena, stopping->window * sizeof(*stopping->tail));
    (void)buf_reserve(&stopping->decoded, (size_t)stopping->window * TOKEN_BYTES_GUESS);
}

void stopping_destroy(struct stopping *stopping) {
    buf_deinit(&stopping->decoded);
}

bool stopping_is_eos(const struct generation_config *config, int32_t id) {
    for (uint32_t i = 0; i < config->n_eos; i++) {
        if (config->eos[i] == id) {
            return true;
        }
    }
    return false;
}

/* ids[n] are new tokens. */
static bool stops_in_text(struct stopping *stopping, const int32_t *ids, uint32_t n, int32_t last) {
    if (stopping->window == 0) {
        return false;
    }
    const uint32_t kept = n < stopping->window - 1 ? n : stopping->window - 1;
    memcpy(stopping->tail, ids + n - kept, kept * sizeof(*ids));
    stopping->tail[kept] = last;
    buf_reset(&stopping->decoded);
    stopping->text.decode(stopping->text.user, stopping->tail, kept + 1, &stopping->decoded);
    for (uint32_t i = 0; i < stopping->config->n_stop; i++) {
        const char *stop = stopping->config->stop[i];
        if (stopping->decoded.len > 0 && *stop &&
            memmem(stopping->decoded.data, stopping->decoded.len, stop, strlen(stop))) {
            return true;
        }
    }
    return false;
}

enum finish_reason stopping_check(struct stopping *stopping, const int32_t *ids, uint32_t n,
                                  int32_t last) {
    if (stopping_is_eos(stopping->config, last)) {
        return FINISH_EOS;
    }
    if (stops_in_text(stopping, ids + stopping->n_prompt, n - stopping->n_prompt, last)) {
        return FINISH_STOP;
    }
    return n + 1 >= stopping->max_length ? FINISH_LENGTH : FINISH_NONE;
}

const char *finish_reason_name(enum finish_reason reason) {
    static const char *const names[] = {
        [FINISH_NONE] = "none",     [FINISH_EOS] = "eos_token",
        [FINISH_LENGTH] = "length", [FINISH_STOP] = "stop_sequence",
        [FINISH_TIME] = "length",   [FINISH_CANCELLED] = "cancelled",
    };
    return names[reason];
}
