/* The list of what was read. It is short, so looking through all of it costs less than reading one
 * token; it knows tokens and sequences, and nothing of the texts that they were. */
#include "runtime/prefixes.h"

#include <string.h>

#include "base/banned.h"

struct prefix {
    struct prefix *next;
    struct sequence *sequence;
    uint32_t n;
    int32_t ids[]; /* [n] */
};

bool prefixes_suit(const struct arch *arch) {
    const struct stack_spec *stack = arch_last(arch);
    bool borders = false;
    for (uint32_t i = 0; i < ARCH_ROPES; i++)
        borders = borders || stack->ropes[i].border > 0;
    return !arch_has_decoder(arch) && arch->head.kind == HEAD_LM &&
           stack_has(stack, STACK_CAUSAL) && !stack_has(stack, STACK_TWO_SIDED) && !borders;
}

void prefixes_init(struct prefixes *prefixes, const struct model *model) {
    const size_t quarter = model_page_limit(model, model_arch(model)->decoder_stack) / 4;
    const bool less = quarter > 0 && quarter < LIMIT_PREFIX_BYTES;
    *prefixes = (struct prefixes){.limit = less ? quarter : LIMIT_PREFIX_BYTES};
}

uint32_t prefix_common(const int32_t *a, uint32_t n_a, const int32_t *b, uint32_t n_b) {
    const uint32_t most = n_a < n_b ? n_a : n_b;
    uint32_t same = 0;
    while (same < most && a[same] == b[same])
        same++;
    return same;
}

static uint32_t common_tokens(const struct prefix *prefix, const int32_t *ids, uint32_t n) {
    return prefix_common(prefix->ids, prefix->n, ids, n);
}

static void drop(struct prefixes *prefixes, struct prefix **link) {
    struct prefix *prefix = *link;
    *link = prefix->next;
    prefixes->n--;
    prefixes->bytes -= sequence_bytes(prefix->sequence);
    sequence_destroy(prefix->sequence);
    mem_free(prefix);
}

bool prefixes_drop_last(struct prefixes *prefixes) {
    struct prefix **link = &prefixes->list;
    if (*link == NULL)
        return false;
    while ((*link)->next != NULL)
        link = &(*link)->next;
    drop(prefixes, link);
    return true;
}

void prefixes_clear(struct prefixes *prefixes) {
    while (prefixes->list != NULL)
        drop(prefixes, &prefixes->list);
}

/* Drops those that ids[0, n) begins with; whether it is itself the beginning of another one. */
static bool covered(struct prefixes *prefixes, const int32_t *ids, uint32_t n) {
    struct prefix **link = &prefixes->list;
    while (*link != NULL) {
        const uint32_t same = common_tokens(*link, ids, n);
        if (same == n)
            return true;
        if (same == (*link)->n)
            drop(prefixes, link);
        else
            link = &(*link)->next;
    }
    return false;
}

void prefixes_keep(struct prefixes *prefixes, struct sequence *sequence, const int32_t *ids) {
    const uint32_t n = sequence_length(sequence);
    if (n < LIMIT_PREFIX_TOKENS || covered(prefixes, ids, n)) {
        sequence_destroy(sequence);
        return;
    }
    sequence_seal(sequence);
    struct prefix *prefix = mem_alloc(sizeof(*prefix) + n * sizeof(*ids));
    *prefix = (struct prefix){.next = prefixes->list, .sequence = sequence, .n = n};
    memcpy(prefix->ids, ids, n * sizeof(*ids));
    prefixes->list = prefix;
    prefixes->n++;
    prefixes->bytes += sequence_bytes(sequence);
    while (prefixes->n > LIMIT_PREFIXES || prefixes->bytes > prefixes->limit)
        prefixes_drop_last(prefixes);
}

const struct sequence *prefixes_find(struct prefixes *prefixes, const int32_t *ids, uint32_t n,
                                     uint32_t *common) {
    struct prefix **best = NULL;
    *common = 0;
    for (struct prefix **link = &prefixes->list; *link != NULL; link = &(*link)->next) {
        const uint32_t same = common_tokens(*link, ids, n);
        if (same > *common) {
            *common = same;
            best = link;
        }
    }
    if (*common < LIMIT_PREFIX_TOKENS)
        return NULL;
    struct prefix *found = *best;
    *best = found->next;
    found->next = prefixes->list;
    prefixes->list = found;
    return found->sequence;
}
