/* Private to base: what the JSON reader needs of the tree's lookup side (json_tree.c). What others
 * need of it is in json.h. */
#ifndef BRISK_BASE_JSON_TREE_H
#define BRISK_BASE_JSON_TREE_H

#include "base/json.h"

/* Makes `object` of members[n], which lie in the arena and may be moved: drops duplicates (the
 * first one's place, the last one's value) and builds the hash index where there are many. */
void json_object_finish(struct json *object, struct json_member *members, uint32_t n,
                        struct arena *arena);

#endif
