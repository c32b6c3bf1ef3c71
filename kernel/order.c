/* Members in key order; see order.h. */
#include "order.h"

typedef struct object_record {
    uint32_t begin;
    uint32_t end;
    uint32_t next;          /* the number of the first object behind this one */
    uint32_t span_first;
    uint32_t span_count;    /* 0: in order itself, but something inside is not */
} object_record;

typedef struct span {
    uint32_t begin;
    uint32_t end;
    uint32_t object;
} span;

/* A piece being copied; on the stack what is left of one while an object inside it is permuted. */
typedef struct visit {
    uint32_t after;         /* where copying goes on: on the stack, at the object's closing brace */
    uint32_t limit;         /* and how far */
    uint32_t object;        /* the first object there has this number or a later one */
    uint32_t span;          /* on the stack: the object's member being copied */
    uint32_t span_end;
} visit;

static gn_member *members_of(const gn_order *order)
{
    return (gn_member *)(void *)order->members.data;
}

static object_record *objects_of(const gn_order *order)
{
    return (object_record *)(void *)order->objects.data;
}

static uint32_t member_count(const gn_order *order)
{
    return (uint32_t)(order->members.size / sizeof(gn_member));
}

static uint32_t object_count(const gn_order *order)
{
    return (uint32_t)(order->objects.size / sizeof(object_record));
}

static uint32_t span_count(const gn_order *order)
{
    return (uint32_t)(order->spans.size / sizeof(span));
}

void gn_order_open(gn_order *order, gn_arena *scratch)
{
    gn_buffer empty = {.arena = scratch};
    *order = (gn_order){.scratch = scratch, .members = empty, .objects = empty, .spans = empty};
}

bool gn_order_open_object(gn_order *order, uint32_t begin, gn_open_object *object)
{
    *object = (gn_open_object){.number = object_count(order),
                               .member_first = member_count(order),
                               .span_first = span_count(order),
                               .sorted = true};
    object_record record = {.begin = begin};
    return gn_buffer_put(&order->objects, &record, sizeof record);
}

int gn_order_add(gn_order *order, gn_open_object *object, gn_member member, const uint8_t *written)
{
    member.prefix = gn_member_prefix(&member, written);
    member.object = object_count(order);
    if (object->sorted && member_count(order) > object->member_first) {
        int ascent = gn_member_compare(&member, &members_of(order)[member_count(order) - 1], written);
        if (ascent == 0) {
            return GN_JSON_DUPLICATE_KEY;
        }
        object->sorted = ascent > 0;
    }
    return gn_buffer_put(&order->members, &member, sizeof member) ? GN_OK : GN_NO_MEMORY;
}

void gn_order_end_member(gn_order *order, uint32_t end)
{
    assert(order->members.size > 0);
    members_of(order)[member_count(order) - 1].end = end;
}

/* ---- closing an object ---- */

/* Equal keys are neighbours now; the first second one in the text is the one to name. */
static bool find_duplicate(const gn_member *members, size_t count, const uint8_t *written, uint32_t *source)
{
    bool found = false;
    for (size_t at = 1; at < count; at++) {
        if (gn_member_compare(&members[at - 1], &members[at], written) == 0 &&
            (!found || members[at].source < *source)) {
            *source = members[at].source;
            found = true;
        }
    }
    return found;
}

static int keep_spans(gn_order *order, gn_member *members, uint32_t count, const uint8_t *written,
                      uint32_t *source)
{
    if (!gn_member_sort(order->scratch, members, count, written) ||
        !gn_buffer_reserve(&order->spans, count * sizeof(span))) {
        return GN_NO_MEMORY;
    }
    if (find_duplicate(members, count, written, source)) {
        return GN_JSON_DUPLICATE_KEY;
    }
    for (uint32_t at = 0; at < count; at++) {
        span kept = {members[at].key_at - 1, members[at].end, members[at].object};
        gn_buffer_put(&order->spans, &kept, sizeof kept);
    }
    return GN_OK;
}

int gn_order_close_object(gn_order *order, const gn_open_object *object, uint32_t end,
                          const uint8_t *written, uint32_t *source)
{
    uint32_t count = member_count(order) - object->member_first;
    uint32_t span_first = span_count(order);
    if (!object->sorted) {
        int status = keep_spans(order, members_of(order) + object->member_first, count, written, source);
        if (status != GN_OK) {
            return status;
        }
    }
    order->members.size = object->member_first * sizeof(gn_member);
    if (span_count(order) == object->span_first) {
        order->objects.size = object->number * sizeof(object_record);
        return GN_OK;
    }
    object_record *record = &objects_of(order)[object->number];
    record->end = end;
    record->next = object_count(order);
    record->span_first = span_first;
    record->span_count = object->sorted ? 0 : count;
    return GN_OK;
}

/* ---- copying in order ---- */

bool gn_order_is_sorted(const gn_order *order)
{
    return order->spans.size == 0;
}

/* Most pieces are short: 16 bytes at a time, past their end into room that is written again or spare. */
static uint8_t *copy_piece(uint8_t *to, const uint8_t *from, uint32_t size)
{
    if (size > 8 * GN_COPY_SLACK) {
        memcpy(to, from, size);
    } else {
        for (uint32_t at = 0; at < size; at += GN_COPY_SLACK) {
            memcpy(to + at, from + at, GN_COPY_SLACK);
        }
    }
    return to + size;
}

/* The first object from `number` on that begins before `limit` and is to be permuted; or the one behind. */
static uint32_t find_unsorted(const gn_order *order, uint32_t number, uint32_t limit)
{
    const object_record *objects = objects_of(order);
    uint32_t count = object_count(order);
    while (number < count && objects[number].begin < limit && objects[number].span_count == 0) {
        number++;
    }
    return number < count && objects[number].begin < limit ? number : count;
}

static visit begin_span(const gn_order *order, uint32_t number)
{
    const span *next = (const span *)(const void *)order->spans.data + number;
    return (visit){.after = next->begin, .limit = next->end, .object = next->object};
}

bool gn_order_copy(gn_order *order, const uint8_t *written, uint32_t size, uint8_t *to)
{
    gn_buffer stack = {.arena = order->scratch};
    visit here = {.limit = size};
    for (;;) {
        uint32_t number = find_unsorted(order, here.object, here.limit);
        if (number < object_count(order)) {
            const object_record *object = &objects_of(order)[number];
            to = copy_piece(to, written + here.after, object->begin + 1 - here.after);
            visit rest = {.span = object->span_first,
                          .span_end = object->span_first + object->span_count,
                          .after = object->end - 1,
                          .limit = here.limit,
                          .object = object->next};
            if (!gn_buffer_put(&stack, &rest, sizeof rest)) {
                return false;
            }
            here = begin_span(order, rest.span);
            continue;
        }
        to = copy_piece(to, written + here.after, here.limit - here.after);
        if (stack.size == 0) {
            return true;
        }
        visit *top = (visit *)(void *)(stack.data + stack.size) - 1;
        if (++top->span < top->span_end) {
            *to++ = ',';
            here = begin_span(order, top->span);
        } else {
            here = *top;
            stack.size -= sizeof *top;
        }
    }
}
