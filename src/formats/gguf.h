/* GGUF, private to this room: the container (gguf_file.c), its tensors as a weight format (gguf.c),
 * what its names mean (gguf_names.c), and what
 * a folder that has only such a file gets instead of config.json (gguf_config.c) and tokenizer.json
 * (gguf_tokenizer.c). Everything points into the mapped file or into an arena; numbers in the file
 * are little endian and unaligned. */
#ifndef BRISK_FORMATS_GGUF_H
#define BRISK_FORMATS_GGUF_H

#include "formats/format.h"

enum gguf_type { /* numbers as in the file */
                 GGUF_U8,
                 GGUF_I8,
                 GGUF_U16,
                 GGUF_I16,
                 GGUF_U32,
                 GGUF_I32,
                 GGUF_F32,
                 GGUF_BOOL,
                 GGUF_STRING,
                 GGUF_ARRAY,
                 GGUF_U64,
                 GGUF_I64,
                 GGUF_F64,
                 GGUF_TYPES
};

struct gguf_value {
    enum gguf_type type;
    enum gguf_type item; /* ARRAY: of its items, no ARRAY */
    uint64_t len;        /* STRING: bytes; ARRAY: items; else 1 */
    const uint8_t *data; /* of an array of strings: each a length of 8 bytes and its bytes */
};

struct gguf_pair {
    const char *key; /* zero-terminated */
    struct gguf_value value;
};

struct gguf_tensor {
    const char *name; /* not terminated */
    size_t name_len;
    uint32_t n_dims, type;
    uint64_t dims[LIMIT_TENSOR_DIMS]; /* as in the file: the innermost first */
    uint64_t offset;                  /* from `data` */
};

struct gguf {
    struct gguf_pair *pairs; /* [n_pairs], sorted by key, each key once */
    size_t n_pairs;
    struct gguf_tensor *tensors; /* [n_tensors], in the file's order; not checked yet */
    size_t n_tensors;
    const uint8_t *data; /* the tensors' bytes, behind header and padding */
    size_t data_len;
    uint32_t alignment; /* of offsets */
};

/* Reads the header: all keys and values are checked, tensors only as far as they can be read. The
 * arrays lie in the arena. Cheap: what counts and lengths promise must fit the file. */
enum status gguf_read(struct gguf *out, struct arena *arena, const uint8_t *data, size_t size,
                      struct error *err) MUST_CHECK;
const struct gguf_value *gguf_find(const struct gguf *gguf, const char *key); /* NULL: absent */
/* These take NULL for `value`, and are false where the type is another. */
bool gguf_int(const struct gguf_value *value, int64_t *out); /* any integer type that fits */
bool gguf_bool(const struct gguf_value *value, bool otherwise);
bool gguf_float(const struct gguf_value *value, double *out);
bool gguf_is_string(const struct gguf_value *value);
bool gguf_is_array(const struct gguf_value *value, enum gguf_type item);
/* Item i of an array of numbers, as such a value; i < len. */
struct gguf_value gguf_item(const struct gguf_value *array, size_t i);
/* Strings of an array one by one: *at begins as array->data. */
const char *gguf_next_string(const uint8_t **at, size_t *len);

/* ---- names ---- */

/* A tensor: name in GGUF files, name in transformers, both without ".weight"; "%u" is a layer. */
struct gguf_name {
    const char *name, *hf;
    bool turned;           /* transformers stores it [in, out], GGUF [out, in] */
    const char *row_pairs; /* key with the number of heads whose rotary pairs stand side by side */
};

/* A key behind "<architecture>." and what transformers calls it. */
struct gguf_key {
    const char *key, *hf;
};

/* An architecture as general.architecture names it. */
struct gguf_arch {
    const char *name, *model_type;
    const struct gguf_key *keys;   /* up to a NULL */
    const struct gguf_name *names; /* up to a NULL */
};

/* MODEL with a text that names what is known. */
enum status gguf_arch_of(const struct gguf_arch **out, const struct gguf *gguf,
                         struct error *err) MUST_CHECK;
/* What the file's key for this architecture holds, "gpt2.block_count"; NULL: absent. */
const struct gguf_value *gguf_arch_value(const struct gguf *gguf, const struct gguf_arch *arch,
                                         const char *key);
/* The row of a tensor, or NULL; writes transformers' name, with the suffix, to name[size]. */
const struct gguf_name *gguf_rename(const struct gguf_arch *arch, const struct gguf_tensor *tensor,
                                    char *name, size_t size);

/* ---- in place of a repository's small files ---- */

/* config.json: what the file says in transformers' words, then the members of `own` (or NULL),
 * which win. `tied`: no part of the model has an output matrix of its own. */
void gguf_write_config(struct json_out *out, const struct gguf *gguf, const struct gguf_arch *arch,
                       bool tied, const struct json *own);
/* tokenizer_config.json: class, special tokens, chat template. */
void gguf_write_tokenizer_config(struct json_out *out, const struct gguf *gguf);
/* tokenizer.json, but for the pieces of a unigram model; scratch is for work. */
enum status gguf_write_tokenizer(struct json_out *out, const struct gguf *gguf,
                                 struct arena *scratch, struct error *err) MUST_CHECK;
/* Those, into the tree that was parsed from it (in `arena`); scores stay exact so. */
enum status gguf_add_pieces(const struct json *tokenizer, struct arena *arena,
                            const struct gguf *gguf, struct error *err) MUST_CHECK;
/* The merges that a vocabulary of pieces with scores (an array of f32, as long) stands for, as
 * transformers derives them: "merges" and an array of pairs. */
void gguf_write_merges(struct json_out *out, const struct gguf_value *tokens,
                       const struct gguf_value *scores, struct arena *scratch);

/* A folder with a GGUF file is a repository. */
bool gguf_exists(const char *folder);
/* Completes a repository whose small files are missing from the GGUF file in its folders, if there
 * is one: config.json where it is absent or names no architectures, */
enum status gguf_complete_config(struct repository *repository, struct error *err) MUST_CHECK;
/* and tokenizer_config.json where there is no tokenizer; sets repository->gguf then. */
enum status gguf_complete_tokenizer(struct repository *repository, struct error *err) MUST_CHECK;

/* Lets tests and fuzzers read a file from memory: fills nothing but does all of the above. */
enum status gguf_check(const void *data, size_t size, struct error *err) MUST_CHECK;

#endif
