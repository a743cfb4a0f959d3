/* Templates: the part of Jinja that the `chat_template`s of models use, rendered as Python's jinja2
 * does in the way `transformers` sets it up (apply_chat_template): an immutable sandbox,
 * trim_blocks, lstrip_blocks, break and continue, {% generation %}, tojson without HTML escapes,
 * raise_exception, strftime_now.
 *
 * A template is parsed once and immutable from then on: any number of threads may render it. What a
 * template can cost is bounded (LIMIT_TEMPLATE_*), whoever wrote it. extends, include, import,
 * block and autoescape are refused when parsing; integers have 64 bits and say so when they
 * overflow.
 *
 * The chat half (chat.c) is what a model's folder says of chats: its templates, its special tokens,
 * and the variables that `transformers` hands to them. */
#ifndef BRISK_TEMPLATE_TEMPLATE_H
#define BRISK_TEMPLATE_TEMPLATE_H

#include "base/base.h"

struct template;

struct template_options {
    int64_t now_s; /* what strftime_now sees, seconds since 1970, in local time; 0: the clock's */
};

/* Parses source[len]. MODEL: "line 3: expected token 'end of print statement', got 'name'". */
enum status template_parse(struct template **out, const char *source, size_t len,
                           struct error *err) MUST_CHECK;
/* Appends the text to `out`. variables: an object, borrowed during the call. options may be NULL.
 * INPUT: what the template says with raise_exception, or "line 3: 'x' is undefined"; nothing is
 * appended then. */
enum status template_render(const struct template *tmpl, struct buf *out,
                            const struct json *variables, const struct template_options *options,
                            struct error *err) MUST_CHECK;
void template_destroy(struct template *tmpl); /* NULL is fine */

/* ---- chats ---- */
struct chat;

/* Finds the templates of a model's folder: chat_template.jinja and additional_chat_templates/,
 * else `chat_template` of tokenizer_config, else chat_template.json. Both trees may be NULL and are
 * copied from. Never fails: what is bad is told when it is used, and by chat_check. */
struct chat *chat_open(const char *folder, const struct json *tokenizer_config,
                       const struct json *special_tokens_map);
void chat_close(struct chat *chat);                       /* NULL is fine */
size_t chat_count(const struct chat *chat);               /* 0: the model has no chat template */
const char *chat_name(const struct chat *chat, size_t i); /* "default", "tool_use", … */
/* MODEL when the i-th template is bad. */
enum status chat_check(const struct chat *chat, size_t i, struct error *err) MUST_CHECK;
bool chat_tells_time(const struct chat *chat); /* a template asks for the date */

struct chat_request {             /* zero is the default */
    const struct json *messages;  /* an array of objects */
    const struct json *tools;     /* or NULL */
    const struct json *documents; /* or NULL */
    const struct json *variables; /* more of them (chat_template_kwargs), or NULL */
    const char *template_name;    /* NULL: tool_use where there are tools and it exists */
    bool add_generation_prompt;
    bool continue_final_message; /* the text ends inside the last message, which goes on */
};
/* Renders a chat into `out`. INPUT when there is no template, when the chat is not one, and when
 * the template says so; MODEL when the template is bad. */
enum status chat_render(const struct chat *chat, struct buf *out,
                        const struct chat_request *request, const struct template_options *options,
                        struct error *err) MUST_CHECK;

#endif
