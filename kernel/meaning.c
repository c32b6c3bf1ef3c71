/* The walk through versions of one document, and the rule at each of its places. */
#include "meaning.h"

#include "unit.h"

#define ROOM_FIRST 8u

static const gn_name AT = {(const uint8_t *)"@", 1};

/* ---- what may be a document ---- */

static int check_shape(const gn_document *document, gn_name text)
{
    if (!gn_is_object(text)) {
        return GN_DOCUMENT_NOT_OBJECT;
    }
    if (!document->has_root) {
        return GN_OK;
    }
    gn_place place = gn_find(text, false, &document->root, 1);
    gn_name root = {text.bytes + place.at, place.end - place.at};
    if (place.missing_from == 0 || !gn_is_object(root)) {
        return GN_DOCUMENT_NO_ROOT;
    }
    return gn_find(root, false, &AT, 1).missing_from == 0 ? GN_OK : GN_DOCUMENT_AT;
}

static int check_text(gn_arena *arena, const gn_document *document, const gn_text *text, uint64_t *position)
{
    int status = gn_scan_value(arena, text->bytes, text->size, position);
    return status == GN_OK ? check_shape(document, (gn_name){text->bytes, (uint32_t)text->size}) : status;
}

/* ---- members ---- */

static void step(gn_side *side, const gn_extents *extents)
{
    if (side->at >= side->end) {
        side->key = side->value = (gn_name){NULL, 0};
        return;
    }
    const uint8_t *key_end = gn_skip_string(side->at + 1, side->end);
    const uint8_t *value_end = gn_extents_skip(extents, key_end + 1, side->end);
    side->key = (gn_name){side->at + 1, (uint32_t)(key_end - side->at - 2)};
    side->value = (gn_name){key_end + 1, (uint32_t)(value_end - key_end - 1)};
    side->at = value_end < side->end ? value_end + 1 : value_end;
}

static void open_side(gn_side *side, const gn_extents *extents, gn_name object)
{
    assert(gn_is_object(object));
    *side = (gn_side){.at = object.bytes + 1, .end = object.bytes + object.size - 1};
    step(side, extents);
}

bool gn_walk_next(gn_walk *walk, gn_name *values)
{
    gn_level *level = gn_walk_level(walk);
    const gn_side *least = NULL;
    for (uint32_t i = 0; i < walk->side_count; i++) {
        const gn_side *side = &level->sides[i];
        if (side->key.bytes != NULL && (least == NULL || gn_key_compare(side->key, least->key) < 0)) {
            least = side;
        }
    }
    if (least == NULL) {
        return false;
    }
    level->key = least->key;
    for (uint32_t i = 0; i < walk->side_count; i++) {
        gn_side *side = &level->sides[i];
        bool has_it = side->key.bytes != NULL && gn_name_equal(side->key, level->key);
        values[i] = has_it ? side->value : (gn_name){NULL, 0};
        if (has_it) {
            step(side, &walk->extents[i]);
        }
    }
    return true;
}

/* ---- rules ---- */

static bool is_root_key(const gn_walk *walk, const gn_level *level)
{
    return level->kind == GN_LEVEL_TOP && gn_name_key_compare(walk->document->root, level->key) == 0;
}

static uint32_t field_rule(const gn_document *document, gn_name key, bool has_second)
{
    for (uint32_t i = 0; i < document->field_count; i++) {
        const gn_field *field = &document->fields[i];
        if (field->has_second == has_second && gn_name_key_compare(field->name, key) == 0) {
            return field->rule;
        }
    }
    return GN_LAST;
}

static bool is_target(const gn_walk *walk, const gn_names *target)
{
    for (uint32_t i = 0; i < walk->depth; i++) {
        if (gn_name_key_compare(target->names[i], walk->levels[i].key) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_derived(const gn_walk *walk)
{
    const gn_document *document = walk->document;
    if (is_root_key(walk, &walk->levels[0])) {
        return false;
    }
    for (uint32_t i = 0; i < document->derive_count; i++) {
        const gn_names *target = &document->derives[i].target;
        if (target->count == walk->depth && is_target(walk, target)) {
            return true;
        }
    }
    return false;
}

uint32_t gn_walk_rule(const gn_walk *walk)
{
    const gn_level *level = gn_walk_level(walk);
    if (is_derived(walk)) {
        return GN_DERIVED;
    }
    if (level->kind == GN_LEVEL_ENTITY) {
        return field_rule(walk->document, level->key, false);
    }
    return level->kind == GN_LEVEL_FIELD ? level->rule : (uint32_t)GN_LAST;
}

/* ---- levels ---- */

static bool push_level(gn_walk *walk, const gn_level *level)
{
    if (walk->depth == walk->room) {
        uint32_t room = walk->room == 0 ? ROOM_FIRST : walk->room * 2;
        gn_level *levels = gn_alloc_array(walk->arena, room, sizeof *levels);
        if (levels == NULL) {
            return false;
        }
        if (walk->depth > 0) {
            memcpy(levels, walk->levels, walk->depth * sizeof *levels);
        }
        walk->levels = levels;
        walk->room = room;
    }
    walk->levels[walk->depth++] = *level;
    return true;
}

bool gn_walk_enter(gn_walk *walk, const gn_name *objects)
{
    const gn_level *above = gn_walk_level(walk);
    gn_level level = {.kind = GN_LEVEL_DEEPER, .rule = GN_LAST};
    gn_name pointer;
    if (!gn_walk_pointer(walk, &pointer)) {
        return false;
    }
    level.pointer_size = pointer.size;
    if (is_root_key(walk, above)) {
        level.kind = GN_LEVEL_MAP;
    } else if (above->kind == GN_LEVEL_MAP) {
        level.kind = GN_LEVEL_ENTITY;
    } else if (above->kind == GN_LEVEL_ENTITY) {
        level.kind = GN_LEVEL_FIELD;
        level.rule = field_rule(walk->document, above->key, true);
    }
    for (uint32_t i = 0; i < walk->side_count; i++) {
        open_side(&level.sides[i], &walk->extents[i], objects[i]);
    }
    return push_level(walk, &level);
}

bool gn_walk_pointer(gn_walk *walk, gn_name *pointer)
{
    const gn_level *level = gn_walk_level(walk);
    gn_buffer *out = &walk->pointer;
    out->size = level->pointer_size;
    /* A key's escapes hold neither `~` nor `/`, so a pointer's escapes can be put on top of them. */
    bool put = is_root_key(walk, level) ||
               ((level->kind != GN_LEVEL_TOP || gn_buffer_put(out, "/@", 2)) && gn_buffer_put_byte(out, '/') &&
                gn_put_segment(out, level->key));
    *pointer = (gn_name){out->data, (uint32_t)out->size};
    return put && out->size <= UINT32_MAX / 2;
}

/* ---- entry ---- */

static bool put_document_name(gn_walk *walk)
{
    const gn_name name = walk->document->name;
    gn_buffer quoted = {.arena = walk->arena};
    return gn_json_quote(name.bytes, name.size, &quoted) && gn_buffer_put_byte(&walk->pointer, '/') &&
           gn_put_segment(&walk->pointer, (gn_name){quoted.data + 1, (uint32_t)quoted.size - 2});
}

int gn_walk_open(gn_walk *walk, gn_arena *arena, const gn_text *program, uint32_t document, const gn_text *texts,
                 uint32_t count, uint32_t *failed, uint64_t *position)
{
    gn_program opened;
    gn_level level = {.rule = GN_LAST};
    assert(count <= GN_SIDES_MAX);
    *failed = 0;
    int status = gn_program_open(arena, program->bytes, program->size, &opened, position);
    if (status != GN_OK || document >= opened.document_count) {
        return status != GN_OK ? status : GN_DOCUMENT_UNKNOWN;
    }
    *walk = (gn_walk){.arena = arena, .document = &opened.documents[document], .side_count = count,
                      .pointer = {.arena = arena}};
    level.kind = walk->document->is_record ? GN_LEVEL_ENTITY
                 : walk->document->has_root ? GN_LEVEL_TOP
                                            : GN_LEVEL_MAP;
    for (uint32_t i = 0; i < count; i++) {
        *failed = i;
        status = check_text(arena, walk->document, &texts[i], position);
        if (status != GN_OK) {
            return status;
        }
        const gn_name text = {texts[i].bytes, (uint32_t)texts[i].size};
        if (!gn_extents_open(arena, text, &walk->extents[i])) {
            return GN_NO_MEMORY;
        }
        open_side(&level.sides[i], &walk->extents[i], text);
    }
    if (!put_document_name(walk)) {
        return GN_NO_MEMORY;
    }
    level.pointer_size = walk->pointer.size;
    return push_level(walk, &level) ? GN_OK : GN_NO_MEMORY;
}

/* ---- arrays ---- */

bool gn_array_grew(gn_name before, gn_name after, gn_name *more)
{
    if (!gn_is_array(before) || !gn_is_array(after) || after.size <= before.size) {
        return false;
    }
    const uint32_t shared = before.size - 1; /* without the closing bracket */
    bool was_empty = shared == 1;
    if (memcmp(before.bytes, after.bytes, shared) != 0 || (!was_empty && after.bytes[shared] != ',')) {
        return false;
    }
    const uint32_t from = was_empty ? shared : shared + 1;
    *more = (gn_name){after.bytes + from, after.size - from - 1};
    return true;
}
