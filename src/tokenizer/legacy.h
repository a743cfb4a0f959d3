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
bool legacy_has(struct loader *loader, const char *name);
enum status legacy_read(struct loader *loader, const char *name, char **data, size_t *len,
                        struct error *err) MUST_CHECK;
/* {"token": id, …} into the model's vocabulary. */
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

/* A TemplateProcessing as transformers' converters write it: "[CLS]:0 $A:0 [SEP]:0", pieces
 * separated by spaces; the special tokens' ids are looked up, 0 where the vocabulary lacks one. */
enum status legacy_template(struct loader *loader, const char *single, const char *pair,
                            struct error *err) MUST_CHECK;
/* BertProcessing or RobertaProcessing with the tokens of two roles. */
enum status legacy_cls_sep(struct loader *loader, const char *type, enum special_token cls,
                           enum special_token sep, bool trim_offsets, struct error *err) MUST_CHECK;

/* A string as JSON, with its quotes, in the loader's arena. */
const char *legacy_quoted(struct loader *loader, const char *text);
/* A setting of tokenizer_config.json. */
bool legacy_flag(const struct loader *loader, const char *key, bool otherwise);
const char *legacy_bool(bool value); /* "true" */

#endif
