/* A delta, read in one pass: where the things are that the rules name.
 *
 * Nearly all members come with the key that is expected (expected.c) and hold a plain string or a small number: one
 * loop (plain_members.h) notes those, at the top and right below it, and stops at the first that is anything else, which
 * is read by itself (any_members.h). */
#include "any_members.h"

#define SPANS_FIRST 48u     /* for items, with the delta: as many as most deltas need */

/* The value of a member at the top that is read by the same loop as the top: an object of which the rules want
 * something, or the elements of an array that are objects. */
typedef struct inner {
    const gn_want *want;    /* NULL: reading is at the top */
    const uint8_t *value;   /* where it begins, and the object at hand */
    const uint8_t *object;
    gn_source_plan *source; /* NULL: it is no array of items */
    gn_items *items;
    gn_expected *after;     /* what is expected behind the member */
} inner;

/* Go into the value of a member at the top, if it is one of those; *now is in front of the member. */
static inline bool enter(reader *in, inner *into, gn_point *now, gn_span **slots)
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
        *into = (inner){.want = want, .value = value, .object = value, .after = expected + 1};
        *now = (gn_point){value, want->below->expected};
        return true;
    }
    gn_source_plan *const source = &in->program->sources[want->source];
    gn_items *const items = &in->delta->items[want->source];
    if (memcmp(value, "[{", 2) != 0) {
        return false;
    }
    open_items(in, source, items);
    if (!has_room(in, items)) {
        return false;
    }
    *into = (inner){want, value, value + 1, source, items, expected + 1};
    *now = (gn_point){value + 1, source->shape.expected};
    *slots = in->spans + 2;
    return true;
}

/* The object at hand ends at *now, or goes on there with what is not plain. True: so does the next, and is at hand.
 * Else *behind is behind the value, NULL on failure. */
static inline bool leave(reader *in, inner *from, gn_point *now, gn_span **slots, const uint8_t **behind)
{
    gn_shape *const shape = from->source != NULL ? &from->source->shape : from->want->below;
    const uint8_t *at = object_end(in, from->object, *now, shape, *slots, 2);
    if (at == NULL || from->source == NULL) {
        *behind = at;
        return false;
    }
    take_item(in, from->items, from->object, at);
    if (memcmp(at, ",{", 2) == 0 && in->scan.end - at > 1) {
        *behind = NULL;
        from->object = at + 1;
        *now = (gn_point){at + 1, shape->expected};
        const bool has_next = has_room(in, from->items);
        *slots = in->spans + 2;
        return has_next;
    }
    *behind = *at == ']' && at < in->scan.end ? at + 1 : scan_elements(in, at, from->source, from->items);
    return false;
}

/* The top of a delta, which begins at `first`. Nearly all of it are plain members, its own or those of objects right
 * below it: one loop reads them all. */
static const uint8_t *scan_top(reader *in, const uint8_t *first)
{
    const uint8_t *const start = in->scan.start, *const end = in->scan.end;
    gn_shape *const root = &in->program->root;
    gn_span *const top = in->delta->slots, *slots = top;
    const uint8_t *spare_key = NULL, *behind;
    gn_point now = {first, root->expected};
    inner at = {.want = NULL};
    for (;;) {
        if (now.next->is_plain) {
            const gn_point then = gn_plain_members(now, slots, start, end, in->program->delta_number);
            spare_key = then.at > now.at ? NULL : spare_key;
            now = then;
        }
        if (at.want != NULL) {
            if (leave(in, &at, &now, &slots, &behind)) {
                continue;
            }
            if (behind == NULL) {
                return NULL;
            }
            if (at.items != NULL) {
                at.items->whole = span_of(in, at.value, behind);
            }
            if (at.want->slot != GN_NONE) {
                top[at.want->slot] = span_of(in, at.value, behind);
            }
            now = (gn_point){behind, at.after};
            slots = top;
            at.want = NULL;
        } else if (now.at == first && first[1] == '}') {
            return close_object(in, first + 1);
        } else if (is_separator(in, now.at, first)) {
            if (enter(in, &at, &now, &slots)) {
                spare_key = NULL;
                continue;
            }
            if (!scan_member(in, &now, root, slots, 1, &spare_key)) {
                return NULL;
            }
        }
        if (!is_separator(in, now.at, first)) {
            return close_object(in, now.at);
        }
    }
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
