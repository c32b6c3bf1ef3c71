/* The operations, one by one, and which of them an entity admits.
 *
 * An operation answers with a status (memory) and a reason. With a reason nothing has changed. */
#include "apply.h"

/* ---- on one place ---- */

static int apply_inc(gn_fold *fold, const gn_path *path, gn_target *at, gn_name value, uint32_t *reason)
{
    gn_int128 step, current = 0;
    gn_name text;
    uint8_t digits[24];
    if (!gn_integer_parse(value, &step)) {
        *reason = GN_WRONG_TYPE;
        return GN_OK;
    }
    if (at->is_cell && at->cell != NULL && at->cell->kind == GN_INTEGER) {
        current = at->cell->as.integer;
    } else if (!gn_current_text(fold, at, &text)) {
        return GN_NO_MEMORY;
    } else if (text.size > 0 && !gn_integer_parse(text, &current)) {
        *reason = GN_WRONG_TYPE;
        return GN_OK;
    }
    current += step;
    if (!gn_integer_fits(current)) {
        *reason = GN_WRONG_TYPE;
        return GN_OK;
    }
    if (at->is_cell && at->cell != NULL && current <= INT64_MAX) {
        return gn_put_number(fold, at, GN_INTEGER, (int64_t)current);
    }
    return gn_put(fold, path, at, (gn_name){digits, gn_integer_format(current, digits)});
}

static int apply_extreme(gn_fold *fold, const gn_path *path, gn_target *at, gn_name value, bool is_max,
                         uint32_t *reason)
{
    gn_name text;
    bool wins;
    int64_t second;
    if (at->is_cell && at->cell != NULL && at->cell->kind == GN_SECOND && gn_second_pack(value, &second)) {
        wins = is_max ? second > at->cell->as.integer : second < at->cell->as.integer;
        return wins ? gn_put_number(fold, at, GN_SECOND, second) : GN_OK;
    }
    if (!gn_current_text(fold, at, &text)) {
        return GN_NO_MEMORY;
    }
    if (!gn_extreme(value, text, is_max, &wins)) {
        *reason = GN_WRONG_TYPE;
        return GN_OK;
    }
    return wins ? gn_put(fold, path, at, value) : GN_OK;
}

bool gn_next_element(const uint8_t **at, const uint8_t *end, gn_name *element)
{
    if (*at >= end || **at == ']') {
        return false;
    }
    const uint8_t *behind = gn_skip(*at, end);
    *element = (gn_name){*at, (uint32_t)(behind - *at)};
    *at = behind < end && *behind == ',' ? behind + 1 : behind;
    return true;
}

static bool array_holds(gn_name array, gn_name value)
{
    const uint8_t *at = array.bytes + 1, *end = array.bytes + array.size;
    gn_name element;
    while (gn_next_element(&at, end, &element)) {
        if (gn_name_equal(element, value)) {
            return true;
        }
    }
    return false;
}

/* `[1,2]` and 3 to `[1,2,3]`; an absent array starts empty. */
static int append_element(gn_fold *fold, const gn_path *path, gn_target *at, gn_name array, gn_name value)
{
    gn_buffer buffer = {.arena = &fold->event};
    bool first = array.size <= 2;
    uint32_t kept = first ? 0 : array.size - 1;
    bool done = gn_buffer_reserve(&buffer, (size_t)array.size + value.size + 2) &&
                (first ? gn_buffer_put_byte(&buffer, '[')
                       : gn_buffer_put(&buffer, array.bytes, kept) && gn_buffer_put_byte(&buffer, ',')) &&
                gn_buffer_put(&buffer, value.bytes, value.size) && gn_buffer_put_byte(&buffer, ']');
    if (!done || buffer.size > UINT32_MAX / 2) {
        return GN_NO_MEMORY;
    }
    return gn_put(fold, path, at, (gn_name){buffer.data, (uint32_t)buffer.size});
}

static int apply_append(gn_fold *fold, const gn_path *path, gn_target *at, gn_name value, bool is_set, uint32_t *reason)
{
    gn_name array;
    if (!gn_current_text(fold, at, &array)) {
        return GN_NO_MEMORY;
    }
    if (array.size > 0 && array.bytes[0] != '[') {
        *reason = GN_WRONG_TYPE;
        return GN_OK;
    }
    if (is_set && array.size > 0 && array_holds(array, value)) {
        return GN_OK;
    }
    return append_element(fold, path, at, array, value);
}

static int apply_exclude(gn_fold *fold, const gn_path *path, gn_target *at, gn_name value, uint32_t *reason)
{
    gn_buffer kept = {.arena = &fold->event};
    gn_name array, element;
    if (!gn_current_text(fold, at, &array)) {
        return GN_NO_MEMORY;
    }
    if (array.size > 0 && array.bytes[0] != '[') {
        *reason = GN_WRONG_TYPE;
        return GN_OK;
    }
    if (array.size == 0 || !array_holds(array, value)) {
        return GN_OK;
    }
    const uint8_t *next = array.bytes + 1, *end = array.bytes + array.size;
    bool done = gn_buffer_reserve(&kept, array.size) && gn_buffer_put_byte(&kept, '[');
    while (done && gn_next_element(&next, end, &element)) {
        if (!gn_name_equal(element, value)) {
            done = (kept.size == 1 || gn_buffer_put_byte(&kept, ',')) &&
                   gn_buffer_put(&kept, element.bytes, element.size);
        }
    }
    if (!done || !gn_buffer_put_byte(&kept, ']')) {
        return GN_NO_MEMORY;
    }
    return gn_put(fold, path, at, (gn_name){kept.data, (uint32_t)kept.size});
}

/* ---- whole entities ---- */

/* May this operation go to this entity? The reason why not. */
static uint32_t admit(const gn_document *document, const gn_path *path, const gn_entity *entity, uint32_t code,
                      bool own)
{
    bool whole = path->field_count == 0;
    if (entity != NULL && entity->body.kind == GN_REMOVED) {
        return own && whole && code == GN_SET ? GN_NO_REASON : GN_UNKNOWN_ENTITY;
    }
    if (entity == NULL || entity->body.kind == GN_ABSENT) {
        bool makes = whole && (code == GN_SET || code == GN_INIT);
        bool may_make = document->create_always && !(whole && code == GN_REMOVE);
        return makes || may_make ? GN_NO_REASON : GN_UNKNOWN_ENTITY;
    }
    return GN_NO_REASON;
}

/* Records and `@` hold objects, are never removed and always there; the root's own name is not a member of `@`. */
static uint32_t admit_single(const gn_document *document, const gn_path *path, uint32_t code, gn_name value)
{
    if (path->field_count == 0) {
        if (code == GN_INIT) {
            return GN_CLAIM_TAKEN;
        }
        if (code == GN_REMOVE || (code == GN_SET && value.bytes[0] != '{')) {
            return GN_WRONG_TYPE;
        }
        if (code == GN_SET && path->is_at) {
            gn_place place = gn_find(value, false, &document->root, 1);
            return place.missing_from == 1 ? GN_WRONG_TYPE : GN_NO_REASON;
        }
        return GN_NO_REASON;
    }
    bool is_root = path->is_at && gn_name_equal(path->fields[0], document->root);
    bool owned = is_root || gn_derive_owns(document, path->fields, path->field_count);
    return owned && code != GN_TEST ? GN_WRONG_TYPE : GN_NO_REASON;
}

static int apply_test(gn_fold *fold, const gn_target *at, gn_name value, uint32_t *reason)
{
    gn_name text;
    if (!gn_current_text(fold, at, &text)) {
        return GN_NO_MEMORY;
    }
    if (!gn_name_equal(text, value)) {
        *reason = GN_TEST_FAILED;
    }
    return GN_OK;
}

static int apply_at(gn_fold *fold, const gn_path *path, gn_target *at, uint32_t code, gn_name value, bool own,
                    uint32_t *reason)
{
    switch (code) {
    case GN_SET:
        return gn_put(fold, path, at, value);
    case GN_INIT:
        if (!gn_is_absent(at)) {
            *reason = GN_CLAIM_TAKEN;
            return GN_OK;
        }
        return gn_put(fold, path, at, value);
    case GN_INC:
        return apply_inc(fold, path, at, value, reason);
    case GN_MAX: case GN_MIN:
        return apply_extreme(fold, path, at, value, code == GN_MAX, reason);
    case GN_INCLUDE: case GN_PUSH:
        return apply_append(fold, path, at, value, code == GN_INCLUDE, reason);
    case GN_EXCLUDE:
        return apply_exclude(fold, path, at, value, reason);
    case GN_REMOVE: /* of a place; a whole entity that is not there was not admitted */
        return gn_is_absent(at) ? GN_OK : gn_take_out(fold, path, at);
    case GN_MERGE:
        return gn_apply_merge(fold, path, at, value, own, reason);
    default:
        assert(code == GN_TEST);
        return apply_test(fold, at, value, reason);
    }
}

static int apply_admitted(gn_fold *fold, const gn_path *path, gn_entity *entity, uint32_t code, gn_name value,
                          bool own, uint32_t *reason)
{
    gn_target at;
    if (path->field_count == 1 && path->slot != GN_NONE && entity != NULL && entity->body.kind == GN_OPEN) {
        at.document = &fold->program.documents[path->document]; /* a slot of an open entity: most operations */
        at.entity = entity;
        at.cell = gn_object_slot(entity->body.as.object, path->slot);
        at.is_cell = true;
        return apply_at(fold, path, &at, code, value, own, reason);
    }
    int status = gn_find_place(fold, path, entity, &at, reason);
    if (status != GN_OK || *reason != GN_NO_REASON) {
        return status;
    }
    return apply_at(fold, path, &at, code, value, own, reason);
}

int gn_apply(gn_fold *fold, const gn_path *path, uint32_t code, gn_name value, bool own, uint32_t *reason)
{
    const gn_document *document = &fold->program.documents[path->document];
    bool is_single = document->is_record || path->is_at;
    gn_entity *entity = is_single ? document->single : gn_state_find(fold, path->document, path->key);
    const gn_arena_mark here = gn_arena_here(&fold->event);
    assert(code == GN_REMOVE || value.size > 0);
    *reason = is_single ? admit_single(document, path, code, value) : admit(document, path, entity, code, own);
    if (*reason != GN_NO_REASON) {
        return GN_OK;
    }
    int status = apply_admitted(fold, path, entity, code, value, own, reason);
    gn_arena_back(&fold->event, here); /* texts on their way into the state; a delta may hold very many operations */
    return status;
}

int gn_write(gn_fold *fold, const gn_path *path, gn_name value, uint32_t *reason)
{
    gn_target at;
    *reason = GN_NO_REASON;
    int status = gn_find_place(fold, path, fold->program.documents[path->document].single, &at, reason);
    return status != GN_OK || *reason != GN_NO_REASON ? status : gn_put(fold, path, &at, value);
}
