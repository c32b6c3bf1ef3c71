/* The order of a frame's events: (utc, stream in lower case, seq, id); what the store itself took in from git last.
 *
 * SQL never orders events, since collations differ; this file alone does. Nearly always the times decide; streams
 * are looked at where times are equal, and `seq`, which lies inside the body, where streams are too. */
#include "scan.h"

#define RUN_SIZE 8u

/* An event's place by what nearly always decides. */
typedef struct gn_turn {
    int64_t utc_us;
    uint32_t index;
    uint32_t is_absorb;
} gn_turn;

typedef struct sequencer {
    gn_fold *fold;
    const uint8_t *text;
    const gn_event *events;
    uint32_t count;
    gn_int128 *seqs;        /* of each event, once somebody asked for one */
    bool *seq_known;
    int status;
    uint32_t failed_event;
    uint64_t failed_at;
} sequencer;

static void fail(sequencer *all, int status, uint32_t index, uint64_t position)
{
    if (all->status == GN_OK) {
        all->status = status;
        all->failed_event = index;
        all->failed_at = position;
    }
}

static bool open_seqs(sequencer *all)
{
    if (all->seqs == NULL) {
        all->seqs = gn_alloc_array(&all->fold->call, all->count, sizeof *all->seqs);
        all->seq_known = gn_alloc_array(&all->fold->call, all->count, sizeof *all->seq_known);
        if (all->seqs == NULL || all->seq_known == NULL) {
            all->seqs = NULL;
            return false;
        }
        memset(all->seq_known, 0, all->count * sizeof *all->seq_known);
    }
    return true;
}

/* May the text hold a member `seq`? Nearly none does, and no canonical text spells the name otherwise. */
static bool may_hold_seq(gn_name text)
{
    uint32_t at = 0;
#if defined(__SSE2__)
    for (; text.size - at >= 16 + 3; at += 16) {
        const __m128i *there = (const __m128i *)(const void *)(text.bytes + at);
        const __m128i *behind = (const __m128i *)(const void *)(text.bytes + at + 3);
        const __m128i quote = _mm_cmpeq_epi8(_mm_loadu_si128(there), _mm_set1_epi8('"'));
        const __m128i q = _mm_cmpeq_epi8(_mm_loadu_si128(behind), _mm_set1_epi8('q'));
        uint32_t found = (uint32_t)_mm_movemask_epi8(_mm_and_si128(quote, q));
        for (; found != 0; found &= found - 1) {
            if (memcmp(text.bytes + at + __builtin_ctz(found), "\"seq", 4) == 0) {
                return true;
            }
        }
    }
#endif
    for (; text.size - at >= 4; at++) {
        if (memcmp(text.bytes + at, "\"seq", 4) == 0) {
            return true;
        }
    }
    return false;
}

/* seq where it is an integer, else 0. The body is checked first: it may hold anything. */
static gn_int128 seq_of(sequencer *all, uint32_t index)
{
    static const gn_name field = {(const uint8_t *)"seq", 3};
    if (!open_seqs(all)) {
        fail(all, GN_NO_MEMORY, index, 0);
        return 0;
    }
    if (all->seq_known[index]) {
        return all->seqs[index];
    }
    const gn_name body = {all->text + all->events[index].body_at, all->events[index].body_size};
    gn_int128 seq = 0;
    uint64_t position = 0;
    if (may_hold_seq(body)) {
        gn_arena_reset(&all->fold->event);
        int status = gn_scan_value(&all->fold->event, body.bytes, body.size, &position);
        if (status != GN_OK) {
            fail(all, status, index, position);
        } else if (body.bytes[0] == '{') {
            gn_place place = gn_find(body, false, &field, 1);
            gn_name value = {body.bytes + place.at, place.end - place.at};
            if (place.missing_from == 1 && !gn_integer_parse(value, &seq)) {
                seq = 0;
            }
        }
    }
    all->seq_known[index] = true;
    all->seqs[index] = seq;
    return seq;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
}

static int compare_streams(const sequencer *all, const gn_event *a, const gn_event *b)
{
    const uint8_t *left = all->text + a->stream_at, *right = all->text + b->stream_at;
    if (left == right && a->stream_size == b->stream_size) {
        return 0; /* a stream's name stands in the buffer once */
    }
    const uint32_t shared = a->stream_size < b->stream_size ? a->stream_size : b->stream_size;
    for (uint32_t i = 0; i < shared; i++) {
        if (lower(left[i]) != lower(right[i])) {
            return lower(left[i]) < lower(right[i]) ? -1 : 1;
        }
    }
    return (a->stream_size > b->stream_size) - (a->stream_size < b->stream_size);
}

static GN_COLD bool precedes_at_one_time(sequencer *all, uint32_t a, uint32_t b)
{
    const gn_event *left = &all->events[a], *right = &all->events[b];
    int order = compare_streams(all, left, right);
    if (order != 0) {
        return order < 0;
    }
    const gn_int128 left_seq = seq_of(all, a), right_seq = seq_of(all, b);
    if (left_seq != right_seq) {
        return left_seq < right_seq;
    }
    return memcmp(left->id, right->id, sizeof left->id) < 0;
}

static inline bool precedes(sequencer *all, const gn_turn *a, const gn_turn *b)
{
    if (a->is_absorb != b->is_absorb) {
        return b->is_absorb != 0;
    }
    return a->utc_us != b->utc_us ? a->utc_us < b->utc_us : precedes_at_one_time(all, a->index, b->index);
}

/* ---- sorting: runs by insertion, then merged ---- */

static void sort_run(sequencer *all, gn_turn *turns, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const gn_turn turn = turns[i];
        size_t at = i;
        while (at > 0 && precedes(all, &turn, &turns[at - 1])) {
            turns[at] = turns[at - 1];
            at--;
        }
        turns[at] = turn;
    }
}

static void merge(sequencer *all, const gn_turn *left, const gn_turn *middle, const gn_turn *end, gn_turn *to)
{
    const gn_turn *right = middle;
    while (left < middle && right < end) {
        *to++ = precedes(all, right, left) ? *right++ : *left++;
    }
    memcpy(to, left, (size_t)(middle - left) * sizeof *to);
    memcpy(to + (middle - left), right, (size_t)(end - right) * sizeof *to);
}

/* Sort turns with as much room beside them; returns which of the two holds the result. */
static gn_turn *sort_turns(sequencer *all, gn_turn *turns, gn_turn *beside)
{
    const size_t count = all->count;
    for (size_t at = 0; at < count; at += RUN_SIZE) {
        sort_run(all, turns + at, count - at < RUN_SIZE ? count - at : RUN_SIZE);
    }
    for (size_t width = RUN_SIZE; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            const size_t middle = count - low < width ? count : low + width;
            const size_t high = count - low < 2 * width ? count : low + 2 * width;
            merge(all, turns + low, turns + middle, turns + high, beside + low);
        }
        gn_turn *sorted = beside;
        beside = turns;
        turns = sorted;
    }
    return turns;
}

int gn_sequence(gn_fold *fold, const uint8_t *text, const gn_event *events, uint32_t count, uint32_t **order,
                uint64_t *event_at, uint64_t *position)
{
    sequencer all = {.fold = fold, .text = text, .events = events, .count = count, .status = GN_OK};
    gn_turn *turns = gn_alloc_array(&fold->call, count, 2 * sizeof *turns);
    *order = gn_alloc_array(&fold->call, count, sizeof **order);
    if (turns == NULL || *order == NULL) {
        return GN_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *stream = text + events[i].stream_at;
        bool is_absorb = events[i].own != 0 && events[i].stream_size == 3 && lower(stream[0]) == 'g' &&
                         lower(stream[1]) == 'i' && lower(stream[2]) == 't';
        turns[i] = (gn_turn){.utc_us = events[i].utc_us, .index = i, .is_absorb = is_absorb};
    }
    const gn_turn *sorted = sort_turns(&all, turns, turns + count);
    for (uint32_t i = 0; i < count; i++) {
        (*order)[i] = sorted[i].index;
    }
    *event_at = all.failed_event;
    *position = all.failed_at;
    return all.status;
}
