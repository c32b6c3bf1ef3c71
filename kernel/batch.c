/* Deltas a few at a time: while the first of them apply, the memory that the others will ask for is on its way, and while
 * they are read, the texts of the next.
 *
 *     read    [0] [1] [2] [3] [4] [5]                                 texts of the next batch
 *     asked for        0   1   2   3    4   5                         entities, four deltas before they run
 *     run                              [0] [1] [2] [3] [4] [5]
 *
 * A batch is small, for what it holds is to stay in the nearest cache meanwhile. */
#include "unit.h"

#define EVENTS_AHEAD 8u     /* deltas after the one whose text is asked for whose event is */
#define ENTITIES_AHEAD 4u   /* deltas whose entities are asked for before one runs; of the next the bodies as well */

/* How many of the events in `order` are read at once: a few, and small ones; a large one by itself. */
static uint32_t batch_size(const gn_event *events, const uint32_t *order, uint32_t count)
{
    uint64_t bytes = 0;
    uint32_t size = 0;
    while (size < count && size < GN_BATCH_EVENTS) {
        bytes += events[order[size]].body_size;
        if (size > 0 && bytes > GN_BATCH_BYTES) {
            break;
        }
        size++;
    }
    return size;
}

/* Some deltas on their way: read, then run. */
typedef struct batch {
    gn_fold *fold;
    const uint8_t *text;
    const gn_event *events;
    const uint32_t *order;      /* theirs, and behind them that of the others */
    uint32_t size;
    uint32_t left;              /* all that `order` holds */
    uint32_t ahead;             /* ENTITIES_AHEAD, or all where there are fewer */
    gn_receipt *receipts;
    gn_work *works;
} batch;

/* Ask for the text of the delta that is read one batch after this one, and for where still later ones lie: in the order of
 * the fold that is anywhere. */
static GN_INLINE void ask_for_later(const batch *all, uint32_t at)
{
    const uint32_t *order = all->order + all->size + at, left = all->left - all->size;
    if (left > at + EVENTS_AHEAD) {
        __builtin_prefetch(&all->events[order[EVENTS_AHEAD] & ~GN_TIED]);
    }
    if (left > at) {
        const gn_event *later = &all->events[order[0] & ~GN_TIED];
        gn_ask_for_text(all->text + later->body_at, later->body_size);
    }
}

/* Read them and find their units, and meanwhile ask for the texts of the next, and for the entities of the first. */
static int read_batch(const batch *all, uint32_t *failed, uint64_t *position)
{
    for (uint32_t i = 0; i < all->size; i++) {
        const uint32_t index = all->order[i];
        gn_work *work = &all->works[i];
        gn_work_open(work, all->fold, all->text, &all->events[index]);
        work->event_index = index;
        work->receipt = &all->receipts[index];
        ask_for_later(all, i);
        int status = gn_work_read(work, position);
        if (status != GN_OK) {
            *failed = index;
            return status;
        }
        if (i + all->ahead >= all->size) {
            gn_units_prefetch(&all->works[i + all->ahead - all->size]);
        }
    }
    return GN_OK;
}

/* Bodies are asked for only where some were opened lately: in the end most are. */
static inline void prefetch_bodies(const batch *all, uint32_t at)
{
    if (all->fold->opening > 0 && at < all->size) {
        all->fold->opening--;
        gn_units_prefetch_bodies(&all->works[at]);
    }
}

static int run_batch(const batch *all, uint32_t *failed, uint64_t *position)
{
    *position = 0;
    prefetch_bodies(all, 0);
    for (uint32_t i = 0; i < all->size; i++) {
        if (all->size - i > all->ahead) {
            gn_units_prefetch(&all->works[i + all->ahead]);
        }
        prefetch_bodies(all, i + 1);
        int status = gn_work_run(&all->works[i]);
        if (status != GN_OK) {
            *failed = all->order[i];
            return status;
        }
    }
    return GN_OK;
}

int gn_deltas_run(gn_fold *fold, const uint8_t *text, const gn_event *events, uint32_t *order, uint32_t count,
                  gn_receipt *receipts, uint32_t *taken, uint32_t *failed, uint64_t *position)
{
    gn_arena_reset(&fold->event);
    int status = gn_sequence_settle(fold, text, events, order, count, failed, position);
    if (status != GN_OK) {
        return status;
    }
    const uint32_t size = batch_size(events, order, count);
    gn_arena_reset(&fold->event);
    const batch all = {.fold = fold, .text = text, .events = events, .order = order, .size = size, .left = count,
                       .ahead = size < ENTITIES_AHEAD ? size : ENTITIES_AHEAD, .receipts = receipts,
                       .works = gn_alloc_array(&fold->event, size, sizeof(gn_work))};
    *taken = size;
    *failed = order[0];
    status = all.works == NULL ? GN_NO_MEMORY : read_batch(&all, failed, position);
    return status != GN_OK ? status : run_batch(&all, failed, position);
}
