/* Keys and values: pools of blocks, sequences that share them copy-on-write, memories.
 *
 * A block holds KV_PAGE_TOKENS tokens in all layers of a stack. Creating a sequence or memory
 * reserves blocks, which is where memory may run out; afterwards blocks come from the free list
 * as tokens arrive. Blocks are counted: copying a sequence shares them, and the one that is
 * written next is copied by the pass that writes it (plan.c), all lanes together. The idea is
 * that of vLLM's PagedAttention (Kwon et al. 2023). One thread owns a model's lists. */
#include "engine/model.h"

struct block {
    float *data;        /* [layers, kv_page_floats] */
    uint32_t refs;      /* lists that hold it; 0: on the free list */
    struct block *next; /* free */
};

/* Blocks come from the system many at a time. */
struct chunk {
    struct chunk *next;
    void *data;
    size_t bytes;
    struct block blocks[];
};

void pool_init(struct pool *pool, const struct stack_spec *spec, size_t limit) {
    *pool = (struct pool){
        .block_floats = spec->layers * kv_page_floats(spec->kv_heads, spec->head_size),
        .limit = limit,
    };
}

static void pool_empty(struct pool *pool) {
    while (pool->chunks) {
        struct chunk *chunk = pool->chunks;
        pool->chunks = chunk->next;
        mem_free_large(chunk->data, chunk->bytes);
        mem_free(chunk);
    }
    pool->free = NULL;
    pool->total = pool->bytes = 0;
}

void pool_deinit(struct pool *pool) {
    ASSERT(pool->reserved == 0 && pool->in_use == 0);
    pool_empty(pool);
}

/* Adds at least `need` blocks. */
static enum status pool_grow(struct pool *pool, size_t need, struct error *err) {
    const size_t block_bytes = pool->block_floats * sizeof(float);
    size_t n = LIMIT_POOL_CHUNK / block_bytes, bytes = 0;
    if (n < need)
        n = need;
    if (pool->limit && pool->bytes + n * block_bytes > pool->limit)
        n = need;
    if (!size_mul(n, block_bytes, &bytes) || (pool->limit && pool->bytes + bytes > pool->limit))
        return ERR(
            err, MEMORY,
            "the keys and values of %zu more tokens need %.1f MiB, over the limit of %.1f MiB; "
            "wait for other requests to end or ask for fewer tokens",
            need * KV_PAGE_TOKENS, (double)need * (double)block_bytes / (double)MiB,
            (double)pool->limit / (double)MiB);
    void *data = NULL;
    if (mem_try_alloc(&data, bytes, err) != STATUS_OK)
        return STATUS_ERROR;
    struct chunk *chunk = mem_alloc(sizeof *chunk + n * sizeof chunk->blocks[0]);
    *chunk = (struct chunk){.next = pool->chunks, .data = data, .bytes = bytes};
    for (size_t i = n; i-- > 0;) {
        chunk->blocks[i] =
            (struct block){.data = (float *)data + i * pool->block_floats, .next = pool->free};
        pool->free = &chunk->blocks[i];
    }
    pool->chunks = chunk;
    pool->total += n;
    pool->bytes += bytes;
    return STATUS_OK;
}

static enum status pool_reserve(struct pool *pool, size_t n, struct error *err) {
    if (pool->reserved + n > pool->total &&
        pool_grow(pool, pool->reserved + n - pool->total, err) != STATUS_OK)
        return STATUS_ERROR;
    pool->reserved += n;
    return STATUS_OK;
}

static void pool_unreserve(struct pool *pool, size_t n) {
    ASSERT(n <= pool->reserved);
    pool->reserved -= n;
    if (pool->reserved == 0 && pool->bytes > LIMIT_POOL_IDLE)
        pool_empty(pool);
}

static struct block *block_take(struct pool *pool) {
    struct block *block = pool->free;
    ASSERT(block); /* the reservation's promise */
    pool->free = block->next;
    pool->in_use++;
    *block = (struct block){.data = block->data, .refs = 1};
    return block;
}

static void block_drop(struct pool *pool, struct block *block) {
    ASSERT(block->refs > 0);
    if (--block->refs > 0)
        return;
    block->next = pool->free;
    pool->free = block;
    pool->in_use--;
}

/* ---- lists of blocks ---- */
static uint32_t pages_for(uint32_t tokens) {
    return (tokens + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS;
}

static enum status pages_init(struct pages *pages, struct pool *pool, uint32_t tokens,
                              struct error *err) {
    const uint32_t n = pages_for(tokens);
    if (pool_reserve(pool, n, err) != STATUS_OK)
        return STATUS_ERROR;
    *pages = (struct pages){.pool = pool, .reserved = n};
    pages->blocks = mem_zalloc(n, sizeof *pages->blocks);
    pages->data = mem_zalloc(n, sizeof *pages->data);
    return STATUS_OK;
}

static void pages_cut(struct pages *pages, uint32_t held) {
    while (pages->held > held) {
        pages->held--;
        block_drop(pages->pool, pages->blocks[pages->held]);
    }
}

static void pages_deinit(struct pages *pages) {
    pages_cut(pages, 0);
    mem_free(pages->blocks);
    mem_free(pages->data);
    pool_unreserve(pages->pool, pages->reserved);
}

static void pages_put(struct pages *pages, uint32_t i, struct block *block) {
    pages->blocks[i] = block;
    pages->data[i] = block->data;
}

void pages_extend(struct pages *pages, uint32_t length, uint32_t n, struct block_copy *copy) {
    const uint32_t partial = length / KV_PAGE_TOKENS, end = pages_for(length + n);
    ASSERT(end <= pages->reserved);
    *copy = (struct block_copy){0};
    if (partial < pages->held && pages->blocks[partial]->refs > 1) {
        struct block *shared = pages->blocks[partial];
        block_drop(pages->pool, shared);
        pages_put(pages, partial, block_take(pages->pool));
        *copy = (struct block_copy){.from = shared->data, .to = pages->data[partial]};
    }
    for (; pages->held < end; pages->held++)
        pages_put(pages, pages->held, block_take(pages->pool));
}

/* The first `held` blocks of src, shared. References are taken before others are dropped. */
static void pages_share(struct pages *dst, const struct pages *src, uint32_t held) {
    ASSERT(held <= dst->reserved && held <= src->held);
    pages_cut(dst, held);
    for (uint32_t i = 0; i < held; i++) {
        if (i < dst->held && dst->blocks[i] == src->blocks[i])
            continue;
        src->blocks[i]->refs++;
        if (i < dst->held)
            block_drop(dst->pool, dst->blocks[i]);
        pages_put(dst, i, src->blocks[i]);
    }
    dst->held = held;
}

/* ---- sequences ---- */
enum status sequence_create(struct sequence **out, struct model *model, uint32_t stack,
                            uint32_t capacity, struct error *err) {
    ASSERT(stack < model->arch.n_stacks && stack_has(&model->arch.stacks[stack], STACK_CAUSAL));
    struct pages pages;
    if (pages_init(&pages, &model->stacks[stack].pool, capacity, err) != STATUS_OK)
        return STATUS_ERROR;
    struct sequence *sequence = mem_zalloc(1, sizeof *sequence);
    *sequence =
        (struct sequence){.model = model, .stack = stack, .capacity = capacity, .pages = pages};
    *out = sequence;
    return STATUS_OK;
}

void sequence_destroy(struct sequence *sequence) {
    if (!sequence)
        return;
    pages_deinit(&sequence->pages);
    mem_free(sequence);
}

uint32_t sequence_length(const struct sequence *sequence) {
    return sequence->length;
}

uint32_t sequence_capacity(const struct sequence *sequence) {
    return sequence->capacity;
}

void sequence_copy_head(struct sequence *dst, const struct sequence *src, uint32_t tokens) {
    ASSERT(dst->model == src->model && dst->stack == src->stack && dst != src);
    ASSERT(tokens <= src->length && tokens <= dst->capacity);
    pages_share(&dst->pages, &src->pages, pages_for(tokens));
    dst->length = tokens;
}

void sequence_copy(struct sequence *dst, const struct sequence *src) {
    if (dst != src)
        sequence_copy_head(dst, src, src->length);
}

void sequence_seal(struct sequence *sequence) {
    struct pages *pages = &sequence->pages;
    sequence->capacity = sequence->length;
    pool_unreserve(pages->pool, pages->reserved - pages->held);
    pages->reserved = pages->held;
}

size_t sequence_bytes(const struct sequence *sequence) {
    return sequence->pages.held * sequence->pages.pool->block_floats * sizeof(float);
}

void sequence_truncate(struct sequence *sequence, uint32_t length) {
    if (length >= sequence->length)
        return;
    pages_cut(&sequence->pages, pages_for(length));
    sequence->length = length;
}

/* ---- memories ---- */
enum status memory_create(struct memory **out, struct model *model, uint32_t stack, uint32_t tokens,
                          struct error *err) {
    ASSERT(stack < model->arch.n_stacks && stack_has(&model->arch.stacks[stack], STACK_CROSS));
    struct pages pages;
    if (pages_init(&pages, &model->stacks[stack].pool, tokens, err) != STATUS_OK)
        return STATUS_ERROR;
    struct block_copy none;
    pages_extend(&pages, 0, tokens, &none);
    struct memory *memory = mem_zalloc(1, sizeof *memory);
    *memory = (struct memory){
        .model = model, .stack = stack, .capacity = tokens, .refs = 1, .pages = pages};
    *out = memory;
    return STATUS_OK;
}

struct memory *memory_ref(struct memory *memory) {
    memory->refs++;
    return memory;
}

void memory_unref(struct memory *memory) {
    if (!memory || --memory->refs > 0)
        return;
    pages_deinit(&memory->pages);
    mem_free(memory);
}

uint32_t memory_tokens(const struct memory *memory) {
    return memory->stored;
}
