/* The table of routes and finding a path in it. Private to server; knows no HTTP but for the names
 * of methods. */
#ifndef BRISK_SERVER_ROUTES_H
#define BRISK_SERVER_ROUTES_H

#include "base/base.h"

struct request;

#define METHODS(METHOD) METHOD(GET) METHOD(POST)
enum method {
#define METHOD(name) METHOD_##name,
    METHODS(METHOD)
#undef METHOD
        METHOD_OTHER,
};
enum method method_parse(const char *text); /* HEAD counts as GET */
const char *method_name(enum method method);

#define ROUTE(method, path, handler, summary) void route_##handler(struct request *request);
#include "server/routes.inc"
#undef ROUTE

struct route {
    enum method method;
    const char *path, *summary;
    void (*handler)(struct request *request);
};
size_t routes_count(void);
const struct route *routes_at(size_t i);

/* What the braces of a path stand for. */
struct route_words {
    char id[LIMIT_MODEL_ID + 1];
    char task[LIMIT_TASK_NAME + 1];
};

/* The route of a path (decoded, without query); NULL with *allowed == 0: no such path; NULL
 * otherwise: the path has routes for the methods in *allowed (bits 1 << method) only. */
const struct route *routes_find(enum method method, const char *path, struct route_words *words,
                                unsigned *allowed);

/* %XX decoded; false: a broken escape, a zero, or not UTF-8. out holds size bytes. */
bool path_decode(const char *path, char *out, size_t size);

#endif
