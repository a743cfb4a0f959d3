/* brisk serve: the runtime and the HTTP server until SIGTERM or SIGINT, then a graceful stop. It
 * serves nothing itself. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "server/server.h"
#include "base/banned.h"

/* Seconds that running requests may take when the server is told to stop. */
#define STOP_PATIENCE_S 30.0

struct serve_flags {
    struct model_flags model;
    struct cache_flags cache;
    const char *host, *data_dir, *upstream, *config, *speculate, *reuse;
    uint32_t port;
    double load_wait_s;
    bool no_auth, speculates, reuses;
};

/* Among them what the design has and this version has not: told, not passed over. */
static int check_flags(struct serve_flags *flags) {
    const int code = error_exit_code(ERROR_INPUT);
    if (flags->port > 65535)
        return command_error("serve", code, "--port is %u, must be at most 65535", flags->port);
    if (flags->upstream != NULL)
        return command_error("serve", code, "--upstream is not supported yet: give --models");
    if (flags->config != NULL)
        return command_error("serve", code, "--config is not supported yet: give the options here");
    if (flags->data_dir != NULL && !folder_exists(flags->data_dir))
        return command_error("serve", code, "--data-dir \"%s\" is not a folder", flags->data_dir);
    if (option_switch("serve", "--speculate", flags->speculate, &flags->speculates) != 0)
        return code;
    return option_switch("serve", "--prefix-reuse", flags->reuse, &flags->reuses);
}

/* An IPv6 address stands in brackets in a URL. */
static void announce(const char *host, uint16_t port) {
    const bool brackets = strchr(host, ':') != NULL;
    printf("listening on http://%s%s%s:%u\n", brackets ? "[" : "", host, brackets ? "]" : "", port);
    fflush(stdout);
}

static int serve(struct brisk *brisk, const struct serve_flags *flags, const sigset_t *stop) {
    struct server *server = NULL;
    struct error err = {0};
    const char *host = flags->host == NULL ? "127.0.0.1" : flags->host;
    const struct server_options options = {
        .brisk = brisk, .host = host, .port = (uint16_t)flags->port};
    if (server_start(&server, &options, &err) != STATUS_OK)
        return command_error("serve", error_exit_code(err.code), "%s", err.text);
    announce(host, server_port(server));
    int signal = 0;
    sigwait(stop, &signal);
    log_info("%s: stopping", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    server_stop(server, STOP_PATIENCE_S);
    return 0;
}

static int serve_with(const struct serve_flags *flags) {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL); /* before any thread starts: all inherit it */
    signal(SIGPIPE, SIG_IGN);
    struct arena arena = {0};
    const struct brisk_options options = {
        .model_folders = flags->model.folders.texts,
        .precision = flags->model.precision,
        .threads = flags->model.threads,
        .memory_bytes = flags->model.memory_bytes,
        .load_wait_s = flags->load_wait_s,
        .only_repositories = true,
        .cache_folder = cache_folder(&flags->cache, flags->data_dir, &arena),
        .cache_bytes = flags->cache.bytes,
        .no_speculation = !flags->speculates,
        .no_prefix_reuse = !flags->reuses,
    };
    char error[LIMIT_ERROR_TEXT];
    struct brisk *brisk = NULL;
    int code = brisk_create(&brisk, &options, error, sizeof(error));
    arena_deinit(&arena);
    if (code != 0)
        return command_error("serve", code, "%s", error);
    code = serve(brisk, flags, &stop);
    brisk_destroy(brisk);
    return code;
}

int command_serve(int argc, char **argv) {
    struct serve_flags flags = {.port = 8080, .speculates = true, .reuses = true};
    const struct option options[] = {
        {"--host", "ADDRESS", "address to listen on (127.0.0.1)", OPTION_TEXT, &flags.host},
        {"--port", "N", "port; 0 takes a free one (8080)", OPTION_COUNT, &flags.port},
        MODEL_OPTIONS(flags.model),
        CACHE_OPTIONS(flags.cache),
        {"--data-dir", "DIR", "where accounts and uploads will live; now only packed weights",
         OPTION_TEXT, &flags.data_dir},
        {"--no-auth", NULL, "every request may do everything, as it may in this version anyway",
         OPTION_FLAG, &flags.no_auth},
        {"--load-wait", "S", "seconds to hold a request for a cold model (30)", OPTION_SECONDS,
         &flags.load_wait_s},
        {"--speculate", "on|off",
         "greedy texts that repeat themselves come several tokens at a time, the same ones (on)",
         OPTION_TEXT, &flags.speculate},
        {"--prefix-reuse", "on|off",
         "a prompt that begins as an earlier text did is read from where they part (on)",
         OPTION_TEXT, &flags.reuse},
        {"--upstream", "URL", "not supported yet", OPTION_TEXT, &flags.upstream},
        {"--config", "FILE", "not supported yet", OPTION_TEXT, &flags.config},
    };
    const struct usage usage = {
        .command = "serve",
        .arguments = "--models DIR",
        .text =
            "Serves the models under --models over HTTP, each loaded when it is first asked for.\n"
            "SIGTERM and SIGINT let running requests finish and end it with exit code 0.\n\n"
            "  brisk serve --models ~/models --port 8080\n"
            "  curl http://127.0.0.1:8080/models/org/name -d '{\"inputs\": \"Hello\"}'",
        .options = options,
        .n_options = ARRAY_LEN(options),
    };
    struct words words;
    int code = 0;
    if (!options_parse(&usage, argc, argv, &words, &code))
        return code;
    code = check_flags(&flags);
    return code == 0 ? serve_with(&flags) : code;
}
