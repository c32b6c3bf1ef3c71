/* One operation on one place: find it, look whether the operation may apply, write.
 *
 * An operation answers with a status (memory) and a reason. With a reason nothing has changed; `merge` is the
 * only one made of several writes, and rolls back its own. */
#include "state.h"

typedef struct target {
    gn_document *document;
    gn_entity *entity;      /* NULL: not there yet */
    gn_cell *cell;          /* the place itself, or what holds the text around it; NULL: the entity is not there */
    bool is_cell;           /* the cell is the place */
    bool bare;              /* the text around is a run: members without braces */
    gn_name text;           /* the text around the place */
    const gn_name *fields;  /* from that text to the place */
    uint32_t field_count;
    gn_place place;
} target;

static const uint8_t EMPTY_OBJECT[] = "{}";

static bool is_absent(const target *at)
{
    if (at->is_cell) {
        return at->cell == NULL || at->cell->kind == GN_ABSENT || at->cell->kind == GN_REMOVED;
    }
    return at->place.missing_from < at->field_count;
}

/* The value at the place as text; size 0 when absent. */
static bool current_text(gn_fold *fold, const target *at, gn_name *text)
{
    gn_buffer buffer = {.arena = &fold->event};
    *text = (gn_name){NULL, 0};
    if (is_absent(at)) {
        return true;
    }
    if (at->is_cell) {
        return gn_cell_text(at->document, at->cell, &buffer, text);
    }
    *text = (gn_name){at->text.bytes + at->place.at, at->place.end - at->place.at};
    return true;
}

/* ---- finding the place ---- */

/* Where fields[0..) of an open object lie. */
static bool enter_object(gn_fold *fold, const gn_path *path, target *at)
{
    gn_object *object = at->entity->body.as.object;
    gn_buffer buffer = {.arena = &fold->event};
    uint32_t run = 0;
    uint32_t slot = path->slot != GN_NONE ? path->slot : gn_slot_find(at->document, path->fields[0], &run);
    at->fields = path->fields;
    at->field_count = path->field_count;
    if (slot == GN_NONE) {
        at->cell = gn_object_run(object, run);
        at->text = (gn_name){at->cell->as.text, at->cell->size};
        at->bare = true;
        return true;
    }
    at->cell = gn_object_slot(object, slot);
    at->fields++;
    at->field_count--;
    at->is_cell = at->field_count == 0;
    if (at->is_cell) {
        return true;
    }
    if (at->cell->kind == GN_ABSENT) {
        at->text = (gn_name){EMPTY_OBJECT, 2};
        return true;
    }
    return gn_cell_text(at->document, at->cell, &buffer, &at->text);
}

static int find_place(gn_fold *fold, const gn_path *path, gn_entity *entity, target *at, uint32_t *reason)
{
    *at = (target){.document = &fold->program.documents[path->document], .entity = entity};
    at->cell = entity == NULL ? NULL : &entity->body;
    if (path->field_count == 0) {
        at->is_cell = true;
        return GN_OK;
    }
    if (entity == NULL || entity->body.kind == GN_ABSENT) {
        at->text = (gn_name){EMPTY_OBJECT, 2};
        at->fields = path->fields;
        at->field_count = path->field_count;
    } else {
        bool is_text = entity->body.kind == GN_TEXT && entity->body.as.text[0] == '{';
        if (entity->body.kind != GN_OPEN && !is_text) {
            *reason = GN_WRONG_TYPE;
            return GN_OK;
        }
        if ((is_text && !gn_object_open(fold, entity)) || !enter_object(fold, path, at)) {
            return GN_NO_MEMORY;
        }
    }
    if (!at->is_cell) {
        at->place = gn_find(at->text, at->bare, at->fields, at->field_count);
        *reason = at->place.wrong_type ? GN_WRONG_TYPE : GN_NO_REASON;
    }
    return GN_OK;
}

/* ---- writing to it ---- */

static bool copy_text(gn_arena *arena, gn_name text, gn_name *copy)
{
    uint8_t *bytes = gn_alloc(arena, text.size);
    if (bytes == NULL) {
        return false;
    }
    memcpy(bytes, text.bytes, text.size);
    *copy = (gn_name){bytes, text.size};
    return true;
}

/* The cell to write, saved; the entity made when it was not there. */
static bool open_cell(gn_fold *fold, const gn_path *path, target *at)
{
    if (at->cell == NULL) {
        at->entity = gn_state_entity(fold, path->document, path->key);
        if (at->entity == NULL) {
            return false;
        }
        at->cell = &at->entity->body;
    }
    return gn_state_save(fold, at->entity, at->cell);
}

/* A value's cell: small integers as numbers, all else as text that the state keeps. */
static bool value_cell(gn_fold *fold, gn_name value, gn_cell *cell)
{
    gn_int128 number;
    gn_name copy;
    if (value.size <= 18 && value.bytes[0] <= '9' && value.bytes[0] != '"' && gn_integer_parse(value, &number)) {
        *cell = (gn_cell){.as.integer = (int64_t)number, .kind = GN_INTEGER};
        return true;
    }
    if (!copy_text(&fold->state, value, &copy)) {
        return false;
    }
    *cell = (gn_cell){.as.text = copy.bytes, .size = copy.size, .kind = GN_TEXT};
    return true;
}

static int put(gn_fold *fold, const gn_path *path, target *at, gn_name value)
{
    gn_cell cell;
    gn_name text;
    assert(value.size > 0);
    if (at->is_cell) {
        if (!value_cell(fold, value, &cell)) {
            return GN_NO_MEMORY;
        }
    } else {
        if (!gn_splice(&fold->state, at->text, &at->place, at->fields, at->field_count, value, &text)) {
            return GN_NO_MEMORY;
        }
        cell = (gn_cell){.as.text = text.bytes, .size = text.size, .kind = GN_TEXT};
    }
    if (!open_cell(fold, path, at)) {
        return GN_NO_MEMORY;
    }
    *at->cell = cell;
    return GN_OK;
}

static int take_out(gn_fold *fold, const gn_path *path, target *at)
{
    gn_cell cell = {.kind = GN_ABSENT};
    gn_name text;
    if (!at->is_cell) {
        if (!gn_cut(&fold->state, at->text, &at->place, &text)) {
            return GN_NO_MEMORY;
        }
        cell = (gn_cell){.as.text = text.bytes, .size = text.size, .kind = GN_TEXT};
    } else if (path->field_count == 0) {
        cell.kind = GN_REMOVED;
    }
    if (!open_cell(fold, path, at)) {
        return GN_NO_MEMORY;
    }
    *at->cell = cell;
    return GN_OK;
}

/* ---- the operations ---- */

static int apply_inc(gn_fold *fold, const gn_path *path, target *at, gn_name value, uint32_t *reason)
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
    } else if (!current_text(fold, at, &text)) {
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
        if (!gn_state_save(fold, at->entity, at->cell)) {
            return GN_NO_MEMORY;
        }
        *at->cell = (gn_cell){.as.integer = (int64_t)current, .kind = GN_INTEGER};
        return GN_OK;
    }
    return put(fold, path, at, (gn_name){digits, gn_integer_format(current, digits)});
}

static int apply_extreme(gn_fold *fold, const gn_path *path, target *at, gn_name value, bool is_max, uint32_t *reason)
{
    gn_name text;
    if (!current_text(fold, at, &text)) {
        return GN_NO_MEMORY;
    }
    int rank = gn_rank(value), current_rank = gn_rank(text);
    if (rank < 0 || current_rank < 0) {
        *reason = GN_WRONG_TYPE;
        return GN_OK;
    }
    if (rank == 0) {
        return GN_OK;
    }
    if (current_rank > 0) {
        bool same_value = gn_name_equal(value, text);
        int order = same_value ? 0 : gn_extreme_order(value, text, is_max);
        if (order <= 0) {
            return GN_OK;
        }
    }
    return put(fold, path, at, value);
}

/* The elements of a trusted array, one after the other. */
static bool next_element(const uint8_t **at, const uint8_t *end, gn_name *element)
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
    while (next_element(&at, end, &element)) {
        if (gn_name_equal(element, value)) {
            return true;
        }
    }
    return false;
}

/* `[1,2]` and 3 to `[1,2,3]`; an absent array starts empty. */
static int append_element(gn_fold *fold, const gn_path *path, target *at, gn_name array, gn_name value)
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
    return put(fold, path, at, (gn_name){buffer.data, (uint32_t)buffer.size});
}

static int apply_append(gn_fold *fold, const gn_path *path, target *at, gn_name value, bool is_set, uint32_t *reason)
{
    gn_name array;
    if (!current_text(fold, at, &array)) {
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

static int apply_exclude(gn_fold *fold, const gn_path *path, target *at, gn_name value, uint32_t *reason)
{
    gn_buffer kept = {.arena = &fold->event};
    gn_name array, element;
    if (!current_text(fold, at, &array)) {
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
    while (done && next_element(&next, end, &element)) {
        if (!gn_name_equal(element, value)) {
            done = (kept.size == 1 || gn_buffer_put_byte(&kept, ',')) &&
                   gn_buffer_put(&kept, element.bytes, element.size);
        }
    }
    if (!done || !gn_buffer_put_byte(&kept, ']')) {
        return GN_NO_MEMORY;
    }
    return put(fold, path, at, (gn_name){kept.data, (uint32_t)kept.size});
}

/* ---- merge ---- */

static const uint8_t FIELD_CODES[GN_FIELD_RULE_COUNT] = {
    [GN_LAST] = GN_SET,         [GN_SUM] = GN_INC,    [GN_FIELD_MAX] = GN_MAX,
    [GN_FIELD_MIN] = GN_MIN,    [GN_FIRST] = GN_INIT, [GN_FIELD_SET] = GN_INCLUDE,
};

static uint32_t rule_of(const gn_document *document, const gn_path *path, gn_name name)
{
    if (path->is_at || path->field_count > 0) {
        return GN_LAST;
    }
    uint32_t run;
    uint32_t slot = gn_slot_find(document, name, &run);
    return slot == GN_NONE ? GN_LAST : document->slot_rules[slot];
}

/* A set field takes an array and includes each of its elements. */
static int merge_set(gn_fold *fold, const gn_path *path, gn_name value, bool own, uint32_t *reason)
{
    const uint8_t *at = value.bytes + 1, *end = value.bytes + value.size;
    gn_name element;
    if (value.bytes[0] != '[') {
        *reason = GN_WRONG_TYPE;
        return GN_OK;
    }
    while (next_element(&at, end, &element)) {
        int status = gn_apply(fold, path, GN_INCLUDE, element, own, reason);
        if (status != GN_OK || *reason != GN_NO_REASON) {
            return status;
        }
    }
    return GN_OK;
}

static int merge_member(gn_fold *fold, const gn_path *path, gn_name value, bool own, uint32_t *reason)
{
    const gn_document *document = &fold->program.documents[path->document];
    gn_path parent = *path;
    parent.field_count--;
    uint32_t rule = rule_of(document, &parent, path->fields[path->field_count - 1]);
    if (rule == GN_FIELD_SET) {
        return merge_set(fold, path, value, own, reason);
    }
    int status = gn_apply(fold, path, FIELD_CODES[rule], value, own, reason);
    if (rule == GN_FIRST && *reason == GN_CLAIM_TAKEN) {
        *reason = GN_NO_REASON;
    }
    return status;
}

/* The path one member deeper; its last name is filled in by the caller. */
static gn_name *deeper(gn_fold *fold, const gn_path *path, gn_path *below)
{
    gn_name *fields = gn_alloc_array(&fold->event, path->field_count + 1u, sizeof *fields);
    if (fields == NULL) {
        return NULL;
    }
    if (path->field_count > 0) {
        memcpy(fields, path->fields, path->field_count * sizeof *fields);
    }
    *below = *path;
    below->fields = fields;
    below->field_count++;
    if (path->field_count == 0) {
        below->slot = GN_NONE;
    }
    return &fields[path->field_count];
}

static bool plain_key(gn_fold *fold, const uint8_t *from, const uint8_t *to, gn_name *name)
{
    *name = (gn_name){from, (uint32_t)(to - from)};
    if (name->size == 0 || memchr(from, '\\', name->size) == NULL) {
        return true;
    }
    gn_buffer buffer = {.arena = &fold->event};
    if (!gn_json_unescape(from, name->size, &buffer)) {
        return false;
    }
    *name = (gn_name){buffer.data, (uint32_t)buffer.size};
    return true;
}

static int merge_members(gn_fold *fold, const gn_path *path, gn_name value, bool own, uint32_t *reason)
{
    gn_path below;
    gn_name *last = deeper(fold, path, &below);
    if (last == NULL) {
        return GN_NO_MEMORY;
    }
    const uint8_t *at = value.bytes + 1, *end = value.bytes + value.size - 1;
    while (at < end) {
        const uint8_t *key_end = gn_skip_string(at + 1, end);
        const uint8_t *value_end = gn_skip(key_end + 1, end);
        if (!plain_key(fold, at + 1, key_end - 1, last)) {
            return GN_NO_MEMORY;
        }
        gn_name member = {key_end + 1, (uint32_t)(value_end - key_end - 1)};
        int status = merge_member(fold, &below, member, own, reason);
        if (status != GN_OK || *reason != GN_NO_REASON) {
            return status;
        }
        at = value_end + 1;
    }
    return GN_OK;
}

static bool holds_object(const target *at)
{
    if (at->is_cell) {
        return at->cell->kind == GN_OPEN || (at->cell->kind == GN_TEXT && at->cell->as.text[0] == '{');
    }
    return at->text.bytes[at->place.at] == '{';
}

static int apply_merge(gn_fold *fold, const gn_path *path, target *at, gn_name value, bool own, uint32_t *reason)
{
    const uint32_t mark = fold->undo_count;
    bool absent = is_absent(at);
    if (value.bytes[0] != '{' || (!absent && !holds_object(at))) {
        *reason = GN_WRONG_TYPE;
        return GN_OK;
    }
    int status = absent ? put(fold, path, at, (gn_name){EMPTY_OBJECT, 2}) : GN_OK;
    if (status == GN_OK) {
        status = merge_members(fold, path, value, own, reason);
    }
    if (status == GN_OK && *reason != GN_NO_REASON) {
        gn_state_roll_back(fold, mark);
    }
    return status;
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

static int apply_test(gn_fold *fold, const target *at, gn_name value, uint32_t *reason)
{
    gn_name text;
    if (!current_text(fold, at, &text)) {
        return GN_NO_MEMORY;
    }
    if (!gn_name_equal(text, value)) {
        *reason = GN_TEST_FAILED;
    }
    return GN_OK;
}

static int apply_at(gn_fold *fold, const gn_path *path, target *at, uint32_t code, gn_name value, bool own,
                    uint32_t *reason)
{
    switch (code) {
    case GN_SET:
        return put(fold, path, at, value);
    case GN_INIT:
        if (!is_absent(at)) {
            *reason = GN_CLAIM_TAKEN;
            return GN_OK;
        }
        return put(fold, path, at, value);
    case GN_INC:
        return apply_inc(fold, path, at, value, reason);
    case GN_MAX: case GN_MIN:
        return apply_extreme(fold, path, at, value, code == GN_MAX, reason);
    case GN_INCLUDE: case GN_PUSH:
        return apply_append(fold, path, at, value, code == GN_INCLUDE, reason);
    case GN_EXCLUDE:
        return apply_exclude(fold, path, at, value, reason);
    case GN_REMOVE: /* of a place; a whole entity that is not there was not admitted */
        return is_absent(at) ? GN_OK : take_out(fold, path, at);
    case GN_MERGE:
        return apply_merge(fold, path, at, value, own, reason);
    default:
        assert(code == GN_TEST);
        return apply_test(fold, at, value, reason);
    }
}

int gn_apply(gn_fold *fold, const gn_path *path, uint32_t code, gn_name value, bool own, uint32_t *reason)
{
    const gn_document *document = &fold->program.documents[path->document];
    bool is_single = document->is_record || path->is_at;
    gn_entity *entity = is_single ? document->single : gn_state_find(fold, path->document, path->key);
    target at;
    assert(code == GN_REMOVE || value.size > 0);
    *reason = is_single ? admit_single(document, path, code, value) : admit(document, path, entity, code, own);
    if (*reason != GN_NO_REASON) {
        return GN_OK;
    }
    int status = find_place(fold, path, entity, &at, reason);
    if (status != GN_OK || *reason != GN_NO_REASON) {
        return status;
    }
    return apply_at(fold, path, &at, code, value, own, reason);
}

int gn_write(gn_fold *fold, const gn_path *path, gn_name value, uint32_t *reason)
{
    target at;
    *reason = GN_NO_REASON;
    int status = find_place(fold, path, fold->program.documents[path->document].single, &at, reason);
    return status != GN_OK || *reason != GN_NO_REASON ? status : put(fold, path, &at, value);
}

int gn_insert(gn_fold *fold, uint32_t document, gn_name key, gn_name body)
{
    gn_path path = {.document = document, .key = key, .slot = GN_NONE};
    gn_entity *entity = gn_state_entity(fold, document, key);
    if (entity == NULL) {
        return GN_NO_MEMORY;
    }
    target at = {.document = &fold->program.documents[document], .entity = entity, .cell = &entity->body,
                 .is_cell = true};
    assert(entity->body.kind == GN_ABSENT);
    return put(fold, &path, &at, body);
}
