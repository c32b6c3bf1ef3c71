/* A delta, read in one pass: where the things are that the rules name.
 *
 * Nearly all members come with the key that is expected (expected.c) and hold a plain string or a small number: a
 * short loop (plain_members.h) notes those, at the top and in objects right below it, and stops at the first that is
 * anything else, which is read by itself (any_members.h). */
#include "any_members.h"

#define SPANS_FIRST 48u     /* for items, with the delta: as many as most deltas need */

/* The elements of an array whose first is the object at `object`: as long as objects come, here, and all others by
 * scan_elements. */
static GN_NO_INLINE const uint8_t *scan_objects(reader *in, const uint8_t *object, gn_source_plan *source, gn_items *items)
{
    const uint8_t *const start = in->scan.start, *const end = in->scan.end;
    gn_expected *const expected = source->shape.expected;
    const uint8_t delta_number = in->program->delta_number;
    while (has_room(in, items)) {
        gn_span *const slots = in->spans + 2;
        gn_point now = {object, expected};
        if (expected->is_plain) {
            now = gn_plain_members(now, slots, start, end, delta_number);
        }
        const uint8_t *const behind = object_end(in, object, now, &source->shape, slots, 2);
        if (behind == NULL) {
            return NULL;
        }
        take_item(in, items, object, behind);
        if (end - behind <= 1 || memcmp(behind, ",{", 2) != 0) {
            return *behind == ']' && behind < end ? behind + 1 : scan_elements(in, behind, source, items);
        }
        object = behind + 1;
    }
    return NULL;
}

/* The value of the member at *now, if it is one of those that are read here; *behind is behind it, NULL on failure. */
static inline bool scan_inner(reader *in, gn_point *now, const uint8_t **behind)
{
    gn_expected *const expected = now->next;
    const uint8_t *const value = now->at + 1 + expected->size, *const end = in->scan.end;
    const gn_want *const want = expected->want;
    const bool is_there = (gn_difference(expected, now->at + 1) & expected->key_mask) == 0 && end - value > 1;
    if (expected->is_plain || want == NULL || !is_there) {
        return false;
    }
    if (want->source == GN_NONE) {
        if (*value != '{') {
            return false;
        }
        *behind = scan_object(in, value, want->below, in->delta->slots, 2);
    } else {
        gn_source_plan *const source = &in->program->sources[want->source];
        gn_items *const items = &in->delta->items[want->source];
        if (memcmp(value, "[{", 2) != 0) {
            return false;
        }
        open_items(in, source, items);
        *behind = scan_objects(in, value + 1, source, items);
        if (*behind != NULL) {
            items->whole = span_of(in, value, *behind);
        }
    }
    if (*behind != NULL && want->slot != GN_NONE) {
        in->delta->slots[want->slot] = span_of(in, value, *behind);
    }
    *now = (gn_point){*behind, expected + 1};
    return true;
}

/* The top of a delta, which begins at `first`. */
static const uint8_t *scan_top(reader *in, const uint8_t *first)
{
    const uint8_t *const start = in->scan.start, *const end = in->scan.end;
    gn_shape *const root = &in->program->root;
    gn_span *const slots = in->delta->slots;
    const uint8_t *spare_key = NULL, *behind;
    gn_point now = {first, root->expected};
    if (first[1] == '}') {
        return close_object(in, first + 1);
    }
    do {
        if (now.next->is_plain) {
            const gn_point then = gn_plain_members(now, slots, start, end, in->program->delta_number);
            spare_key = then.at > now.at ? NULL : spare_key;
            now = then;
            if (!is_separator(in, now.at, first)) {
                break;
            }
        }
        if (scan_inner(in, &now, &behind)) {
            spare_key = NULL;
        } else if (!scan_member(in, &now, root, slots, 1, &spare_key)) {
            return NULL;
        }
        if (now.at == NULL) {
            return NULL;
        }
    } while (is_separator(in, now.at, first));
    return close_object(in, now.at);
}

int gn_scan_delta(gn_arena *arena, gn_program *program, const uint8_t *body, size_t size, gn_delta *delta,
                  uint64_t *position)
{
    reader in; /* but for the spare key, which is written before it is read */
    const size_t slots_size = (program->root_slot_count + (size_t)1) * sizeof *delta->slots;
    const size_t items_size = program->source_count * sizeof *delta->items;
    const size_t room_size = items_size + slots_size + SPANS_FIRST * sizeof *delta->slots;
    *position = 0;
    uint8_t *room = size > GN_SCAN_SIZE_MAX ? NULL : gn_alloc(arena, room_size);
    if (room == NULL) {
        return GN_NO_MEMORY;
    }
    *delta = (gn_delta){.body = body, .unnamed = {.arena = arena}};
    delta->items = (gn_items *)(void *)room;
    delta->slots = (gn_span *)(void *)(room + items_size);
    memset(room, 0, room_size);
    in.spans = delta->slots + program->root_slot_count + 1;
    in.spans_end = in.spans + SPANS_FIRST;
    gn_scanner_open(&in.scan, arena, body, size);
    in.program = program;
    program->delta_number++;
    in.delta = delta;
    const uint8_t *behind = size == 0 || *body != '{' ? gn_scan_fail_byte(&in.scan, body)
                                                      : scan_top(&in, body);
    return gn_scanner_finish(&in.scan, behind, position);
}
