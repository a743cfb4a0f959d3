/* Templates: any bytes, parsed and rendered over a chat with tools, must give a text or an error,
 * within the limits. */
#include "template/template.h"

#include "base/banned.h"

static const char variables_text[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \" S \"}, {\"role\": \"user\", "
    "\"content\": \"h\\u00e9 <think>x</think> y\"}, {\"role\": \"assistant\", \"content\": null, "
    "\"tool_calls\": [{\"id\": \"c1\", \"function\": {\"name\": \"f\", \"arguments\": {\"a\": "
    "1.5}}}]}, {\"role\": \"tool\", \"content\": [{\"type\": \"text\", \"text\": \"t\"}]}], "
    "\"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"f\", \"parameters\": {}}}], "
    "\"add_generation_prompt\": true, \"bos_token\": \"<s>\", \"x\": 5, \"f\": 2.5, \"l\": [3, 1, "
    "2], \"big\": 123456789012345678901234567890}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct template_options options = {.now_s = 1700000000};
    struct arena arena = {0};
    struct error err = {0};
    struct template *tmpl = NULL;
    const struct json *variables = NULL;
    struct buf out;
    buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
    if (json_parse(&variables, &arena, variables_text, sizeof(variables_text) - 1, JSON_STRICT,
                   &err) != STATUS_OK)
        PANIC("%s", err.text);
    if (template_parse(&tmpl, (const char *)data, size, &err) == STATUS_OK) {
        const enum status status = template_render(tmpl, &out, variables, &options, &err);
        if (status != STATUS_OK && err.text[0] == 0)
            PANIC("an error without a text");
    }
    template_destroy(tmpl);
    buf_deinit(&out);
    arena_deinit(&arena);
    return 0;
}
