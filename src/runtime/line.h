/* A line of tickets before the workers, in the order of their requests: those that have begun come
 * before those that have not, so that a request which goes through the workers several times does
 * not stand behind all that came meanwhile. Not thread-safe. Private to runtime. */
#ifndef BRISK_RUNTIME_LINE_H
#define BRISK_RUNTIME_LINE_H

#include "runtime/ticket.h"

struct line_part { /* first in, first out */
    struct brisk_ticket *first, *last;
};

struct line { /* zeroed: empty */
    struct line_part begun, fresh;
};

static inline void line_push(struct line *line, struct brisk_ticket *ticket) {
    struct line_part *part = ticket->stage == TICKET_NEW ? &line->fresh : &line->begun;
    ticket->next = NULL;
    if (part->first == NULL)
        part->first = ticket;
    else
        part->last->next = ticket;
    part->last = ticket;
}

/* The next one, or NULL. */
static inline struct brisk_ticket *line_pop(struct line *line) {
    struct line_part *part = line->begun.first != NULL ? &line->begun : &line->fresh;
    struct brisk_ticket *ticket = part->first;
    if (ticket != NULL) {
        part->first = ticket->next;
        ticket->next = NULL;
    }
    return ticket;
}

#endif
