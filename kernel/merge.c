/* `merge`: an object into what is there, member by member, each as the field's rule says. */
#include "apply.h"

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
    while (gn_next_element(&at, end, &element)) {
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

static bool holds_object(const gn_target *at)
{
    if (at->is_cell) {
        return gn_cell_is_object(at->cell);
    }
    return at->text.bytes[at->place.at] == '{';
}

int gn_apply_merge(gn_fold *fold, const gn_path *path, gn_target *at, gn_name value, bool own, uint32_t *reason)
{
    const uint32_t mark = fold->undo_count;
    bool absent = gn_is_absent(at);
    fold->unit++;
    if (value.bytes[0] != '{' || (!absent && !holds_object(at))) {
        *reason = GN_WRONG_TYPE;
        return GN_OK;
    }
    int status = absent ? gn_put(fold, path, at, GN_EMPTY) : GN_OK;
    if (status == GN_OK) {
        status = merge_members(fold, path, value, own, reason);
    }
    if (status == GN_OK && *reason != GN_NO_REASON) {
        gn_state_roll_back(fold, mark);
    }
    return status;
}
