/* Brisk as a library: make a runtime, run models, free it. The server and the command line are two
 * callers of this header. Self-contained; all strings are UTF-8 and zero-terminated.
 *
 * Thread-safe: any thread may call any function on the same struct brisk. */
#ifndef BRISK_H
#define BRISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct brisk;

struct brisk_options {                /* zero is the default */
    const char *const *model_folders; /* each holds {org}/{name}/ or {name}/ repositories;
                                         NULL-terminated, or NULL */
    const char *precision;            /* "auto", "fp32", "bf16", "int8", "int4"; NULL: auto */
    uint32_t threads;                 /* compute threads; 0: all cores */
    size_t memory_bytes;              /* most memory for models; 0: from the machine */
    double load_wait_s;       /* how long a request for a cold model is held; 0: the default */
    bool only_repositories;   /* a model is an id, never the path of a folder: for servers */
    const char *cache_folder; /* where packed weights are kept for the next load; NULL: nowhere */
    size_t cache_bytes;       /* most of them; 0: the default, 20 GiB */
    bool no_speculation;      /* greedy generation goes token by token; texts are the same */
    bool no_prefix_reuse;     /* prompts that begin as earlier texts did are read all the same */
};

/* 0, or an exit code with a text in error[error_size]. */
int brisk_create(struct brisk **out, const struct brisk_options *options, char *error,
                 size_t error_size);
/* Waits for running requests (brisk_drain first to stop taking new ones), joins all threads. */
void brisk_destroy(struct brisk *brisk);
/* New requests get 503 from now on; returns when those running are done or timeout_s is over.
 * Packed weights that are being written are given up: brisk_destroy alone would wait for them. */
void brisk_drain(struct brisk *brisk, double timeout_s);

/* ---- running ---- */
struct brisk_request {
    const char *model; /* id, or the path of a folder when it holds a '/' at the start or is "." */
    const char *task;  /* NULL: the model's own */
    const char *body;  /* JSON: {"inputs": …, "parameters": …, "options": …}; copied */
    size_t body_len;
    bool wait_for_model; /* hold as long as the request's own limit */
    bool no_cache;       /* do not answer from the response cache */
    bool zero_shot_list; /* zero-shot-classification answers [{label, score}, …] */
    double timeout_s;    /* 0: the default limit */
};

struct brisk_answer {
    int status;       /* HTTP status: 200, 400, 404, 503, … */
    int exit_code;    /* the same for a command line */
    const char *body; /* JSON: the answer, or {"error": "…"} (with estimated_time at 503) */
    size_t body_len;
    const char *compute_type; /* "cpu", "cpu+optimized", "cache" */
    const char *precision;
    double compute_time_s; /* from taking the request to the answer, without waiting for a cold
                              model */
    double queue_time_s, load_time_s;
    uint64_t characters, prompt_tokens, generated_tokens, truncated_tokens;
};

/* Called once, from a thread of the runtime; the answer lives until it returns. */
typedef void (*brisk_done)(void *user, const struct brisk_answer *answer);

struct brisk_ticket;
/* Never blocks. *ticket (may be NULL) must be released by brisk_ticket_release. */
void brisk_submit(struct brisk *brisk, const struct brisk_request *request, brisk_done done,
                  void *user, struct brisk_ticket **ticket);
/* The caller is no longer interested: work stops within a step; done is still called (status 499).
 */
void brisk_cancel(struct brisk_ticket *ticket);
void brisk_ticket_release(struct brisk_ticket *ticket);

/* Runs and waits. The answer's strings are freed by brisk_answer_free. */
void brisk_run(struct brisk *brisk, const struct brisk_request *request,
               struct brisk_answer *answer);
void brisk_answer_free(struct brisk_answer *answer);

/* ---- models ---- */
/* JSON about a model ({"id", "loaded", "state", "task", "family", "precision", …}); loads nothing.
 * Returned as an answer (404 when absent): free it. */
void brisk_model_info(struct brisk *brisk, const char *model, struct brisk_answer *answer);
/* GET /status/{id}: {"loaded":…,"state":"Loaded|Loadable|error","compute_type":…,"framework":…}. */
void brisk_model_status(struct brisk *brisk, const char *model, struct brisk_answer *answer);
/* All repositories under the model folders as a JSON array of model infos. */
void brisk_model_list(struct brisk *brisk, struct brisk_answer *answer);
/* Loads it and waits; progress (may be NULL) is called with 0..1 from the loading thread. */
int brisk_model_load(struct brisk *brisk, const char *model,
                     void (*progress)(void *user, double share), void *user, char *error,
                     size_t error_size);
/* Whether and how it would run, or why not, without loading the weights. */
void brisk_model_check(struct brisk *brisk, const char *model, struct brisk_answer *answer);

/* One JSON string in, {"ids":[…],"offsets":[[s,e],…]} out; and ids in, JSON string out. The
 * folder need hold no weights nor config. */
struct brisk_tokenizer;
int brisk_tokenizer_open(struct brisk_tokenizer **out, struct brisk *brisk, const char *model,
                         char *error, size_t error_size);
void brisk_tokenizer_close(struct brisk_tokenizer *tokenizer);
void brisk_tokenize(struct brisk_tokenizer *tokenizer, const char *json, size_t len,
                    struct brisk_answer *answer);
/* The same with all that is known of each token (type_ids, special_tokens_mask, word_ids,
 * sequence_ids, tokens) and the windows of what overflows. The line is a text or an object:
 * {"text", "pair", "add_special_tokens", "truncation", "truncation_side", "max_length", "stride",
 * "return_overflowing_tokens"}. */
void brisk_tokenize_full(struct brisk_tokenizer *tokenizer, const char *json, size_t len,
                         struct brisk_answer *answer);
void brisk_detokenize(struct brisk_tokenizer *tokenizer, const char *json, size_t len,
                      struct brisk_answer *answer);

/* The chat templates of a model; the folder need hold no weights nor config. `json` is a list of
 * messages, or an object: {"messages", "tools", "documents", "add_generation_prompt" (true),
 * "continue_final_message" (false), "template" (a name), "chat_template_kwargs" (more variables)}.
 * The answer is a JSON string: the text that the model would read. */
struct brisk_chat;
int brisk_chat_open(struct brisk_chat **out, struct brisk *brisk, const char *model, char *error,
                    size_t error_size);
void brisk_chat_close(struct brisk_chat *chat);
void brisk_chat_render(const struct brisk_chat *chat, const char *json, size_t len,
                       struct brisk_answer *answer);

/* ---- figures ---- */
/* Prometheus text of the runtime's counters; free with brisk_answer_free. */
void brisk_metrics(struct brisk *brisk, struct brisk_answer *answer);

/* Runs the model on random tokens for `brisk bench`: answer is a JSON object with latencies and
 * tokens/s. */
struct brisk_bench {
    const char *model;
    uint32_t prompt_tokens, new_tokens; /* new_tokens 0: one forward pass of the text (encoders) */
    uint32_t batch;                     /* texts at once; 0: 1 */
    uint32_t repeat;                    /* counted runs; 0: 5 */
    bool speculate; /* as requests do; a random model repeats itself, so not by default */
};
void brisk_bench(struct brisk *brisk, const struct brisk_bench *bench, struct brisk_answer *answer);

const char *brisk_version(void);

#endif
