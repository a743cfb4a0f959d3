/* The server over real sockets on a free port: statuses and headers of each answer, clients that
 * leave, bodies that are too large or broken off, and the graceful stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/server.h"

#define CLASSIFIER "bert/text-classification"
#define WRITER     "gpt2/text-generation"

static struct brisk *brisk;
static struct server *server;

static int start(void **state) {
    struct error err = {0};
    char error[LIMIT_ERROR_TEXT];
    const char *const folders[] = {"tests/golden", NULL};
    const struct brisk_options options = {
        .model_folders = folders, .precision = "fp32", .threads = 2, .only_repositories = true};
    log_set_level(LOG_ERROR);
    if (brisk_create(&brisk, &options, error, sizeof(error)) != 0)
        return -1;
    return server_start(&server, &(struct server_options){.brisk = brisk}, &err) == STATUS_OK ? 0
                                                                                              : -1;
}

static int stop(void **state) {
    if (server != NULL)
        server_stop(server, 10);
    server = NULL;
    brisk_destroy(brisk);
    brisk = NULL;
    return 0;
}

static int dial(void) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons(server_port(server)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static bool send_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        const ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static void send_request(int fd, const char *verb, const char *path, const char *headers,
                         const char *body, size_t len) {
    struct buf head;
    buf_init(&head, 64 * KiB);
    buf_printf(&head, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s\r\n", verb, path, len,
               headers);
    send_all(fd, head.data, head.len);
    send_all(fd, body, len);
    buf_deinit(&head);
}

struct reply {
    int status;
    struct buf text; /* head and body */
    const char *body;
};

/* Reads one answer with a Content-Length (or none of it: HEAD and 204). */
static void read_reply(int fd, struct reply *reply, bool has_body) {
    *reply = (struct reply){0};
    buf_init(&reply->text, 64 * MiB);
    const char *end = NULL;
    size_t want = SIZE_MAX;
    while (reply->text.len < want) {
        char block[4096];
        const ssize_t n = recv(fd, block, sizeof(block), 0);
        if (n <= 0)
            break;
        buf_append(&reply->text, block, (size_t)n);
        end = strstr(reply->text.data, "\r\n\r\n");
        if (end != NULL && want == SIZE_MAX) {
            const char *length = strcasestr(reply->text.data, "content-length:");
            want = (size_t)(end - reply->text.data) + 4 +
                   (has_body && length != NULL ? strtoul(length + 15, NULL, 10) : 0);
        }
    }
    if (end == NULL)
        return;
    reply->status = (int)strtol(reply->text.data + 9, NULL, 10);
    reply->body = strstr(reply->text.data, "\r\n\r\n") + 4;
}

static struct reply talk(const char *verb, const char *path, const char *headers,
                         const char *body) {
    struct reply reply;
    const int fd = dial();
    send_request(fd, verb, path, headers, body, strlen(body));
    read_reply(fd, &reply, strcmp(verb, "HEAD") != 0);
    close(fd);
    return reply;
}

static double metric(const char *name) {
    struct reply reply = talk("GET", "/metrics", "", "");
    const char *at = strstr(reply.text.data, name);
    if (at == NULL)
        fail_msg("no %s", name);
    const double value = strtod(at + strlen(name), NULL);
    buf_deinit(&reply.text);
    return value;
}

/* ---- answers ---- */

static void answers(void **state) {
    static const struct {
        const char *verb, *path, *headers, *body;
        int status;
        const char *parts[3]; /* of head and body */
    } rows[] = {
        {"GET", "/health", "", "", 200, {"{\"status\":\"ok\"}"}},
        {"HEAD", "/health", "", "", 200, {"Content-Length: 15"}},
        {"GET", "/metrics", "", "", 200, {"brisk_requests_total{outcome=\"ok\"}", "text/plain"}},
        {"POST",
         "/models/" CLASSIFIER,
         "Authorization: Bearer hf_x\r\n",
         "{\"inputs\":\"a\"}",
         200,
         {"Content-Type: application/json\r\n", "x-compute-type: cpu\r\n", "[[{\"label\":"}},
        {"POST",
         "/models/bert%2Ftext-classification",
         "X-Request-Id: abc-1\r\n",
         "{\"inputs\":\"b\"}",
         200,
         {"x-request-id: abc-1\r\n", "x-compute-characters: 1\r\n"}},
        {"POST",
         "/models/" CLASSIFIER,
         "x-amzn-trace-id: t-2\r\n",
         "{\"inputs\":\"c\"}",
         200,
         {"x-request-id: t-2\r\n", "x-compute-time: 0."}},
        {"POST",
         "/models/" CLASSIFIER,
         "",
         "{\"inputs\":\"a\"}",
         200,
         {"x-compute-type: cache\r\n"}},
        {"POST",
         "/models/" CLASSIFIER,
         "x-use-cache: false\r\n",
         "{\"inputs\":\"a\"}",
         200,
         {"x-compute-type: cpu\r\n"}},
        {"POST",
         "/pipeline/sentiment-analysis/" CLASSIFIER,
         "",
         "{\"inputs\":\"a\"}",
         200,
         {"label"}},
        {"POST",
         "/models/" CLASSIFIER "/pipeline/text-classification",
         "",
         "{\"inputs\":[\"a\",\"b\"]}",
         200,
         {"],["}},
        {"POST", "/models/" CLASSIFIER, "", "{\"inputs\":", 400, {"{\"error\":\"invalid JSON"}},
        {"POST", "/models/" CLASSIFIER, "", "", 400, {"empty"}},
        {"POST", "/models/" CLASSIFIER, "", "{\"inputs\":\"\xFF\"}", 400, {"UTF-8"}},
        {"POST",
         "/models/no/such",
         "",
         "{\"inputs\":\"a\"}",
         404,
         {"{\"error\":\"Model no/such does not exist\"}"}},
        {"POST", "/models/..%2Fgolden", "", "{\"inputs\":\"a\"}", 404, {"does not exist"}},
        {"POST", "/models/%2Fetc", "", "{\"inputs\":\"a\"}", 404, {"Not Found"}},
        {"POST", "/models/a%00b", "", "{}", 400, {"path"}},
        {"GET", "/nothing", "", "", 404, {"Not Found"}},
        {"PUT",
         "/models/" CLASSIFIER,
         "",
         "",
         405,
         {"Allow: OPTIONS, GET, HEAD, POST\r\n", "Method Not Allowed"}},
        {"OPTIONS",
         "/models/x",
         "Access-Control-Request-Headers: a, b\r\n",
         "",
         204,
         {"Access-Control-Allow-Origin: *\r\n", "Access-Control-Allow-Headers: a, b\r\n"}},
        {"GET", "/status/" CLASSIFIER, "", "", 200, {"\"state\":\"Loaded\""}},
        {"GET", "/models/" CLASSIFIER, "", "", 200, {"\"family\":\"bert\""}},
        {"GET", "/status/no/such", "", "", 404, {"Model no/such does not exist"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reply reply = talk(rows[i].verb, rows[i].path, rows[i].headers, rows[i].body);
        for (size_t p = 0; p < ARRAY_LEN(rows[i].parts) && rows[i].parts[p] != NULL; p++) {
            if (reply.status != rows[i].status || strstr(reply.text.data, rows[i].parts[p]) == NULL)
                fail_msg("%s %s %s: wanted %d with \"%s\", got %s", rows[i].verb, rows[i].path,
                         rows[i].body, rows[i].status, rows[i].parts[p], reply.text.data);
        }
        buf_deinit(&reply.text);
    }
}

static void one_connection_many_requests(void **state) {
    const int fd = dial();
    for (int i = 0; i < 50; i++) {
        struct reply reply;
        char body[64];
        const int len = snprintf(body, sizeof(body), "{\"inputs\":\"text %d\"}", i);
        send_request(fd, "POST", "/models/" CLASSIFIER, "", body, (size_t)len);
        read_reply(fd, &reply, true);
        assert_int_equal(reply.status, 200);
        buf_deinit(&reply.text);
    }
    close(fd);
}

static void too_large_a_body_is_told(void **state) {
    const size_t len = LIMIT_BODY + 1;
    char *body = mem_zalloc(1, len);
    memset(body, ' ', len);
    const int fd = dial();
    struct reply reply;
    send_request(fd, "POST", "/models/" CLASSIFIER, "", body, len);
    read_reply(fd, &reply, true);
    assert_int_equal(reply.status, 413);
    buf_deinit(&reply.text);
    close(fd);
    const int other = dial(); /* one that only says that it will be enormous */
    static const char head[] = "POST /models/x HTTP/1.1\r\nHost: x\r\nContent-Length: "
                               "99999999999\r\n\r\n";
    send_all(other, head, sizeof(head) - 1);
    read_reply(other, &reply, true);
    assert_int_equal(reply.status, 413);
    buf_deinit(&reply.text);
    close(other);
    mem_free(body);
}

/* ---- clients that leave ---- */

static void long_body(struct buf *buf) {
    buf_init(buf, LIMIT_BODY);
    buf_puts(buf, "{\"parameters\":{\"max_new_tokens\":20,\"min_new_tokens\":20},\"inputs\":[");
    for (int i = 0; i < LIMIT_INPUTS; i++)
        buf_puts(buf, i == 0 ? "\"The one\"" : ",\"The one\"");
    buf_puts(buf, "]}");
}

static void work_of_who_left_ends(void **state) {
    struct buf body;
    long_body(&body);
    for (int i = 0; i < 8; i++) {
        const int fd = dial();
        send_request(fd, "POST", "/models/" WRITER, "x-use-cache: 0\r\n", body.data, body.len);
        close(fd); /* at once: also while the request is still on its way in */
    }
    /* One that stays is answered after those before it were dropped. */
    struct reply reply = talk("POST", "/models/" WRITER, "",
                              "{\"inputs\":\"The\",\"parameters\":{\"max_new_tokens\":2}}");
    assert_int_equal(reply.status, 200);
    buf_deinit(&reply.text);
    while (metric("\nbrisk_queued_items ") > 0 || metric("\nbrisk_requests_active ") > 0)
        continue; /* each look is a request; the work is dropped within a step */
    assert_true(metric("brisk_requests_total{outcome=\"cancelled\"} ") > 0);
    buf_deinit(&body);
}

static void broken_off_requests_harm_nobody(void **state) {
    static const char *const parts[] = {
        "",
        "GET",
        "GET / HTTP/1.1\r\n",
        "POST /models/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9",
        "POST /models/x HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n{\"inp",
        "\r\n\r\n\r\n",
        "NONSENSE\r\n\r\n",
        "GET /\xFF HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const int fd = dial();
        send_all(fd, parts[i], strlen(parts[i]));
        close(fd);
    }
    struct reply reply = talk("GET", "/health", "", "");
    assert_int_equal(reply.status, 200);
    buf_deinit(&reply.text);
}

/* ---- stopping ---- */

static void stop_lets_running_requests_finish(void **state) {
    enum { CLIENTS = 8 };
    int fds[CLIENTS];
    static const char body[] = "{\"inputs\":[\"The one\",\"A\"],\"parameters\":{\"max_new_tokens\":"
                               "20}}";
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial();
        send_request(fds[i], "POST", "/models/" WRITER, "x-use-cache: 0\r\n", body,
                     sizeof(body) - 1);
    }
    server_stop(server, 30);
    server = NULL;
    for (int i = 0; i < CLIENTS; i++) {
        struct reply reply;
        read_reply(fds[i], &reply, true);
        /* Answered; or told that it came too late; or never taken from the socket. */
        assert_true(reply.status == 200 || reply.status == 503 || reply.status == 0);
        buf_deinit(&reply.text);
        close(fds[i]);
    }
}

static void stop_cancels_what_takes_too_long(void **state) {
    struct buf body;
    struct reply reply;
    long_body(&body);
    const int fd = dial();
    send_request(fd, "POST", "/models/" WRITER, "x-use-cache: 0\r\n", body.data, body.len);
    while (metric("\nbrisk_requests_active ") == 0)
        continue; /* until it is taken */
    server_stop(server, 0.001);
    server = NULL;
    read_reply(fd, &reply, true);
    assert_int_equal(reply.status, 499);
    buf_deinit(&reply.text);
    buf_deinit(&body);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, start, stop),
        cmocka_unit_test_setup_teardown(one_connection_many_requests, start, stop),
        cmocka_unit_test_setup_teardown(too_large_a_body_is_told, start, stop),
        cmocka_unit_test_setup_teardown(work_of_who_left_ends, start, stop),
        cmocka_unit_test_setup_teardown(broken_off_requests_harm_nobody, start, stop),
        cmocka_unit_test_setup_teardown(stop_lets_running_requests_finish, start, stop),
        cmocka_unit_test_setup_teardown(stop_cancels_what_takes_too_long, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
