/* Places inside canonical text: finding a member, putting a value there, taking it out.
 *
 * The text is an entity's body or a cell of it, written by this kernel, so it is stepped over without being
 * checked. Every change is one splice:
 *
 *     {"a":{"b":1},"z":0}   put 5 at a/c/d:   {"a":{"b":1 ,"c":{"d":5} },"z":0}
 *                                                        ^ at == end: where the first missing member goes */
#include "state.h"

/* Look for one member among `"k":v,"k":v`, in order. *found: the place is the value; else where it would go. */
static bool find_member(const uint8_t *start, const uint8_t *from, const uint8_t *end, gn_name field, gn_place *place)
{
    const uint8_t *at = from;
    while (at < end && *at == '"') {
        const uint8_t *key_end = gn_skip_string(at + 1, end);
        int order = gn_name_key_compare(field, (gn_name){at + 1, (uint32_t)(key_end - at - 2)});
        if (order < 0) {
            break;
        }
        const uint8_t *value_end = gn_skip(key_end + 1, end);
        bool has_next = value_end < end && *value_end == ',';
        if (order == 0) {
            place->at = (uint32_t)(key_end + 1 - start);
            place->end = (uint32_t)(value_end - start);
            place->member_at = (uint32_t)(at - start);
            place->comma_before = at > from;
            place->comma_behind = has_next;
            return true;
        }
        place->comma_before = true;
        at = has_next ? value_end + 1 : value_end;
    }
    place->comma_before = at > from;
    place->comma_behind = at < end && *at == '"';
    /* Behind the last member there is no comma yet; before another one the place is in front of its key. */
    place->at = place->end = (uint32_t)(at - start);
    return false;
}

gn_place gn_find(gn_name text, bool bare, const gn_name *fields, uint32_t count)
{
    gn_place place = {0};
    const uint8_t *at = text.bytes, *end = text.bytes + text.size;
    assert(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        if (!(bare && i == 0)) {
            if (at >= end || *at != '{') {
                place.wrong_type = true;
                return place;
            }
            at++;
        }
        place.comma_before = place.comma_behind = false;
        if (!find_member(text.bytes, at, end, fields[i], &place)) {
            place.missing_from = i;
            return place;
        }
        at = text.bytes + place.at;
        end = text.bytes + place.end;
    }
    place.missing_from = count;
    return place;
}

/* `"c":{"d":value}` for the fields that are missing. */
static bool put_missing(gn_buffer *out, const gn_name *fields, uint32_t count, gn_name value)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && !gn_buffer_put_byte(out, '{')) {
            return false;
        }
        if (!gn_json_quote(fields[i].bytes, fields[i].size, out) || !gn_buffer_put_byte(out, ':')) {
            return false;
        }
    }
    if (!gn_buffer_put(out, value.bytes, value.size)) {
        return false;
    }
    for (uint32_t i = 1; i < count; i++) {
        if (!gn_buffer_put_byte(out, '}')) {
            return false;
        }
    }
    return true;
}

static bool finish(gn_buffer *buffer, gn_name *out)
{
    if (buffer->size > UINT32_MAX / 2) {
        return false;
    }
    *out = (gn_name){buffer->data, (uint32_t)buffer->size};
    return true;
}

bool gn_splice(gn_arena *arena, gn_name text, const gn_place *place, const gn_name *fields, uint32_t count,
               gn_name value, gn_name *out)
{
    gn_buffer buffer = {.arena = arena};
    bool found = place->missing_from == count;
    /* A member before the gap may end right at it, or leave its comma behind: `"a":1,|"c":2` has one already. */
    bool needs_before = !found && place->comma_before && !place->comma_behind;
    bool needs_behind = !found && place->comma_behind;
    assert(place->at <= place->end && place->end <= text.size && !place->wrong_type);
    bool put = gn_buffer_reserve(&buffer, (size_t)text.size + value.size + 8) &&
               gn_buffer_put(&buffer, text.bytes, place->at) && (!needs_before || gn_buffer_put_byte(&buffer, ',')) &&
               (found ? gn_buffer_put(&buffer, value.bytes, value.size)
                      : put_missing(&buffer, fields + place->missing_from, count - place->missing_from, value)) &&
               (!needs_behind || gn_buffer_put_byte(&buffer, ',')) &&
               gn_buffer_put(&buffer, text.bytes + place->end, text.size - place->end);
    return put && finish(&buffer, out);
}

bool gn_cut(gn_arena *arena, gn_name text, const gn_place *place, gn_name *out)
{
    gn_buffer buffer = {.arena = arena};
    uint32_t from = place->member_at, to = place->end;
    if (place->comma_behind) {
        to++;
    } else if (place->comma_before) {
        from--;
    }
    assert(from <= to && to <= text.size);
    bool put = gn_buffer_reserve(&buffer, text.size) && gn_buffer_put(&buffer, text.bytes, from) &&
               gn_buffer_put(&buffer, text.bytes + to, text.size - to);
    return put && finish(&buffer, out);
}

/* ---- open objects ---- */

uint32_t gn_slot_find(const gn_document *document, gn_name name, uint32_t *run)
{
    uint32_t low = 0, high = document->slots.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = gn_name_compare(document->slots.names[middle], name);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *run = low;
    return GN_NONE;
}

static bool put_cell(gn_buffer *out, const gn_cell *cell)
{
    if (cell->kind == GN_TEXT) {
        return gn_buffer_put(out, cell->as.text, cell->size);
    }
    assert(cell->kind == GN_INTEGER || cell->kind == GN_SECOND);
    if (!gn_buffer_reserve(out, 24)) {
        return false;
    }
    if (cell->kind == GN_SECOND) {
        gn_second_format(cell->as.integer, out->data + out->size);
        out->size += GN_SECOND_SIZE;
    } else {
        out->size += gn_integer_format(cell->as.integer, out->data + out->size);
    }
    return true;
}

static bool put_object(const gn_document *document, gn_object *object, gn_buffer *out)
{
    if (!gn_buffer_put_byte(out, '{')) {
        return false;
    }
    const size_t start = out->size;
    for (uint32_t i = 0; i <= object->slot_count; i++) {
        const gn_cell *run = gn_object_run(object, i);
        if (run->size > 0 &&
            ((out->size > start && !gn_buffer_put_byte(out, ',')) || !gn_buffer_put(out, run->as.text, run->size))) {
            return false;
        }
        if (i == object->slot_count || gn_object_slot(object, i)->kind == GN_ABSENT) {
            continue;
        }
        const gn_name name = document->slot_texts[i];
        if ((out->size > start && !gn_buffer_put_byte(out, ',')) || !gn_buffer_put(out, name.bytes, name.size) ||
            !put_cell(out, gn_object_slot(object, i))) {
            return false;
        }
    }
    return gn_buffer_put_byte(out, '}');
}

bool gn_cell_text(const gn_document *document, const gn_cell *cell, gn_buffer *buffer, gn_name *text)
{
    if (cell->kind == GN_TEXT) {
        *text = (gn_name){cell->as.text, cell->size};
        return true;
    }
    if (cell->kind == GN_ABSENT || cell->kind == GN_REMOVED) {
        *text = (gn_name){NULL, 0};
        return true;
    }
    const size_t start = buffer->size;
    bool put = cell->kind == GN_OPEN     ? put_object(document, cell->as.object, buffer)
               : cell->kind == GN_PACKED ? gn_unpack(document, cell, buffer)
                                         : put_cell(buffer, cell);
    if (!put || buffer->size - start > UINT32_MAX / 2) {
        return false;
    }
    *text = (gn_name){buffer->data + start, (uint32_t)(buffer->size - start)};
    return true;
}

/* The value at fields below text; size 0 when it is not there. */
static gn_name text_below(gn_name text, bool bare, const gn_name *fields, uint32_t count)
{
    if (count == 0) {
        return text;
    }
    gn_place place = gn_find(text, bare, fields, count);
    bool found = !place.wrong_type && place.missing_from == count;
    return found ? (gn_name){text.bytes + place.at, place.end - place.at} : (gn_name){NULL, 0};
}

bool gn_entity_field(const gn_document *document, const gn_entity *entity, const gn_name *fields, uint32_t count,
                     gn_buffer *buffer, gn_name *text)
{
    *text = (gn_name){NULL, 0};
    if (entity->body.kind == GN_TEXT) {
        *text = text_below((gn_name){entity->body.as.text, entity->body.size}, false, fields, count);
        return true;
    }
    if (entity->body.kind == GN_PACKED) {
        gn_name body;
        if (!gn_cell_text(document, &entity->body, buffer, &body)) {
            return false;
        }
        *text = text_below(body, false, fields, count);
        return true;
    }
    if (entity->body.kind != GN_OPEN) {
        return true;
    }
    uint32_t run = 0;
    uint32_t slot = gn_slot_find(document, fields[0], &run);
    if (slot == GN_NONE) {
        const gn_cell *cell = gn_object_run(entity->body.as.object, run);
        *text = text_below((gn_name){cell->as.text, cell->size}, true, fields, count);
        return true;
    }
    gn_name whole;
    if (!gn_cell_text(document, gn_object_slot(entity->body.as.object, slot), buffer, &whole)) {
        return false;
    }
    *text = text_below(whole, false, fields + 1, count - 1);
    return true;
}
