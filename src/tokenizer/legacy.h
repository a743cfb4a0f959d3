/* The files from before tokenizer.json: a row of legacy_formats.inc a format, which the row of a
 * class (classes.c) points at. A format builds the pipeline that transformers' slow-to-fast
 * converter builds (convert_slow_tokenizer.py): vocabularies go in directly, stages are written
 * down as JSON and parsed like any other. Here is what the formats share. */
#ifndef BRISK_TOKENIZER_LEGACY_H
#define BRISK_TOKENIZER_LEGACY_H

#include "tokenizer/special_tokens.h"

#define LEGACY(name, files) enum status legacy_##name(struct loader *loader, struct error *err);
#include "tokenizer/legacy_formats.inc"
#undef LEGACY

/* ---- files ---- */
bool legacy_is_there(struct loader *loader);    /* the files of the loader's class */
bool legacy_is_tiktoken(struct loader *loader); /* tokenizer.model has tiktoken's lines */
bool legacy_has(struct loader *loader, const char *name);
enum status legacy_read(struct loader *loader, const char *name, char **data, size_t *len,
                        struct error *err) MUST_CHECK;
/* {"token": id, …} into a vocabulary; a file of it; a file into the model's. */
enum status legacy_vocab_object(const struct json *object, struct vocab *vocab, const char *name,
                                struct error *err) MUST_CHECK;
enum status legacy_vocab_json_into(struct loader *loader, struct vocab *vocab, const char *name,
                                   struct error *err) MUST_CHECK;
enum status legacy_vocab_json(struct loader *loader, const char *name,
                              struct error *err) MUST_CHECK;
/* A token a line, numbered from 0. */
enum status legacy_vocab_txt(struct loader *loader, const char *name, struct error *err) MUST_CHECK;

/* ---- stages, from JSON; the text is printed into the loader's arena ---- */
enum status legacy_model(struct loader *loader, const char *json, struct error *err) MUST_CHECK;
enum status legacy_normalizer(struct loader *loader, const char *json,
                              struct error *err) MUST_CHECK;
enum status legacy_pre_tokenizer(struct loader *loader, const char *json,
                                 struct error *err) MUST_CHECK;
enum status legacy_post_processor(struct loader *loader, const char *json,
                                  struct error *err) MUST_CHECK;
enum status legacy_decoder(struct loader *loader, const char *json, struct error *err) MUST_CHECK;

/* The post-processor is made by legacy_finish, when the special tokens have their ids. */
struct legacy_post {
    const char *single, *pair; /* as template_set takes them */
    const char *type;          /* or, not NULL: BertProcessing or RobertaProcessing */
    enum special_token cls, sep;
    bool trim_offsets;
};
void legacy_post(struct loader *loader, struct legacy_post post);

/* A string as JSON, with its quotes, in the loader's arena. */
const char *legacy_quoted(struct loader *loader, const char *text);
/* A setting of tokenizer_config.json. */
bool legacy_flag(const struct loader *loader, const char *key, bool otherwise);
/* The same of a whole number; 0 where it is absent, null or below 1. */
uint32_t legacy_count(const struct loader *loader, const char *key);
const char *legacy_bool(bool value); /* "true" */

#endif
