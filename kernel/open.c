/* An entity's object opened: its text cut along the document's slots; see entity.h for what comes of it.
 *
 * The text was written or checked by this kernel, so it is stepped over without being checked: each member once, up to
 * the last slot. What stands behind that is not read. */
#include "state.h"

/* ---- members ---- */

/* Behind the string that goes on at `at`. A quote ends it unless a backslash stands before: a slower look decides. */
static inline const uint8_t *string_end(const uint8_t *at, const uint8_t *end)
{
    for (const uint8_t *from = at; end - from >= 32; from += 32) {
        const uint32_t quotes = gn_find_in_32(from, '"');
        if (quotes != 0) {
            const uint8_t *quote = from + __builtin_ctz(quotes);
            return quote[-1] == '\\' ? gn_skip_string(at, end) : quote + 1;
        }
    }
    return gn_skip_string(at, end);
}

/* Behind a member's value: a string, a short scalar, which ends where the first comma or brace is, or any other. */
static inline const uint8_t *value_end(const uint8_t *at, const uint8_t *end)
{
    if (*at == '"') {
        return string_end(at + 1, end);
    }
    const bool is_scalar = *at != '{' && *at != '[';
    const uint32_t ends = is_scalar && end - at >= 16 ? gn_either_in_16(at, ',', '}') : 0;
    return ends != 0 ? at + __builtin_ctz(ends) : gn_skip(at, end);
}

/* How far an object's members are cut: where the next begins, and behind the last of those that no slot takes. */
typedef struct cut {
    const uint8_t *at;
    const uint8_t *run_to;
} cut;

/* Step over members whose keys' first 8 bytes come before those of a slot: nearly all that are no slot's. It stops at a
 * key that holds an escape or is not short as well. */
static inline cut skip_before(cut now, const uint8_t *end, uint64_t slot_prefix)
{
    while (end - now.at >= 32) {
        const uint8_t *const key = now.at + 1;
        const uint32_t marks = gn_either_in_16(key, '"', '\\');
        const uint32_t size = (uint32_t)__builtin_ctz(marks | 1u << 16);
        const uint64_t word = __builtin_bswap64(gn_word_at(key));
        const uint64_t prefix = size < 8 ? word & ~(UINT64_MAX >> 8 * size) : word;
        if (key[size] != '"' || prefix >= slot_prefix) {
            break;
        }
        now.run_to = value_end(key + size + 2, end);
        now.at = now.run_to + (now.run_to < end);
    }
    return now;
}

/* ---- cells ---- */

gn_cell gn_cell_of(gn_name text)
{
    gn_int128 number;
    int64_t second;
    assert(text.size > 0);
    if (text.bytes[0] == '"') {
        if (gn_second_pack(text, &second)) {
            return (gn_cell){.as.integer = second, .kind = GN_SECOND};
        }
    } else if (text.bytes[0] <= '9' && text.size <= 18 && gn_integer_parse(text, &number)) {
        return (gn_cell){.as.integer = (int64_t)number, .kind = GN_INTEGER};
    }
    return (gn_cell){.as.text = text.bytes, .size = text.size, .kind = GN_TEXT};
}

static gn_cell run_cell(const uint8_t *from, const uint8_t *to)
{
    return (gn_cell){.as.text = from, .size = (uint32_t)(to - from), .kind = GN_TEXT};
}

/* Order of a slot's name and the key of the member at `at`; *value is behind its colon. */
static inline int slot_order(const gn_document *document, uint32_t slot, const uint8_t *at, const uint8_t *end,
                             const uint8_t **value)
{
    const gn_name text = document->slot_texts[slot];
    if ((size_t)(end - at) >= text.size && gn_same_bytes(at, text.bytes, text.size)) {
        *value = at + text.size;
        return 0;
    }
    *value = string_end(at + 1, end) + 1;
    return gn_name_key_compare(document->slots.names[slot], (gn_name){at + 1, (uint32_t)(*value - at) - 3});
}

/* Cut the members from `at` to `end` into the object's cells. */
static void cut_members(const gn_document *document, gn_object *object, const uint8_t *at, const uint8_t *end)
{
    const uint32_t count = object->slot_count;
    const uint8_t *run_from = at;
    cut now = {at, at};
    uint32_t next = 0;
    while (next < count) {
        now = skip_before(now, end, document->slot_prefixes[next]);
        if (now.at >= end) {
            break;
        }
        const uint8_t *value;
        const int order = slot_order(document, next, now.at, end, &value);
        const uint8_t *const behind = value_end(value, end);
        if (order > 0) {
            now = (cut){behind + (behind < end), behind};
            continue;
        }
        *gn_object_run(object, next) = run_cell(run_from, now.run_to);
        gn_cell *const slot = gn_object_slot(object, next++);
        if (order == 0) {
            *slot = gn_cell_of((gn_name){value, (uint32_t)(behind - value)});
            now.at = behind + (behind < end);
        } else {
            *slot = (gn_cell){.kind = GN_ABSENT};
        }
        run_from = now.run_to = now.at;
    }
    for (; next < count; next++) {
        *gn_object_slot(object, next) = (gn_cell){.kind = GN_ABSENT};
        *gn_object_run(object, next) = run_cell(run_from, now.run_to);
        run_from = now.run_to = now.at;
    }
    *gn_object_run(object, count) = run_cell(run_from, end);
}

/* ---- entities ---- */

/* Unpack an entity's body, for good. */
static bool unpack_body(gn_fold *fold, const gn_document *document, gn_entity *entity)
{
    gn_buffer buffer = {.arena = &fold->event};
    gn_name text;
    uint8_t *bytes = NULL;
    if (gn_cell_text(document, &entity->body, &buffer, &text)) {
        bytes = gn_alloc_bytes(&fold->state, text.size);
    }
    if (bytes == NULL) {
        return false;
    }
    memcpy(bytes, text.bytes, text.size);
    entity->body = (gn_cell){.as.text = bytes, .size = text.size, .kind = GN_TEXT};
    return true;
}

bool gn_object_open(gn_fold *fold, gn_entity *entity)
{
    const gn_document *document = &fold->program.documents[entity->document];
    const uint32_t count = document->slots.count;
    if (entity->body.kind == GN_PACKED && !unpack_body(fold, document, entity)) {
        return false;
    }
    const gn_cell body = entity->body;
    assert(body.kind == GN_TEXT && body.as.text[0] == '{');
    gn_object *object = count == 0 || entity->has_object ? gn_alloc(&fold->state, gn_object_size(count))
                                                         : gn_entity_object(entity);
    if (object == NULL) {
        return false;
    }
    *object = (gn_object){.slot_count = count};
    cut_members(document, object, body.as.text + 1, body.as.text + body.size - 1);
    /* Opening changes no meaning, so it needs no undo; an older body restored by one is simply opened again. */
    entity->has_object = 1;
    entity->body = (gn_cell){.as.object = object, .kind = GN_OPEN};
    return true;
}
