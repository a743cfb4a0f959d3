/* The workers: a few threads that parse, tokenize and write answers. They never run models. The
 * first of them takes small requests only, so that a large one never blocks all. Private to
 * runtime. */
#ifndef BRISK_RUNTIME_WORKERS_H
#define BRISK_RUNTIME_WORKERS_H

#include "runtime/ticket.h"

struct workers;
enum status workers_create(struct workers **out, uint32_t threads, struct error *err) MUST_CHECK;
void workers_destroy(struct workers *workers); /* the queue must be empty; NULL is fine */
void workers_push(struct workers *workers, struct brisk_ticket *ticket);

#endif
