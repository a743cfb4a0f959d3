/* One HTTP request and how a handler answers it. Private to server.
 *
 * A handler answers at once (http_answer_*), or hands the request to the runtime (http_run), which
 * answers later from a thread of its own. */
#ifndef BRISK_SERVER_HTTP_H
#define BRISK_SERVER_HTTP_H

#include <microhttpd.h>

#include "server/routes.h"
#include "server/server.h"
#include "server/watch.h"

struct request {
    struct server *server;
    struct MHD_Connection *connection;
    const struct route *route; /* NULL: none fits; allowed says why */
    unsigned allowed;          /* methods that the path has */
    bool is_options, bad_path;
    struct route_words words;
    struct buf body;
    size_t discarded;              /* bytes of the body that nobody wants */
    char id[LIMIT_REQUEST_ID + 1]; /* x-request-id */
    bool begun;                    /* a handler has it */
    bool handed_over; /* the runtime has it: `response` is not ours to read until it goes on */
    struct MHD_Response *response; /* the answer, when there is one */
    int status;
    struct watched watched; /* while it runs in the runtime */
};

struct brisk *http_brisk(const struct request *request);
/* Value of a request header, or NULL. */
const char *http_header(const struct request *request, const char *name);

/* Answers with a text that is copied. */
void http_answer(struct request *request, int status, const char *type, const char *body,
                 size_t len);
void http_answer_error(struct request *request, const struct error *err);
/* An answer of the runtime about a model; frees it. */
void http_answer_brisk(struct request *request, struct brisk_answer *answer);
/* Runs a model; the answer comes later. */
void http_run(struct request *request, const struct brisk_request *run);
/* Whether new requests are still served, and the counters of the routes as Prometheus text. */
bool http_is_stopping(const struct request *request);
void http_write_metrics(const struct request *request, struct buf *buf);

#endif
