/* What of the Inference API's dialect can be tested by itself. Private to server; the handlers are
 * named in routes.inc. */
#ifndef BRISK_SERVER_API_HF_H
#define BRISK_SERVER_API_HF_H

#include <stdbool.h>

/* Whether this client reads the newer form of zero-shot answers; user_agent may be NULL. */
bool hf_wants_zero_shot_list(const char *user_agent);
/* Whether the value of a header says yes; NULL: no. */
bool hf_header_is_on(const char *value);

#endif
