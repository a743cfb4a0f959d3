/* What the beginning of a prompt has in common with texts that are kept or that run: it is not read
 * again, nor by two at the same time. Runs on the scheduler's thread; part of pass.h. */
#include "runtime/pass.h"

#include "base/banned.h"

/* Tokens of a prompt that another text is about to read, for which a text waits. */
#define AWAITED_TOKENS 32

static bool shares(const struct model_queue *queue, const struct work *work) {
    return work->run->reuse && prefixes_suit(&queue->loaded->arch);
}

/* The sequence of a text that runs and whose beginning may be taken over, or NULL. */
static const struct sequence *running(const struct work *work, const int32_t **ids, uint32_t *n) {
    const bool lends = work->generation != NULL && work->run->reuse;
    return lends ? generation_sequence(work->generation, ids, n) : NULL;
}

void beginning_find(struct model_queue *queue, const struct work *work,
                    struct generation_input *input) {
    const uint32_t most = input->n_prompt - 1; /* the last token is read for its logits */
    uint32_t common = 0, n;
    const int32_t *ids;
    if (!shares(queue, work))
        return;
    input->known = prefixes_find(&queue->prefixes, input->prompt, most, &common);
    input->n_known = input->known ? common : 0;
    for (const struct work *other = queue->active; other != NULL; other = other->next) {
        const struct sequence *sequence = running(other, &ids, &n);
        if (sequence == NULL)
            continue;
        common = prefix_common(ids, sequence_length(sequence), input->prompt, most);
        if (common > input->n_known && common >= LIMIT_PREFIX_TOKENS) {
            input->known = sequence;
            input->n_known = common;
        }
    }
}

bool beginning_is_being_read(const struct model_queue *queue, const struct work *work) {
    const struct item *item = work->item;
    const int32_t *ids;
    uint32_t n;
    if (!shares(queue, work))
        return false;
    for (const struct work *other = queue->active; other != NULL; other = other->next) {
        const struct sequence *sequence = running(other, &ids, &n);
        if (sequence == NULL || other->run->error.code != ERROR_NONE ||
            !generation_reads(other->generation))
            continue;
        if (prefix_common(ids, n, item->tokens, item->n - 1) >=
            sequence_length(sequence) + AWAITED_TOKENS)
            return true;
    }
    return false;
}

void beginning_keep(struct model_queue *queue, struct work *work) {
    const int32_t *ids = NULL;
    if (!shares(queue, work) || work->item->config->num_beams > 1)
        return;
    struct sequence *sequence = generation_take_sequence(work->generation, &ids);
    prefixes_keep(&queue->prefixes, sequence, ids);
}
