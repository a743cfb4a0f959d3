/* The service's own routes: whether it lives, and its counters. They need no token, ever, and run
 * no model. */
#include "server/http.h"

#include "base/banned.h"

#include <string.h>

void route_health(struct request *request) {
    const bool stopping = http_is_stopping(request);
    const char *body = stopping ? "{\"error\":\"Service Unavailable: the server is stopping\"}"
                                : "{\"status\":\"ok\"}";
    http_answer(request, stopping ? 503 : 200, "application/json", body, strlen(body));
}

void route_metrics(struct request *request) {
    struct brisk_answer answer = {0};
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    brisk_metrics(http_brisk(request), &answer);
    buf_append(&buf, answer.body, answer.body_len);
    http_write_metrics(request, &buf);
    http_answer(request, 200, "text/plain; version=0.0.4; charset=utf-8", buf.data, buf.len);
    buf_deinit(&buf);
    brisk_answer_free(&answer);
}
