/* Where the larger arrays and objects of a text end, noted in one pass.
 *
 * Without it, going down into a value reads all of it once more at each level: a text of a few megabytes
 * nested a thousand deep would be read a thousand times. What is smaller than EXTENT_SIZE_MIN is read again,
 * at most once for each of the few levels that fit into it. */
#include "meaning.h"

#define EXTENT_SIZE_MIN 64u

static gn_span *span_at(const gn_buffer *spans, uint32_t index)
{
    return (gn_span *)(void *)spans->data + index;
}

/* Until it closes, an open value's size is the index of the one around it. */
static bool note_open(gn_buffer *spans, uint32_t at, uint32_t *open)
{
    const gn_span span = {.at = at & INT32_MAX, .size = *open};
    *open = (uint32_t)(spans->size / sizeof span);
    return gn_buffer_put(spans, &span, sizeof span);
}

static void note_close(gn_buffer *spans, uint32_t behind, uint32_t *open)
{
    const uint32_t index = *open;
    gn_span *span = span_at(spans, index);
    *open = span->size;
    span->size = behind - span->at;
    if (span->size < EXTENT_SIZE_MIN) {
        /* What lay inside was smaller still, and is forgotten already. */
        assert((index + 1) * sizeof *span == spans->size);
        spans->size -= sizeof *span;
    }
}

bool gn_extents_open(gn_arena *arena, gn_name text, gn_extents *extents)
{
    gn_buffer spans = {.arena = arena};
    const uint8_t *at = text.bytes, *end = text.bytes + text.size;
    uint32_t open = GN_NONE;
    while (at < end) {
        const uint8_t byte = *at++;
        if (byte == '"') {
            at = gn_skip_string(at, end);
        } else if (byte == '{' || byte == '[') {
            if (!note_open(&spans, (uint32_t)(at - 1 - text.bytes), &open)) {
                return false;
            }
        } else if (byte == '}' || byte == ']') {
            note_close(&spans, (uint32_t)(at - text.bytes), &open);
        }
    }
    assert(open == GN_NONE);
    *extents = (gn_extents){text.bytes, (uint32_t)(spans.size / sizeof(gn_span)), span_at(&spans, 0)};
    return true;
}

const uint8_t *gn_extents_skip(const gn_extents *extents, const uint8_t *at, const uint8_t *end)
{
    const uint32_t place = (uint32_t)(at - extents->text);
    uint32_t low = 0, high = *at == '{' || *at == '[' ? extents->count : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const gn_span *span = &extents->spans[middle];
        if (span->at == place) {
            return at + span->size;
        }
        if (span->at < place) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return gn_skip(at, end);
}
