/* Events of one stream at one time, in the order of (seq, id); sequence.c leaves them next to each other, and marked.
 *
 * `seq` lies inside the body. Bodies are looked into shortly before they are read anyway, when their memory is on its
 * way, and not when the frame is put in order. */
#include "state.h"

/* One of them. */
typedef struct tied {
    gn_int128 seq;
    const uint8_t *id;
    uint32_t index;
} tied;

/* May the text hold a member `seq`? Nearly none does, and no canonical text spells the name otherwise. */
static bool may_hold_seq(gn_name text)
{
    const uint8_t *const end = text.bytes + text.size, *at = text.bytes + 3;
    while (at < end && (at = memchr(at, 'q', (size_t)(end - at))) != NULL) {
        if (memcmp(at - 3, "\"seq", 4) == 0) {
            return true;
        }
        at++;
    }
    return false;
}

/* seq where it is an integer, else 0. The body is checked first: it may hold anything. */
static int read_seq(gn_fold *fold, gn_name body, gn_int128 *seq, uint64_t *position)
{
    static const gn_name field = {(const uint8_t *)"seq", 3};
    *seq = 0;
    if (!may_hold_seq(body)) {
        return GN_OK;
    }
    const gn_arena_mark mark = gn_arena_here(&fold->event);
    const int status = gn_scan_value(&fold->event, body.bytes, body.size, position);
    gn_arena_back(&fold->event, mark);
    if (status == GN_OK && body.bytes[0] == '{') {
        const gn_place place = gn_find(body, false, &field, 1);
        const gn_name value = {body.bytes + place.at, place.end - place.at};
        if (place.missing_from == 1 && !gn_integer_parse(value, seq)) {
            *seq = 0;
        }
    }
    return status;
}

static int compare_tied(const void *a, const void *b)
{
    const tied *left = a, *right = b;
    if (left->seq != right->seq) {
        return left->seq < right->seq ? -1 : 1;
    }
    return memcmp(left->id, right->id, sizeof((gn_event *)NULL)->id);
}

/* Put `count` events in order. */
static int settle(gn_fold *fold, const uint8_t *text, const gn_event *events, uint32_t *order, uint32_t count,
                  uint32_t *failed, uint64_t *position)
{
    tied *all = gn_alloc_array(&fold->event, count, sizeof *all);
    void **sorted = gn_alloc_array(&fold->event, count, sizeof *sorted);
    *failed = order[0];
    if (all == NULL || sorted == NULL) {
        return GN_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t index = order[i] & ~GN_TIED;
        const gn_event *event = &events[index];
        all[i] = (tied){.id = event->id, .index = index};
        sorted[i] = &all[i];
        int status = read_seq(fold, (gn_name){text + event->body_at, event->body_size}, &all[i].seq, position);
        if (status != GN_OK) {
            *failed = index;
            return status;
        }
    }
    if (!gn_sort(&fold->event, sorted, count, compare_tied)) {
        return GN_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        order[i] = ((const tied *)sorted[i])->index;
    }
    return GN_OK;
}

int gn_sequence_settle(gn_fold *fold, const uint8_t *text, const gn_event *events, uint32_t *order, uint32_t count,
                       uint32_t *failed, uint64_t *position)
{
    const uint32_t wanted = count < GN_BATCH_EVENTS ? count : GN_BATCH_EVENTS;
    int status = GN_OK;
    for (uint32_t from = 0, to; status == GN_OK && from < wanted; from = to) {
        to = from + 1;
        while (to < count && (order[to] & GN_TIED) != 0) {
            to++;
        }
        if (to - from > 1) {
            status = settle(fold, text, events, order + from, to - from, failed, position);
        }
    }
    return status;
}
