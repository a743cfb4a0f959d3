/* The HTTP server: routes of the Inference API over a struct brisk. One row in routes.inc makes an
 * endpoint; the dialects' handlers are in api/. It knows no models, only brisk.h.
 *
 * Stands on libmicrohttpd: its own few threads take requests apart; a request that runs a model is
 * suspended until the runtime answers. One thread of ours watches the suspended ones for clients
 * that leave, and cancels their work. */
#ifndef BRISK_SERVER_SERVER_H
#define BRISK_SERVER_SERVER_H

#include "runtime/runtime.h"

struct server;
struct server_options {
    struct brisk *brisk; /* borrowed: must outlive the server */
    const char *host;    /* address to listen on; NULL: 127.0.0.1 */
    uint16_t port;       /* 0: a free one */
};

/* Listens and answers from now on. IO: the address cannot be used, and why. */
enum status server_start(struct server **out, const struct server_options *options,
                         struct error *err) MUST_CHECK;
uint16_t server_port(const struct server *server);
/* Takes no more connections, lets running requests finish for patience_s, cancels the rest, frees.
 */
void server_stop(struct server *server, double patience_s);

/* The routes as an array of {"method", "path", "summary"}, for `brisk list routes`. */
void server_write_routes(struct json_out *out);

#endif
