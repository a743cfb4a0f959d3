/* The HTTP core: the daemon, collecting bodies, sending answers, stopping. What an endpoint does is
 * in api/. libmicrohttpd calls `on_request` several times for a request: when its headers are
 * there, for each piece of the body, at its end, and again when it was suspended and goes on. */
#include "server/http.h"

#include <assert.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

/* Threads of libmicrohttpd; they only copy bytes. */
#define HTTP_THREADS 2
/* A client may be silent within a request or between two. It must be longer than clients keep
 * connections in their pools, or they send into one that is being closed. */
static_assert(LIMIT_IDLE_SECONDS > 120, "pools of clients keep connections for two minutes");
/* Answers on their way when the server stops may take so long to be sent. */
#define FLUSH_SECONDS  5
#define STATUS_CLASSES 6
/* Bytes of a refused body that are still read. */
#define BODY_DISCARDED (2 * LIMIT_BODY)

struct server {
    struct brisk *brisk;
    struct MHD_Daemon *daemon;
    struct watch *watch;
    uint16_t port;
    atomic_bool stopping; /* read by every request; orders nothing */
    struct lock lock;
    struct condition quiet;      /* a request has ended */
    size_t answering, suspended; /* whose body is there; in the runtime; guarded by lock */
    bool closed;                 /* no request is suspended any more; guarded by lock */
    _Atomic uint64_t *answers;   /* [routes + 1][STATUS_CLASSES], relaxed counters */
    _Atomic uint64_t next_id;
};

struct brisk *http_brisk(const struct request *request) {
    return request->server->brisk;
}

bool http_is_stopping(const struct request *request) {
    return atomic_load_explicit(&request->server->stopping, memory_order_relaxed);
}

const char *http_header(const struct request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* ---- answering ---- */

static void header(struct MHD_Response *response, const char *name, const char *value) {
    MHD_add_response_header(response, name, value);
}

static void header_count(struct MHD_Response *response, const char *name, uint64_t value) {
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    header(response, name, text);
}

static void header_seconds(struct MHD_Response *response, const char *name, double value) {
    char text[32];
    snprintf(text, sizeof(text), "%.3f", value);
    header(response, name, text);
}

static void answer(struct request *request, int status, const char *type, const char *body,
                   size_t len) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, (void *)body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        PANIC("out of memory for an answer of %zu bytes", len);
    if (type != NULL)
        header(response, "Content-Type", type);
    header(response, "Access-Control-Allow-Origin", "*");
    header(response, "Access-Control-Expose-Headers",
           "x-compute-type, x-compute-time, x-compute-characters, x-precision, x-queue-time, "
           "x-truncated-tokens, x-request-id");
    header(response, "x-request-id", request->id);
    if (status == 503)
        header(response, "Retry-After", "1");
    if (http_is_stopping(request))
        header(response, "Connection", "close");
    request->response = response;
    request->status = status;
}

void http_answer(struct request *request, int status, const char *type, const char *body,
                 size_t len) {
    answer(request, status, type, body, len);
}

void http_answer_error(struct request *request, const struct error *err) {
    struct buf buf;
    buf_init(&buf, 8 * LIMIT_ERROR_TEXT);
    struct json_out out = json_out_begin(&buf);
    json_open_object(&out);
    json_key(&out, "error");
    json_string(&out, err->text);
    json_close_object(&out);
    answer(request, error_http_status(err->code), "application/json", buf.data, buf.len);
    buf_deinit(&buf);
}

void http_answer_brisk(struct request *request, struct brisk_answer *from) {
    answer(request, from->status, "application/json", from->body, from->body_len);
    brisk_answer_free(from);
}

static void compute_headers(struct MHD_Response *response, const struct brisk_answer *from) {
    header(response, "x-compute-type", from->compute_type);
    header(response, "x-precision", from->precision);
    header_seconds(response, "x-compute-time", from->compute_time_s);
    header_seconds(response, "x-queue-time", from->queue_time_s);
    header_count(response, "x-compute-characters", from->characters);
    if (from->truncated_tokens > 0)
        header_count(response, "x-truncated-tokens", from->truncated_tokens);
}

/* From a worker of the runtime. */
static void run_done(void *user, const struct brisk_answer *from) {
    struct request *request = user;
    struct server *server = request->server;
    watch_end(server->watch, &request->watched);
    answer(request, from->status, "application/json", from->body, from->body_len);
    struct MHD_Response *response = request->response;
    if (from->status == 200)
        compute_headers(response, from);
    /* The request may be sent and freed as soon as it goes on. */
    MHD_resume_connection(request->connection);
    lock_take(&server->lock);
    server->suspended--;
    if (server->suspended == 0)
        condition_wake_all(&server->quiet);
    lock_drop(&server->lock);
}

static void answer_stopping(struct request *request) {
    struct error err = {0};
    error_set(&err, ERROR_OVERLOADED, "Service Unavailable: the server is stopping");
    http_answer_error(request, &err);
}

/* False when the server stops: libmicrohttpd may not be ended with a connection suspended, so
 * whoever is counted is waited for, and after that nobody comes in. */
static bool suspend_count_in(struct server *server) {
    lock_take(&server->lock);
    const bool open = !server->closed;
    server->suspended += open;
    lock_drop(&server->lock);
    return open;
}

void http_run(struct request *request, const struct brisk_request *run) {
    struct server *server = request->server;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const int fd = info == NULL ? -1 : info->connect_fd;
    if (!suspend_count_in(server)) {
        answer_stopping(request);
        return;
    }
    request->handed_over = true;
    MHD_suspend_connection(request->connection);
    watch_begin(server->watch, &request->watched, fd, server->brisk, run, run_done, request);
}

static enum MHD_Result send_answer(struct request *request) {
    struct server *server = request->server;
    const size_t row =
        request->route == NULL ? routes_count() : (size_t)(request->route - routes_at(0));
    const size_t class = (size_t)request->status / 100 % STATUS_CLASSES;
    atomic_fetch_add_explicit(&server->answers[row * STATUS_CLASSES + class], 1,
                              memory_order_relaxed);
    const enum MHD_Result sent =
        MHD_queue_response(request->connection, (unsigned)request->status, request->response);
    MHD_destroy_response(request->response);
    request->response = NULL;
    return sent;
}

/* ---- requests ---- */

static void error_answer(struct request *request, enum error_code code, const char *text) {
    struct error err = {0};
    error_set(&err, code, "%s", text);
    http_answer_error(request, &err);
}

static void answer_options(struct request *request) {
    answer(request, 204, NULL, "", 0);
    header(request->response, "Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS");
    const char *wanted = http_header(request, "Access-Control-Request-Headers");
    header(request->response, "Access-Control-Allow-Headers",
           wanted == NULL ? "authorization, content-type, x-use-cache, x-wait-for-model" : wanted);
    header(request->response, "Access-Control-Max-Age", "86400");
}

static void answer_method(struct request *request) {
    char allow[64] = "OPTIONS";
    for (unsigned i = 0; i < METHOD_OTHER; i++) {
        if ((request->allowed & 1u << i) != 0) {
            const size_t n = strlen(allow);
            snprintf(allow + n, sizeof(allow) - n, ", %s%s", method_name((enum method)i),
                     i == METHOD_GET ? ", HEAD" : "");
        }
    }
    error_answer(request, ERROR_METHOD, "Method Not Allowed");
    header(request->response, "Allow", allow);
}

/* From now on a stop waits until the answer is sent. */
static void count_in(struct request *request) {
    struct server *server = request->server;
    request->begun = true;
    lock_take(&server->lock);
    server->answering++;
    lock_drop(&server->lock);
}

/* Everything of the request is there. */
static void begin(struct request *request) {
    count_in(request);
    if (request->is_options)
        answer_options(request);
    else if (request->bad_path)
        error_answer(request, ERROR_INPUT, "the path is not valid: broken %-escape or UTF-8");
    else if (request->route == NULL && request->allowed != 0)
        answer_method(request);
    else if (request->route == NULL)
        error_answer(request, ERROR_NOT_FOUND, "Not Found: no such route");
    else if (request->body.overflow)
        error_answer(request, ERROR_TOO_LARGE, "the request body is too large");
    else
        request->route->handler(request);
}

static bool is_printable(const char *text) {
    size_t n = 0;
    while (text[n] > ' ' && text[n] < 0x7f)
        n++;
    return n > 0 && n <= LIMIT_REQUEST_ID && text[n] == '\0';
}

static void name_request(struct request *request) {
    const char *given = http_header(request, "X-Request-Id");
    if (given == NULL || !is_printable(given))
        given = http_header(request, "x-amzn-trace-id");
    if (given != NULL && is_printable(given))
        snprintf(request->id, sizeof(request->id), "%s", given);
    else
        snprintf(request->id, sizeof(request->id), "%016llx",
                 (unsigned long long)atomic_fetch_add_explicit(
                     &request->server->next_id, 0x9e3779b97f4a7c15u, memory_order_relaxed));
}

static struct request *request_make(struct server *server, struct MHD_Connection *connection,
                                    const char *url, const char *verb) {
    struct request *request = mem_zalloc(1, sizeof(*request));
    request->server = server;
    request->connection = connection;
    buf_init(&request->body, LIMIT_BODY);
    name_request(request);
    char path[LIMIT_PATH + 1];
    request->is_options = strcmp(verb, "OPTIONS") == 0;
    request->bad_path = !path_decode(url, path, sizeof(path));
    if (!request->bad_path)
        request->route = routes_find(method_parse(verb), path, &request->words, &request->allowed);
    return request;
}

/* Too large a body is read and forgotten, so that the client sees the answer and not a closed
 * connection; but not without end. */
static enum MHD_Result take_body(struct request *request, const char *data, size_t *len) {
    if (request->route != NULL && !request->body.overflow) {
        buf_append(&request->body, data, *len);
    } else {
        request->discarded += *len;
        if (request->discarded > BODY_DISCARDED)
            return MHD_NO;
    }
    *len = 0;
    return MHD_YES;
}

/* A body that says of itself that it is beyond all measure need not be read. */
static bool announces_too_much(const struct request *request) {
    const char *text = http_header(request, "Content-Length");
    return text != NULL && strtoull(text, NULL, 10) > LIMIT_BODY + BODY_DISCARDED;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *verb, const char *version, const char *data,
                                  size_t *len, void **state) {
    struct request *request = *state;
    if (request == NULL) {
        request = request_make(user, connection, url, verb);
        *state = request;
        if (!announces_too_much(request))
            return MHD_YES;
        count_in(request);
        error_answer(request, ERROR_TOO_LARGE, "the request body is too large");
        return send_answer(request);
    }
    if (*len > 0)
        return take_body(request, data, len);
    if (!request->begun) {
        begin(request);
        if (request->handed_over) /* a worker may be writing the answer already */
            return MHD_YES;
    }
    return request->response == NULL ? MHD_YES : send_answer(request);
}

static void completed(void *user, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code) {
    struct request *request = *state;
    if (request == NULL)
        return;
    struct server *server = request->server;
    if (request->response != NULL)
        MHD_destroy_response(request->response);
    const bool begun = request->begun;
    buf_deinit(&request->body);
    mem_free(request);
    *state = NULL;
    if (!begun)
        return;
    lock_take(&server->lock);
    server->answering--;
    if (server->answering == 0)
        condition_wake_all(&server->quiet);
    lock_drop(&server->lock);
}

/* Paths are decoded by path_decode, which refuses what libmicrohttpd would let pass. */
static size_t keep_escapes(void *user, struct MHD_Connection *connection, char *text) {
    return strlen(text);
}

void http_write_metrics(const struct request *request, struct buf *buf) {
    const struct server *server = request->server;
    buf_puts(buf, "# HELP brisk_http_answers_total HTTP answers by route and class of status.\n"
                  "# TYPE brisk_http_answers_total counter\n");
    for (size_t row = 0; row <= routes_count(); row++) {
        const bool other = row == routes_count();
        for (size_t class = 0; class < STATUS_CLASSES; class ++) {
            const uint64_t n = atomic_load_explicit(&server->answers[row * STATUS_CLASSES + class],
                                                    memory_order_relaxed);
            if (n > 0)
                buf_printf(buf,
                           "brisk_http_answers_total{method=\"%s\",route=\"%s\",status=\"%zuxx\"} "
                           "%llu\n",
                           other ? "" : method_name(routes_at(row)->method),
                           other ? "" : routes_at(row)->path, class, (unsigned long long)n);
        }
    }
}

void server_write_routes(struct json_out *out) {
    json_open_array(out);
    for (size_t i = 0; i < routes_count(); i++) {
        json_open_object(out);
        json_key(out, "method");
        json_string(out, method_name(routes_at(i)->method));
        json_key(out, "path");
        json_string(out, routes_at(i)->path);
        json_key(out, "summary");
        json_string(out, routes_at(i)->summary);
        json_close_object(out);
    }
    json_close_array(out);
}

/* ---- starting and stopping ---- */

static enum status resolve(const char *host, uint16_t port, struct addrinfo **out,
                           struct error *err) {
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM};
    const int code = getaddrinfo(host, service, &hints, out);
    if (code != 0)
        return ERR(err, INPUT, "host \"%s\" is not an address: %s", host, gai_strerror(code));
    return STATUS_OK;
}

/* A listening socket of our own: libmicrohttpd does not say why it could not make one. */
static enum status listen_on(const char *host, uint16_t port, int *out, uint16_t *bound,
                             struct error *err) {
    struct addrinfo *address = NULL;
    if (resolve(host, port, &address, err) != STATUS_OK)
        return STATUS_ERROR;
    enum status status = STATUS_OK;
    const int on = 1;
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_storage actual;
    socklen_t size = sizeof(actual);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&actual, &size) != 0) {
        status = ERR(err, IO, "cannot listen on %s port %u: %m; is another server running there?",
                     host, port);
        if (fd >= 0)
            close(fd);
    } else {
        *out = fd;
        *bound = ntohs(actual.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&actual)->sin6_port
                                                    : ((struct sockaddr_in *)&actual)->sin_port);
    }
    freeaddrinfo(address);
    return status;
}

static void server_free(struct server *server) {
    watch_destroy(server->watch);
    condition_deinit(&server->quiet);
    lock_deinit(&server->lock);
    mem_free((void *)server->answers);
    mem_free(server);
}

static enum status start_daemon(struct server *server, const char *host, uint16_t port,
                                struct error *err) {
    int fd = -1;
    if (watch_create(&server->watch, err) != STATUS_OK ||
        listen_on(host, port, &fd, &server->port, err) != STATUS_OK)
        return STATUS_ERROR;
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNALLY | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)HTTP_THREADS,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)LIMIT_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)LIMIT_IDLE_SECONDS, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_END);
    if (server->daemon != NULL)
        return STATUS_OK;
    close(fd);
    return ERR(err, IO,
               "the HTTP server did not start: are there enough file descriptors "
               "(`ulimit -n`)?");
}

enum status server_start(struct server **out, const struct server_options *options,
                         struct error *err) {
    struct server *server = mem_zalloc(1, sizeof(*server));
    server->brisk = options->brisk;
    lock_init(&server->lock);
    condition_init(&server->quiet);
    server->answers = mem_zalloc((routes_count() + 1) * STATUS_CLASSES, sizeof(*server->answers));
    atomic_init(&server->next_id, random_seed_fresh());
    const char *host = options->host == NULL ? "127.0.0.1" : options->host;
    if (start_daemon(server, host, options->port, err) != STATUS_OK) {
        server_free(server);
        return STATUS_ERROR;
    }
    *out = server;
    return STATUS_OK;
}

uint16_t server_port(const struct server *server) {
    return server->port;
}

void server_stop(struct server *server, double patience_s) {
    atomic_store_explicit(&server->stopping, true, memory_order_relaxed);
    brisk_drain(server->brisk, 0); /* nothing new from here on, also not on kept connections */
    const int fd = MHD_quiesce_daemon(server->daemon);
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR); /* refuses from here on; its threads may hold it still */
    brisk_drain(server->brisk, patience_s);
    watch_cancel_all(server->watch);
    lock_take(&server->lock);
    server->closed = true;
    while (server->suspended > 0) /* ends within a step of the models */
        condition_wait(&server->quiet, &server->lock);
    const uint64_t until = clock_now_ns() + FLUSH_SECONDS * 1000000000ull;
    while (server->answering > 0 && clock_now_ns() < until)
        condition_wait_until(&server->quiet, &server->lock, until);
    lock_drop(&server->lock);
    MHD_stop_daemon(server->daemon);
    if (fd >= 0)
        close(fd);
    server_free(server);
}
