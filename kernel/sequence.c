/* The order of a frame's events: (utc, stream in lower case, seq, id); what the store itself took in from git last.
 *
 * SQL never orders events, since collations differ; the kernel alone does. Nearly always the times decide, and numbers
 * are sorted without comparing them; streams are looked at where times are equal. Where those are as well, ties.c
 * decides, when it is the events' turn. */
#include "state.h"

#define RUN_SIZE 8u
#define SECOND_US 1000000u
#define EVENTS_AHEAD (64 * sizeof(gn_event))    /* how far on the machine is told to read; it begins by itself too late */

/* An event's place by what nearly always decides. */
typedef struct gn_turn {
    uint64_t time;          /* microseconds, counted from the least that there can be */
    uint32_t index;
} gn_turn;

typedef struct sequencer {
    const uint8_t *text;
    const gn_event *events;
    uint32_t count;
} sequencer;

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
    for (uint32_t at = 0; at < shared; at++) {
        const uint64_t differs = gn_word_at(left + at) ^ gn_word_at(right + at);
        at += differs == 0 ? 7 : (uint32_t)__builtin_ctzll(differs) / 8; /* to the first byte that does, or the last */
        if (at < shared && lower(left[at]) != lower(right[at])) {
            return lower(left[at]) < lower(right[at]) ? -1 : 1;
        }
    }
    return (a->stream_size > b->stream_size) - (a->stream_size < b->stream_size);
}

/* Of two events at one time. */
static inline bool precedes(const sequencer *all, uint32_t a, uint32_t b)
{
    return compare_streams(all, &all->events[a], &all->events[b]) < 0;
}

/* ---- by time: some bits of it after the others, the lowest first ---- */

#define DIGIT_BITS_MAX 8u

/* Count the times in seconds from the first on; false when not all are whole seconds. */
static bool count_seconds(const gn_turn *turns, gn_turn *to, uint32_t count, uint64_t first)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t since = turns[i].time - first, second = since / SECOND_US;
        if (second * SECOND_US != since) {
            return false;
        }
        to[i] = (gn_turn){second, turns[i].index};
    }
    return true;
}

/* Sort by `bits` of the time from `shift` on; those that have the same stay as they are. */
static void sort_digit(const gn_turn *turns, gn_turn *to, uint32_t count, uint32_t shift, uint32_t bits)
{
    const uint32_t size = (uint32_t)1 << bits;
    uint32_t starts[1u << DIGIT_BITS_MAX], start = 0;
    memset(starts, 0, size * sizeof *starts);
    for (uint32_t i = 0; i < count; i++) {
        starts[turns[i].time >> shift & (size - 1)]++;
    }
    for (uint32_t i = 0; i < size; i++) {
        const uint32_t taken = starts[i];
        starts[i] = start;
        start += taken;
    }
    for (uint32_t i = 0; i < count; i++) {
        to[starts[turns[i].time >> shift & (size - 1)]++] = turns[i];
    }
}

/* Sort turns of times from `first` on with as much room beside them; returns which of the two holds the result, its
 * times counted from the first. Whole seconds have 20 bits fewer to sort by, and nearly always all are whole. */
static gn_turn *sort_times(gn_turn *turns, gn_turn *beside, uint32_t count, uint64_t first, uint64_t span)
{
    gn_turn *from = turns, *to = beside;
    if (span > 0 && count_seconds(turns, beside, count, first)) {
        span /= SECOND_US;
        from = beside;
        to = turns;
    } else {
        for (uint32_t i = 0; i < count; i++) {
            turns[i].time -= first;
        }
    }
    const uint32_t bits = span == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(span);
    const uint32_t digits = (bits + DIGIT_BITS_MAX - 1) / DIGIT_BITS_MAX;
    for (uint32_t digit = 0, shift = 0; digit < digits; digit++) {
        const uint32_t digit_bits = (bits - shift + digits - digit - 1) / (digits - digit);
        sort_digit(from, to, count, shift, digit_bits);
        gn_turn *sorted = to;
        to = from;
        from = sorted;
        shift += digit_bits;
    }
    return from;
}

/* ---- at one time: runs by insertion, then merged ---- */

static void sort_run(const sequencer *all, uint32_t *order, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const uint32_t index = order[i];
        size_t at = i;
        while (at > 0 && precedes(all, index, order[at - 1])) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = index;
    }
}

static void merge(const sequencer *all, const uint32_t *left, const uint32_t *middle, const uint32_t *end, uint32_t *to)
{
    const uint32_t *right = middle;
    while (left < middle && right < end) {
        *to++ = precedes(all, *right, *left) ? *right++ : *left++;
    }
    memcpy(to, left, (size_t)(middle - left) * sizeof *to);
    memcpy(to + (middle - left), right, (size_t)(end - right) * sizeof *to);
}

/* Sort events of one time by stream, with as much room for them beside, and mark those that are of one. */
static void sort_equals(const sequencer *all, uint32_t *order, size_t count, uint32_t *beside)
{
    uint32_t *from = order, *to = beside;
    for (size_t at = 0; at < count; at += RUN_SIZE) {
        sort_run(all, order + at, count - at < RUN_SIZE ? count - at : RUN_SIZE);
    }
    for (size_t width = RUN_SIZE; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            const size_t middle = count - low < width ? count : low + width;
            const size_t high = count - low < 2 * width ? count : low + 2 * width;
            merge(all, from + low, from + middle, from + high, to + low);
        }
        uint32_t *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != order) {
        memcpy(order, from, count * sizeof *order);
    }
    for (size_t i = count - 1; i > 0; i--) {
        order[i] |= precedes(all, order[i - 1], order[i]) ? 0 : GN_TIED;
    }
}

/* ---- all of them ---- */

static bool is_absorb(const uint8_t *text, const gn_event *event)
{
    const uint8_t *stream = text + event->stream_at;
    return event->own != 0 && event->stream_size == 3 && lower(stream[0]) == 'g' && lower(stream[1]) == 'i' &&
           lower(stream[2]) == 't';
}

/* Order the events that were absorbed, or those that were not; returns behind the last. */
static uint32_t *put_sorted(const sequencer *all, bool absorbed, gn_turn *turns, uint32_t *order)
{
    uint64_t first = UINT64_MAX, last = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        __builtin_prefetch((const void *)((uintptr_t)&all->events[i] + EVENTS_AHEAD));
        if (is_absorb(all->text, &all->events[i]) == absorbed) {
            const uint64_t time = (uint64_t)all->events[i].utc_us ^ (uint64_t)1 << 63;
            turns[count++] = (gn_turn){time, i};
            first = time < first ? time : first;
            last = time > last ? time : last;
        }
    }
    gn_turn *beside = turns + all->count;
    const gn_turn *sorted = sort_times(turns, beside, count, first, count == 0 ? 0 : last - first);
    uint32_t *room = (uint32_t *)(void *)(sorted == turns ? beside : turns);
    for (uint32_t i = 0; i < count; i++) {
        order[i] = sorted[i].index;
    }
    for (uint32_t from = 0, to = 1; to < count; from = to++) {
        if (sorted[from].time == sorted[to].time) {
            do {
                to++;
            } while (to < count && sorted[from].time == sorted[to].time);
            sort_equals(all, order + from, to - from, room);
        }
    }
    return order + count;
}

bool gn_sequence(gn_fold *fold, const uint8_t *text, const gn_event *events, uint32_t count, uint32_t **order)
{
    const sequencer all = {.text = text, .events = events, .count = count};
    gn_turn *turns = gn_alloc_array(&fold->call, count, 2 * sizeof *turns);
    *order = gn_alloc_array(&fold->call, count, sizeof **order);
    if (turns == NULL || *order == NULL) {
        return false;
    }
    const uint32_t *absorbed = put_sorted(&all, false, turns, *order);
    if (absorbed < *order + count) {
        put_sorted(&all, true, turns, *order + (absorbed - *order));
    }
    return true;
}
