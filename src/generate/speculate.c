/* N-gram speculation: where the last tokens of a text stood before, in the text itself or in what
 * its encoder read, the tokens that followed there are proposed as the next ones. One pass runs
 * over all of them, which costs little more than over one while the weights have to come from
 * memory, and generation.c keeps those that the model chooses itself. So texts do not change, as
 * long as a row of a pass does not depend on the rows beside it.
 *
 * Nothing is known of a text but how its last proposals fared: a good one makes the next one
 * longer, a partly good one sets its length, and after each that missed the text waits longer. The
 * check is that of Leviathan et al. 2023 for greedy decoding; the lookup instead of a second model
 * is Saxena's prompt lookup decoding (2023); docs/internals/speculation.md has the whole. Allocates
 * nothing; chooses nothing. */
#include "generate/parts.h"

#define FIRST_DRAFT 4  /* tokens of a text's first proposal */
#define MATCH_MIN   2  /* tokens that must have stood before; single ones stand everywhere */
#define MATCH_MAX   16 /* more make no place any likelier */
/* Tokens between the proposals of a text that does not repeat, in the end: each is one more row in
 * a pass, which makes it a twentieth longer, or in int4 two fifths (bench/LOG.md). */
#define WAIT_MAX 63

void draft_rows_begin(struct draft_rows *drafts, uint32_t steps) {
    drafts->used = 0;
    drafts->left = steps < drafts->n ? drafts->n - steps : 0;
}

/* Where a proposal is copied from. */
struct place {
    const int32_t *next; /* or NULL */
    uint32_t matched;    /* tokens in front of it that also end the text */
};

/* The place in text[n] with the most matching tokens of ids[n_ids] before it, the last of several,
 * if it has more than *best. */
static void find_place(struct place *best, const int32_t *text, uint32_t n, const int32_t *ids,
                       uint32_t n_ids) {
    const int32_t last = ids[n_ids - 1];
    for (uint32_t at = n; at-- > 1 && best->matched < MATCH_MAX;) {
        uint32_t matched = 0;
        if (text[at - 1] != last) {
            continue;
        }
        while (matched < MATCH_MAX && matched < at && matched < n_ids &&
               text[at - 1 - matched] == ids[n_ids - 1 - matched]) {
            matched++;
        }
        if (matched > best->matched) {
            *best = (struct place){text + at, matched};
        }
    }
}

/* Copies tokens that the stack can read. `to` may stand in the text that is copied: one that goes
 * round in circles is continued so. */
static uint32_t copy_tokens(int32_t *to, const int32_t *from, uint32_t n, uint32_t vocab_size) {
    uint32_t i = 0;
    for (; i < n && from[i] >= 0 && (uint32_t)from[i] < vocab_size; i++) {
        to[i] = from[i];
    }
    return i;
}

uint32_t speculation_propose(struct speculation *s, int32_t *ids, uint32_t n, uint32_t most) {
    s->proposed = 0;
    if (s->wait > 0) {
        s->wait--;
        return 0;
    }
    most = most < s->limit ? most : s->limit;
    if (most == 0) {
        return 0;
    }
    struct place place = {.matched = MATCH_MIN - 1};
    find_place(&place, ids, n, ids, n);
    const struct place own = place;
    find_place(&place, s->source, s->n_source, ids, n);
    if (!place.next) {
        return 0;
    }
    if (place.next != own.next) {
        const uint32_t there = (uint32_t)(s->source + s->n_source - place.next);
        most = most < there ? most : there;
    }
    s->proposed = copy_tokens(ids + n, place.next, most, s->vocab_size);
    return s->proposed;
}

void speculation_judge(struct speculation *s, uint32_t accepted) {
    if (s->proposed == 0) {
        return;
    }
    if (accepted < s->proposed) {
        s->limit = accepted + 1;
    } else if (s->limit < 2 * accepted) {
        s->limit = 2 * accepted;
    }
    s->misses = accepted > 0 ? 0 : s->misses + 1;
    s->wait = s->misses < 6 ? (1u << s->misses) - 1 : WAIT_MAX;
    s->proposed = 0;
}

void speculation_begin(struct speculation *s, uint32_t vocab_size, const int32_t *source,
                       uint32_t n_source) {
    *s = (struct speculation){
        .limit = FIRST_DRAFT, .vocab_size = vocab_size, .source = source, .n_source = n_source};
}
