/* The JSON part of the border: working memory, canonical forms, and one sentence for each status. */
#include "kernel.h"

gn_scratch *gn_scratch_open(uint64_t memory_max, uint64_t fail_at)
{
    gn_arena self;
    gn_arena_open(&self, sizeof(gn_scratch));
    gn_scratch *scratch = gn_alloc(&self, sizeof *scratch);
    if (scratch == NULL) {
        return NULL;
    }
    scratch->self = self;
    gn_arena_open(&scratch->arena, memory_max);
    scratch->arena.fail_at = fail_at;
    return scratch;
}

void gn_scratch_close(gn_scratch *scratch)
{
    if (scratch != NULL) {
        gn_arena self = scratch->self; /* the scratch lies in it */
        gn_arena_close(&scratch->arena);
        gn_arena_close(&self);
    }
}

/* The compact bytes as an exported file: pretty, with a final line feed. */
static int make_pretty(gn_buffer *compact, const uint8_t **out, uint64_t *out_size)
{
    gn_buffer pretty = {.arena = compact->arena};
    if (!gn_json_pretty(compact->data, compact->size, 0, &pretty) || !gn_buffer_put_byte(&pretty, '\n')) {
        return GN_NO_MEMORY;
    }
    *out = pretty.data;
    *out_size = pretty.size;
    return GN_OK;
}

int gn_canonical(gn_scratch *scratch, const uint8_t *text, uint64_t size, int pretty, uint32_t depth_max,
                 uint64_t size_max, const uint8_t **out, uint64_t *out_size, uint64_t *position)
{
    gn_arena_reset(&scratch->arena);
    gn_buffer compact = {.arena = &scratch->arena};
    int status = gn_json_compact(&scratch->arena, text, size, depth_max, size_max, &compact, position);
    if (status != GN_OK) {
        return status;
    }
    if (pretty != 0) {
        return make_pretty(&compact, out, out_size);
    }
    *out = compact.data;
    *out_size = compact.size;
    return GN_OK;
}

const char *gn_status_text(int status)
{
    static const char *const texts[GN_STATUS_COUNT] = {
        [GN_OK] = "all is well",
        [GN_NO_MEMORY] = "the memory bound is reached",
        [GN_JSON_ENDS_EARLY] = "the text ends inside a value",
        [GN_JSON_UNEXPECTED] = "a byte that cannot stand there",
        [GN_JSON_TRAILING] = "something follows the value",
        [GN_JSON_BYTE_ORDER_MARK] = "the text starts with a byte order mark",
        [GN_JSON_NOT_UTF8] = "bytes that are not UTF-8",
        [GN_JSON_LONE_SURROGATE] = "half of a surrogate pair",
        [GN_JSON_BAD_ESCAPE] = "an escape that JSON does not have",
        [GN_JSON_CONTROL] = "a raw control character in a string",
        [GN_JSON_DUPLICATE_KEY] = "an object names a key twice",
        [GN_JSON_NOT_FINITE] = "a number that is not finite",
        [GN_JSON_INTEGER_RANGE] = "an integer outside -2^63 .. 2^64-1",
        [GN_JSON_TOO_DEEP] = "more arrays and objects inside each other than allowed",
        [GN_JSON_TOO_LARGE] = "more bytes than allowed",
        [GN_NOT_CANONICAL] = "JSON, but not in the canonical compact form",
        [GN_PROGRAM_INVALID] = "the rules' program does not decode",
        [GN_DOCUMENT_UNKNOWN] = "no document of that number",
        [GN_ROW_INVALID] = "a row that cannot be loaded",
        [GN_DOCUMENT_NOT_OBJECT] = "the document is no object",
        [GN_DOCUMENT_NO_ROOT] = "the document's root is missing or no object",
        [GN_DOCUMENT_AT] = "a member @ under the document's root",
    };
    const char *text = status >= 0 && status < GN_STATUS_COUNT ? texts[status] : NULL;
    return text != NULL ? text : "a status that the kernel does not have";
}
