/* The order of a frame's events: (utc, stream in lower case, seq, id); what the store itself took in from git last.
 *
 * SQL never orders events, since collations differ; this file alone does. `seq` lies inside the body and is
 * looked up only where time and stream are equal. */
#include "state.h"

typedef struct sequencer {
    gn_fold *fold;
    const uint8_t *text;
    int status;
    uint32_t failed_event;
    uint64_t failed_at;
} sequencer;

typedef struct place_in_frame {
    sequencer *all;
    const gn_event *event;
    gn_name stream;         /* in lower case */
    gn_int128 seq;
    uint32_t index;
    bool seq_known;
    bool is_absorb;
} place_in_frame;

/* seq where it is an integer, else 0. The body is checked first: it may hold anything. */
static gn_int128 seq_of(place_in_frame *item)
{
    static const gn_name field = {(const uint8_t *)"seq", 3};
    sequencer *all = item->all;
    if (item->seq_known) {
        return item->seq;
    }
    gn_name body = {all->text + item->event->body_at, item->event->body_size};
    uint64_t position = 0;
    gn_arena_reset(&all->fold->event);
    int status = gn_scan_value(&all->fold->event, body.bytes, body.size, &position);
    if (status != GN_OK && all->status == GN_OK) {
        all->status = status;
        all->failed_event = item->index;
        all->failed_at = position;
    }
    item->seq_known = true;
    if (status == GN_OK && body.bytes[0] == '{') {
        gn_place place = gn_find(body, false, &field, 1);
        gn_name value = {body.bytes + place.at, place.end - place.at};
        if (place.missing_from == 1 && !gn_integer_parse(value, &item->seq)) {
            item->seq = 0;
        }
    }
    return item->seq;
}

static int compare_events(const void *a, const void *b)
{
    /* The sort hands items on as const; only their cached seq is written. */
    place_in_frame *left = (place_in_frame *)(uintptr_t)a;
    place_in_frame *right = (place_in_frame *)(uintptr_t)b;
    if (left->is_absorb != right->is_absorb) {
        return left->is_absorb ? 1 : -1;
    }
    if (left->event->utc_us != right->event->utc_us) {
        return left->event->utc_us < right->event->utc_us ? -1 : 1;
    }
    int order = gn_name_compare(left->stream, right->stream);
    if (order != 0) {
        return order;
    }
    gn_int128 left_seq = seq_of(left), right_seq = seq_of(right);
    if (left_seq != right_seq) {
        return left_seq < right_seq ? -1 : 1;
    }
    return memcmp(left->event->id, right->event->id, sizeof left->event->id);
}

static bool lower_case(gn_arena *arena, const uint8_t *bytes, uint32_t size, gn_name *lower)
{
    uint8_t *out = gn_alloc(arena, size);
    if (out == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < size; i++) {
        out[i] = bytes[i] >= 'A' && bytes[i] <= 'Z' ? (uint8_t)(bytes[i] + 32) : bytes[i];
    }
    *lower = (gn_name){out, size};
    return true;
}

static bool fill(sequencer *all, const gn_event *events, uint32_t count, place_in_frame *items, void **pointers)
{
    static const gn_name git = {(const uint8_t *)"git", 3};
    for (uint32_t i = 0; i < count; i++) {
        gn_name stream;
        if (!lower_case(&all->fold->call, all->text + events[i].stream_at, events[i].stream_size, &stream)) {
            return false;
        }
        bool is_absorb = events[i].own != 0 && gn_name_equal(stream, git);
        items[i] = (place_in_frame){.all = all, .event = &events[i], .stream = stream, .index = i,
                                    .is_absorb = is_absorb};
        pointers[i] = &items[i];
    }
    return true;
}

int gn_sequence(gn_fold *fold, const uint8_t *text, const gn_event *events, uint32_t count, uint32_t **order,
                uint64_t *event_at, uint64_t *position)
{
    sequencer all = {.fold = fold, .text = text, .status = GN_OK};
    place_in_frame *items = gn_alloc_array(&fold->call, count, sizeof *items);
    void **pointers = gn_alloc_array(&fold->call, count, sizeof *pointers);
    *order = gn_alloc_array(&fold->call, count, sizeof **order);
    if (items == NULL || pointers == NULL || *order == NULL || !fill(&all, events, count, items, pointers) ||
        !gn_sort(&fold->call, pointers, count, compare_events)) {
        return GN_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        (*order)[i] = ((const place_in_frame *)pointers[i])->index;
    }
    *event_at = all.failed_event;
    *position = all.failed_at;
    return all.status;
}
