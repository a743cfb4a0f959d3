/* Truncation, post-processing and merging: from the tokens of one or two sequences to the public
 * encoding and its overflow windows (`tokenizers` utils/truncation and Encoding::merge). */
#include "tokenizer/pipeline.h"

#include "base/banned.h"

/* ---- truncation ---------------------------------------------------------------------------- */

/* Cuts a sequence to max tokens; the rest becomes windows that overlap by stride. */
static enum status truncate(struct windows *windows, struct arena *arena, size_t max,
                            const struct encode_options *options, struct error *err) {
    const struct window all = windows->main;
    const size_t stride = options->overflow ? options->stride : 0;
    if (max >= all.n)
        return STATUS_OK;
    if (max == 0) {
        windows->overflow = arena_copy(arena, &all, sizeof all);
        windows->n_overflow = options->overflow;
        windows->main.n = 0;
        return STATUS_OK;
    }
    if (stride >= max)
        return ERR(err, INPUT, "stride is %zu, must be below the %zu tokens that a window holds",
                   stride, max);
    const size_t step = max - stride;
    const size_t count = options->overflow ? 1 + (all.n - max + step - 1) / step : 1;
    if (count > LIMIT_WINDOWS)
        return ERR(err, INPUT, "the text makes %zu windows, at most %d are allowed", count,
                   LIMIT_WINDOWS);
    struct window *list = arena_alloc(arena, count * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        const size_t skipped = i * step;
        size_t start = skipped, stop = all.n;
        if (options->truncate_left) {
            stop = all.n - skipped;
            start = stop > max ? stop - max : 0;
        } else if (start + max < all.n) {
            stop = start + max;
        }
        /* A copy each: windows overlap, and post-processors write into them. */
        list[i] = (struct window){.n = stop - start};
        list[i].tokens = arena_copy(arena, all.tokens + start, list[i].n * sizeof *all.tokens);
    }
    windows->main = list[0];
    windows->overflow = list + 1;
    windows->n_overflow = count - 1;
    return STATUS_OK;
}

/* How many tokens each of two sequences keeps under longest_first. */
static void share(size_t first, size_t second, size_t max, size_t out[2]) {
    size_t shorter = first < second ? first : second, longer;
    if (shorter > max)
        longer = shorter;
    else
        longer = shorter > max - shorter ? shorter : max - shorter;
    if (shorter + longer > max) {
        shorter = max / 2;
        longer = shorter + max % 2;
    }
    out[0] = first > second ? longer : shorter;
    out[1] = first > second ? shorter : longer;
}

static enum status truncate_both(struct parts *parts, size_t max,
                                 const struct encode_options *options, struct error *err) {
    const size_t first = parts->items[0].main.n;
    const size_t second = parts->is_pair ? parts->items[1].main.n : 0;
    const size_t total = first + second;
    if (max == 0) {
        if (truncate(&parts->items[0], parts->arena, 0, options, err) != STATUS_OK)
            return STATUS_ERROR;
        return parts->is_pair ? truncate(&parts->items[1], parts->arena, 0, options, err)
                              : STATUS_OK;
    }
    if (total <= max)
        return STATUS_OK;
    if (options->truncation == TRUNCATE_LONGEST_FIRST) {
        size_t keep[2] = {max, 0};
        if (parts->is_pair)
            share(first, second, max, keep);
        if (truncate(&parts->items[0], parts->arena, keep[0], options, err) != STATUS_OK)
            return STATUS_ERROR;
        return parts->is_pair ? truncate(&parts->items[1], parts->arena, keep[1], options, err)
                              : STATUS_OK;
    }
    const size_t which = options->truncation == TRUNCATE_ONLY_SECOND;
    if (which == 1 && !parts->is_pair)
        return ERR(err, INPUT, "only_second asks for a second text");
    const size_t has = parts->items[which].main.n, remove = total - max;
    if (has <= remove)
        return ERR(err, INPUT,
                   "the %s text has %zu tokens, too few to remove the %zu that are over the limit",
                   which ? "second" : "first", has, remove);
    return truncate(&parts->items[which], parts->arena, has - remove, options, err);
}

static enum status truncate_parts(const struct tokenizer *tokenizer, struct parts *parts,
                                  const struct encode_options *options, struct error *err) {
    const struct stage *processor = tokenizer->post_processor;
    const size_t added = parts->add_special_tokens && processor && processor->kind->added
                             ? processor->kind->added(processor, parts->is_pair)
                             : 0;
    if (options->truncation == TRUNCATE_NONE)
        return STATUS_OK;
    if (options->max_length < added)
        return ERR(err, INPUT, "max_length is %u, which leaves no room for %zu special tokens",
                   options->max_length, added);
    return truncate_both(parts, options->max_length - added, options, err);
}

/* ---- merging ------------------------------------------------------------------------------- */

void window_set_range(struct window *window, size_t sequence, size_t start, size_t end) {
    if (sequence >= WINDOW_RANGES)
        return;
    window->ranges[sequence] = (struct span){(uint32_t)start, (uint32_t)end};
    window->ranged |= (uint8_t)(1u << sequence);
}

/* Of two ranges of one sequence the later counts. */
static struct window join(struct arena *arena, const struct window *a, const struct window *b) {
    struct window out = *a;
    out.tokens = arena_alloc(arena, (a->n + b->n) * sizeof *a->tokens);
    out.n = a->n + b->n;
    for (size_t i = 0; i < ARRAY_LEN(b->ranges); i++)
        if (b->ranged >> i & 1)
            window_set_range(&out, i, a->n + b->ranges[i].start, a->n + b->ranges[i].end);
    if (a->n > 0)
        memcpy(out.tokens, a->tokens, a->n * sizeof *a->tokens);
    if (b->n > 0)
        memcpy(out.tokens + a->n, b->tokens, b->n * sizeof *b->tokens);
    return out;
}

/* Every window of one with every window of the other, in the library's order. */
static enum status merge(struct windows *all, struct arena *arena, const struct windows *part,
                         struct error *err) {
    size_t count;
    if (!size_mul(all->n_overflow + 1, part->n_overflow + 1, &count) || count > LIMIT_WINDOWS)
        return ERR(err, INPUT, "the texts make more than %d windows", LIMIT_WINDOWS);
    struct window *list = arena_alloc(arena, count * sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < all->n_overflow; i++) {
        list[n++] = join(arena, &all->overflow[i], &part->main);
        for (size_t k = 0; k < part->n_overflow; k++)
            list[n++] = join(arena, &all->overflow[i], &part->overflow[k]);
    }
    for (size_t k = 0; k < part->n_overflow; k++)
        list[n++] = join(arena, &all->main, &part->overflow[k]);
    all->main = join(arena, &all->main, &part->main);
    all->overflow = list;
    all->n_overflow = n;
    return STATUS_OK;
}

static enum status merge_parts(struct windows *out, const struct parts *parts, struct error *err) {
    *out = parts->n > 0 ? parts->items[0] : (struct windows){0};
    for (size_t i = 1; i < parts->n; i++)
        if (merge(out, parts->arena, &parts->items[i], err) != STATUS_OK)
            return STATUS_ERROR;
    return STATUS_OK;
}

/* ---- the public form ----------------------------------------------------------------------- */

/* -1 but in the ranges: of n ranges, those of the texts below n, where one that is missing is all
 * of the window; without any it is all of the first text. */
static void label_sequences(int8_t *sequence, const struct window *window) {
    size_t count = 0;
    for (size_t i = 0; i < WINDOW_RANGES; i++)
        count += window->ranged >> i & 1;
    memset(sequence, -1, window->n);
    for (size_t i = 0; i < count || i == 0; i++) {
        const struct span all = {0, (uint32_t)window->n};
        const struct span range = window->ranged >> i & 1 ? window->ranges[i] : all;
        memset(sequence + range.start, (int)i, range.end - range.start);
    }
}

static void publish(struct encoding *out, struct arena *arena, const struct window *window) {
    const size_t n = window->n;
    *out = (struct encoding){
        .n = n,
        .ids = arena_alloc(arena, n * sizeof *out->ids),
        .type_ids = arena_alloc(arena, n * sizeof *out->type_ids),
        .offsets = arena_alloc(arena, n * sizeof *out->offsets),
        .special = arena_alloc(arena, n),
        .sequence = arena_alloc(arena, n),
        .words = arena_alloc(arena, n * sizeof *out->words),
    };
    for (size_t i = 0; i < n; i++) {
        const struct token *token = &window->tokens[i];
        out->ids[i] = token->id;
        out->type_ids[i] = token->type_id;
        out->offsets[i] = token->offsets;
        out->special[i] = token->special;
        out->words[i] = token->word;
    }
    if (n > 0)
        label_sequences(out->sequence, window);
}

/* The template has the language of the config; the request may have another. */
static void set_language(const struct tokenizer *tokenizer, struct encoding *encoding,
                         int32_t language) {
    for (size_t i = 0; i < encoding->n; i++)
        if (encoding->special[i] && encoding->ids[i] == tokenizer->language)
            encoding->ids[i] = language;
}

static void begin_ranges(struct windows *windows, size_t sequence) {
    window_set_range(&windows->main, sequence, 0, windows->main.n);
    for (size_t i = 0; i < windows->n_overflow; i++)
        window_set_range(&windows->overflow[i], sequence, 0, windows->overflow[i].n);
}

/* Tokens that no window shows: all of the cut ones, or none when windows are asked for. */
static size_t lost(const struct tokens sequences[2], const struct parts *parts,
                   const struct encode_options *options) {
    if (options->overflow)
        return 0;
    size_t n = 0;
    for (size_t i = 0; i < parts->n; i++)
        n += sequences[i].n - parts->items[i].main.n;
    return n;
}

enum status post_process(const struct tokenizer *tokenizer, struct encoding *out,
                         struct arena *arena, struct arena *scratch, struct tokens sequences[2],
                         bool is_pair, const struct encode_options *options, struct error *err) {
    struct windows items[2] = {{.main = {.tokens = sequences[0].items, .n = sequences[0].n}},
                               {.main = {.tokens = sequences[1].items, .n = sequences[1].n}}};
    struct parts parts = {
        .items = items,
        .n = is_pair ? 2 : 1,
        .is_pair = is_pair,
        .add_special_tokens = !options->no_special_tokens,
        .arena = scratch,
    };
    if (truncate_parts(tokenizer, &parts, options, err) != STATUS_OK)
        return STATUS_ERROR;
    const size_t cut = lost(sequences, &parts, options);
    for (size_t i = 0; i < parts.n; i++)
        begin_ranges(&parts.items[i], i);
    if (tokenizer->post_processor)
        tokenizer->post_processor->kind->process(tokenizer->post_processor, &parts);
    struct windows all;
    if (merge_parts(&all, &parts, err) != STATUS_OK)
        return STATUS_ERROR;
    struct encoding head;
    publish(&head, arena, &all.main);
    head.truncated = cut;
    struct encoding **link = &head.next;
    for (size_t i = 0; i < all.n_overflow; i++) {
        *link = arena_alloc(arena, sizeof **link);
        publish(*link, arena, &all.overflow[i]);
        link = &(*link)->next;
    }
    if (options->language > 0)
        for (struct encoding *window = &head; window; window = window->next)
            set_language(tokenizer, window, options->language);
    *out = head;
    return STATUS_OK;
}
