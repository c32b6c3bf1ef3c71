/* A delta, read in one pass: where the things are that the rules name.
 *
 * Keys come sorted and so do the names that the rules want, so finding them is a merge of two lists; items are
 * noted as they pass, since the order of the rules is not the order of the bytes. */
#include "scan.h"

/* gn_check_value, with short strings here. */
static inline const uint8_t *check_value(gn_scanner *scan, const uint8_t *at, uint32_t depth)
{
    if (at < scan->end && *at == '"') {
        const uint8_t *end = gn_short_string_end(scan, at + 1);
        if (end != NULL) {
            return end + 1;
        }
    }
    return gn_check_value(scan, at, depth);
}

static gn_span span_of(const gn_scanner *scan, const uint8_t *from, const uint8_t *to)
{
    return (gn_span){(uint32_t)(from - scan->start), (uint32_t)(to - from)};
}

/* One object: note the members that shape names in slots. depth counts the shapes, which the rules bound. */
static const uint8_t *scan_wanted(gn_scanner *scan, const uint8_t *at, const gn_shape *shape, gn_span *slots,
                                  uint32_t depth)
{
    gn_key key = {.text.bytes = NULL};
    uint32_t next = 0;
    assert(*at == '{' && depth <= GN_NAME_SEGMENTS_MAX);
    at++;
    if (at < scan->end && *at == '}') {
        return at + 1;
    }
    for (;;) {
        at = gn_check_key(scan, at, &key);
        if (at == NULL) {
            return NULL;
        }
        int order = -1;
        while (next < shape->count && (order = gn_key_order(&shape->wants[next].key, &key)) < 0) {
            next++;
        }
        const uint8_t *value = at;
        const gn_want *want = next < shape->count && order == 0 ? &shape->wants[next] : NULL;
        if (want != NULL && want->below != NULL && at < scan->end && *at == '{') {
            at = scan_wanted(scan, at, want->below, slots, depth + 1);
        } else {
            at = check_value(scan, at, depth);
        }
        if (at == NULL) {
            return NULL;
        }
        if (want != NULL && want->slot != GN_NONE) {
            slots[want->slot] = span_of(scan, value, at);
        }
        if (at >= scan->end || (*at != ',' && *at != '}')) {
            return gn_scan_fail_byte(scan, at);
        }
        if (*at++ == '}') {
            return at;
        }
    }
}

/* Room for one more item; its spans, cleared, or NULL. */
static gn_span *add_item(gn_scanner *scan, gn_items *items)
{
    if (items->count == items->room) {
        uint32_t room = items->room == 0 ? 8 : items->room * 2;
        gn_span *spans = gn_alloc_array(scan->arena, (size_t)room * items->stride, sizeof *spans);
        if (spans == NULL || room < items->room) {
            gn_scan_fail(scan, GN_NO_MEMORY, scan->start);
            return NULL;
        }
        if (items->count > 0) {
            memcpy(spans, items->spans, (size_t)items->count * items->stride * sizeof *spans);
        }
        items->spans = spans;
        items->room = room;
    }
    gn_span *spans = items->spans + (size_t)items->count * items->stride;
    memset(spans, 0, items->stride * sizeof *spans);
    items->count++;
    return spans;
}

/* The items of a source: the elements of an array, or the members of an object with their keys. */
static const uint8_t *scan_items(gn_scanner *scan, const uint8_t *at, const gn_source_plan *source, gn_items *items)
{
    const bool is_object = *at == '{';
    const uint8_t close = is_object ? '}' : ']';
    gn_key key = {.text.bytes = NULL};
    items->iterable = true;
    at++;
    if (at < scan->end && *at == close) {
        return at + 1;
    }
    for (;;) {
        gn_span *spans = add_item(scan, items);
        if (spans == NULL) {
            return NULL;
        }
        if (is_object) {
            at = gn_check_key(scan, at, &key);
            if (at == NULL) {
                return NULL;
            }
            spans[1] = span_of(scan, key.text.bytes - 1, key.text.bytes + key.text.size + 1);
        }
        const uint8_t *value = at;
        at = at < scan->end && *at == '{' ? scan_wanted(scan, at, &source->shape, spans + 2, 2)
                                          : check_value(scan, at, 2);
        if (at == NULL) {
            return NULL;
        }
        spans[0] = span_of(scan, value, at);
        if (at >= scan->end || (*at != ',' && *at != close)) {
            return gn_scan_fail_byte(scan, at);
        }
        if (*at++ == close) {
            return at;
        }
    }
}

static bool holds_something(const uint8_t *at, const uint8_t *end)
{
    return end - at > 2 && (*at == '{' || *at == '[');
}

/* One member of the delta: what is named goes into slots and items, what is not is remembered. */
static const uint8_t *scan_member(gn_scanner *scan, const gn_program *program, const uint8_t *at, gn_name key,
                                  const gn_want *want, gn_delta *delta)
{
    const uint8_t *value = at;
    bool iterable = at < scan->end && (*at == '{' || *at == '[');
    if (want != NULL && want->source != GN_NONE && iterable) {
        at = scan_items(scan, at, &program->sources[want->source], &delta->items[want->source]);
    } else if (want != NULL && want->below != NULL && iterable && *at == '{') {
        at = scan_wanted(scan, at, want->below, delta->slots, 1);
    } else {
        at = check_value(scan, at, 1);
    }
    if (at == NULL) {
        return NULL;
    }
    if (want == NULL) {
        if (holds_something(value, at) && !gn_buffer_put(&delta->unnamed, &key, sizeof key)) {
            return gn_scan_fail(scan, GN_NO_MEMORY, value);
        }
        return at;
    }
    if (want->slot != GN_NONE) {
        delta->slots[want->slot] = span_of(scan, value, at);
    }
    if (want->source != GN_NONE) {
        delta->items[want->source].whole = span_of(scan, value, at);
    }
    /* An object that is both a source and descended into by the delta's own rules is read twice. */
    if (want->source != GN_NONE && want->below != NULL && *value == '{') {
        return scan_wanted(scan, value, want->below, delta->slots, 1);
    }
    return at;
}

static const uint8_t *scan_members(gn_scanner *scan, const gn_program *program, const uint8_t *at, gn_delta *delta)
{
    gn_key key = {.text.bytes = NULL};
    uint32_t next = 0;
    if (at >= scan->end || *at != '{') {
        return gn_scan_fail_byte(scan, at);
    }
    at++;
    if (at < scan->end && *at == '}') {
        return at + 1;
    }
    for (;;) {
        at = gn_check_key(scan, at, &key);
        if (at == NULL) {
            return NULL;
        }
        int order = -1;
        while (next < program->root.count && (order = gn_key_order(&program->root.wants[next].key, &key)) < 0) {
            next++;
        }
        const gn_want *want = next < program->root.count && order == 0 ? &program->root.wants[next] : NULL;
        at = scan_member(scan, program, at, key.text, want, delta);
        if (at == NULL) {
            return NULL;
        }
        if (at >= scan->end || (*at != ',' && *at != '}')) {
            return gn_scan_fail_byte(scan, at);
        }
        if (*at++ == '}') {
            return at;
        }
    }
}

int gn_scan_delta(gn_arena *arena, const gn_program *program, const uint8_t *body, size_t size, gn_delta *delta,
                  uint64_t *position)
{
    gn_scanner scan;
    *position = 0;
    *delta = (gn_delta){.body = body, .unnamed = {.arena = arena}};
    delta->slots = gn_alloc_array(arena, program->root_slot_count + 1u, sizeof *delta->slots);
    delta->items = gn_alloc_array(arena, program->source_count, sizeof *delta->items);
    if (!gn_scanner_open(&scan, arena, body, size) || delta->slots == NULL || delta->items == NULL) {
        return GN_NO_MEMORY;
    }
    memset(delta->slots, 0, (program->root_slot_count + 1u) * sizeof *delta->slots);
    memset(delta->items, 0, program->source_count * sizeof *delta->items);
    for (uint32_t i = 0; i < program->source_count; i++) {
        delta->items[i].stride = 2 + program->sources[i].slot_count;
    }
    return gn_scanner_finish(&scan, scan_members(&scan, program, body, delta), position);
}
