/* The dialect of the Inference API: models run on their own task or a named one, and are asked
 * about. Options come from headers or the body, which the runtime reads. Reference, sections 1 to 4
 * and 9. */
#include "server/api/hf.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/http.h"
#include "base/banned.h"

/* True for "true", "1", "yes", "on". */
bool hf_header_is_on(const char *value) {
    static const char *const on[] = {"true", "1", "yes", "on"};
    for (size_t i = 0; value != NULL && i < ARRAY_LEN(on); i++) {
        if (strcasecmp(value, on[i]) == 0)
            return true;
    }
    return false;
}

/* Since hf_hub 1.1.5 the Python client reads zero-shot answers as a list (reference, section 9). */
bool hf_wants_zero_shot_list(const char *user_agent) {
    const char *at = user_agent == NULL ? NULL : strstr(user_agent, "hf_hub/");
    int major = 0, minor = 0, patch = 0;
    if (at == NULL || sscanf(at, "hf_hub/%4d.%4d.%4d", &major, &minor, &patch) < 2)
        return false;
    if (major != 1)
        return major > 1;
    return minor > 1 || (minor == 1 && patch >= 5);
}

static bool known_id(struct request *request) {
    if (repos_id_valid(request->words.id))
        return true;
    struct error err = {0};
    error_set(&err, ERROR_NOT_FOUND, "Model %s does not exist", request->words.id);
    http_answer_error(request, &err);
    return false;
}

static void run(struct request *request, const char *task) {
    if (!known_id(request))
        return;
    const char *use_cache = http_header(request, "x-use-cache");
    const struct brisk_request run = {
        .model = request->words.id,
        .task = task,
        .body = request->body.data == NULL ? "" : request->body.data,
        .body_len = request->body.len,
        .wait_for_model = hf_header_is_on(http_header(request, "x-wait-for-model")),
        .no_cache = use_cache != NULL && !hf_header_is_on(use_cache),
        .zero_shot_list = hf_wants_zero_shot_list(http_header(request, "User-Agent")),
    };
    http_run(request, &run);
}

void route_run_model(struct request *request) {
    run(request, NULL);
}

void route_run_task(struct request *request) {
    run(request, request->words.task);
}

void route_model_info(struct request *request) {
    if (!known_id(request))
        return;
    struct brisk_answer answer = {0};
    brisk_model_info(http_brisk(request), request->words.id, &answer);
    http_answer_brisk(request, &answer);
}

void route_model_status(struct request *request) {
    if (!known_id(request))
        return;
    struct brisk_answer answer = {0};
    brisk_model_status(http_brisk(request), request->words.id, &answer);
    http_answer_brisk(request, &answer);
}
