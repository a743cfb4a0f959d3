/* Formats: what a Hugging Face repository folder holds, read and checked; nothing is executed.
 *
 * A repository is a folder with config.json and friends (parsed JSON); a checkpoint is its
 * tensors, mapped, never copied. A weight format is one file here and one line in formats.inc.
 * Knows no architecture: names and shapes are handed on as they stand in the file. */
#ifndef BRISK_FORMATS_FORMATS_H
#define BRISK_FORMATS_FORMATS_H

#include "base/base.h"
#include "formats/packed.h" /* the packed cache */

/* ---- the repository's small files ---- */
struct repository {
    struct arena arena; /* holds everything below */
    const char *folder;
    /* Where config.json and the weights are: the folder, or one in it (sentence-transformers'
     * "0_Transformer"), or the base model of an adapter. */
    const char *model_folder;
    const char *tokenizer_folder; /* likewise, of the tokenizer's files */
    const struct json *adapter;   /* adapter_config.json, or NULL */
    /* config.json is the adapter's own: how it was trained, which may be on a quantized copy of the
     * base, says nothing of the base that is here. */
    bool config_is_adapters;
    const struct json *config;             /* config.json; never NULL */
    const struct json *generation_config;  /* generation_config.json, or NULL */
    const struct json *tokenizer_config;   /* tokenizer_config.json, or NULL */
    const struct json *special_tokens_map; /* special_tokens_map.json, or NULL */
    const struct json *modules;            /* sentence-transformers' modules.json, or NULL */
    const char *gguf;                      /* GGUF file whose header is the tokenizer, or NULL */
    const char *pipeline_tag;              /* from the front matter of README.md, or NULL */
    const char *library_name;              /* likewise */
};

/* How the model that an adapter was made for is found: from its name in adapter_config.json, an id
 * or a path, to a folder in the arena. */
struct locate {
    enum status (*find)(const void *user, const char *adapter_folder, const char *name,
                        struct arena *arena, char **folder, struct error *err);
    const void *user;
};

/* NOT_FOUND when the folder or its config.json is absent; MODEL when a file is damaged: the text
 * names file and position; also when the folder is an adapter and its base model is not found.
 * locate NULL: no base is. */
enum status repository_open_located(struct repository *repository, const char *folder,
                                    const struct locate *locate, struct error *err) MUST_CHECK;
enum status repository_open(struct repository *repository, const char *folder,
                            struct error *err) MUST_CHECK; /* without locate */
void repository_close(struct repository *repository);
/* A file that makes a folder a repository is there: config.json, or what stands for it. */
bool repository_exists(const char *folder);
/* The folder of the model that an adapter's folder stands on, in the arena; NULL: the folder is no
 * adapter, or its base is not here. Reads adapter_config.json alone. */
char *repository_base(const char *folder, const struct locate *locate, struct arena *arena);
/* Parses folder/name into the repository's arena; *out NULL when the file is absent. */
enum status repository_json(struct repository *repository, const char *name,
                            const struct json **out, struct error *err) MUST_CHECK;

/* The tokenizer of a repository that has it in a GGUF file only, as the tree of a tokenizer.json in
 * `arena`; *out NULL: the tokenizer has files of its own. */
enum status repository_tokenizer(const struct repository *repository, struct arena *arena,
                                 const struct json **out, struct error *err) MUST_CHECK;

/* ---- tensors ---- */
/* DTYPE(name, elements of a block, bytes of a block, name): plain types are blocks of one element
 * and have the name that safetensors uses; quantized ones have ggml's and stand in GGUF files. */
/* clang-format off */
#define DTYPES(DTYPE)                                                                              \
    DTYPE(F64, 1, 8, "F64")                                                                        \
    DTYPE(F32, 1, 4, "F32")                                                                        \
    DTYPE(F16, 1, 2, "F16")                                                                        \
    DTYPE(BF16, 1, 2, "BF16")                                                                      \
    DTYPE(F8_E4M3, 1, 1, "F8_E4M3") /* torch's float8_e4m3fn: no infinities */                     \
    DTYPE(F8_E5M2, 1, 1, "F8_E5M2")                                                                \
    DTYPE(F8_E8M0, 1, 1, "F8_E8M0") /* powers of two */                                            \
    DTYPE(I64, 1, 8, "I64")                                                                        \
    DTYPE(I32, 1, 4, "I32")                                                                        \
    DTYPE(I16, 1, 2, "I16")                                                                        \
    DTYPE(I8, 1, 1, "I8")                                                                          \
    DTYPE(U64, 1, 8, "U64")                                                                        \
    DTYPE(U32, 1, 4, "U32")                                                                        \
    DTYPE(U16, 1, 2, "U16")                                                                        \
    DTYPE(U8, 1, 1, "U8")                                                                          \
    DTYPE(BOOL, 1, 1, "BOOL")                                                                      \
    DTYPE(Q4_0, 32, 18, "Q4_0")                                                                    \
    DTYPE(Q4_1, 32, 20, "Q4_1")                                                                    \
    DTYPE(Q5_0, 32, 22, "Q5_0")                                                                    \
    DTYPE(Q5_1, 32, 24, "Q5_1")                                                                    \
    DTYPE(Q8_0, 32, 34, "Q8_0")                                                                    \
    DTYPE(Q2_K, 256, 84, "Q2_K")                                                                   \
    DTYPE(Q3_K, 256, 110, "Q3_K")                                                                  \
    DTYPE(Q4_K, 256, 144, "Q4_K")                                                                  \
    DTYPE(Q5_K, 256, 176, "Q5_K")                                                                  \
    DTYPE(Q6_K, 256, 210, "Q6_K")
/* clang-format on */

enum dtype {
#define DTYPE(name, block, bytes, text) DTYPE_##name,
    DTYPES(DTYPE)
#undef DTYPE
};
enum { TENSOR_BLOCK = 256 };          /* the most elements that a block has */
size_t dtype_size(enum dtype dtype);  /* bytes of a block: of an element where blocks have one */
size_t dtype_block(enum dtype dtype); /* elements of a block */
const char *dtype_name(enum dtype dtype);

/* What is done to floats of a tensor behind the conversion (an adapter's product added, weight
 * norm's factor): read-only for callers, who get the changed floats from tensor_to_floats. */
struct change;

struct tensor {
    const char *name; /* zero-terminated */
    enum dtype dtype;
    uint32_t n_dims;
    int64_t dims[LIMIT_TENSOR_DIMS]; /* row-major, as in the file; every one >= 0 */
    size_t elements;                 /* product of dims, checked */
    const void *data;                /* in the mapping; may be unaligned; without the change */
    size_t bytes;
    const struct change *change; /* or NULL */
    bool turned;                 /* dims and data are [out, in] where transformers has [in, out] */
    /* Rows stand in groups of this many, one a head, with the two halves of a head interleaved
     * (row 2i is i, row 2i + 1 is i + half); tensor_to_floats puts them apart. 0: they do not. */
    uint32_t paired_rows;
};

struct checkpoint;
/* Opens the folder's weights, in the first of the formats (formats.inc) that it holds: one file,
 * the shards of an index, a series of parts. Everything is checked here (offsets inside the file,
 * no overlap, sizes that match the shapes, no overflow, limits); MODEL names the file, the tensor
 * and what is wrong. A folder with only other formats gets a MODEL error that says what to convert;
 * NOT_FOUND: no weights at all. */
enum status checkpoint_open(struct checkpoint **out, const char *folder,
                            struct error *err) MUST_CHECK;
/* The same of a repository, whose adapter is merged: its tensors are as if they stood in the file.
 */
enum status checkpoint_open_repository(struct checkpoint **out, const struct repository *repository,
                                       struct error *err) MUST_CHECK;
void checkpoint_close(struct checkpoint *checkpoint);
size_t checkpoint_count(const struct checkpoint *checkpoint);
const struct tensor *checkpoint_at(const struct checkpoint *checkpoint,
                                   size_t i); /* sorted by name */
const struct tensor *checkpoint_find(const struct checkpoint *checkpoint,
                                     const char *name);       /* NULL: absent */
size_t checkpoint_bytes(const struct checkpoint *checkpoint); /* of all tensors */
/* The pages that hold the tensor no longer count as the process's until they are read again. */
void checkpoint_forget(const struct checkpoint *checkpoint, const struct tensor *tensor);
/* What takes a pass over a whole tensor before any of it can be read (norms of DoRA and weight
 * norm) is computed on the team, tensor by tensor, rather than by the first who reads it. */
void checkpoint_prepare(const struct checkpoint *checkpoint, struct team *team);
/* Of all that decides what its tensors hold: its files, an adapter's files and settings. Reads them
 * all, on the team, unless the cache has seen them. */
void checkpoint_content(const struct checkpoint *checkpoint, struct packed_cache *cache,
                        struct team *team, struct packed_digest *out);

/* After reading: MODEL when a file was changed meanwhile (a download that goes on, a disk that
 * fails), so that what was read is worth nothing. */
enum status checkpoint_intact(const struct checkpoint *checkpoint, struct error *err) MUST_CHECK;

/* Converts elements [from, from + n) to float. Any dtype, any part; integers by value, BOOL as 0 or
 * 1; whole blocks of quantized types are fastest. */
void tensor_to_floats(const struct tensor *tensor, size_t from, size_t n, float *out);

/* Lets tests and fuzzers read a safetensors file from memory: fills nothing but checks all. */
enum status safetensors_check(const void *data, size_t size, struct error *err) MUST_CHECK;

#endif
