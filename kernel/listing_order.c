/* Which entity stands on which line: all of a document's, by key.
 *
 * New ones are sorted by themselves and then take their places among the others, from the last key down, so each
 * entry moves once. */
#include "state.h"

/* An entity to be put in order; where the first bytes of the keys differ, they decide without a look at the rest. */
typedef struct candidate {
    uint64_t prefix;        /* the first 8 bytes, big-endian, zeros behind */
    const gn_entity *entity;
} candidate;

static candidate candidate_of(const gn_entity *entity)
{
    const gn_name key = gn_entity_key(entity);
    candidate made = {0, entity};
    for (uint32_t i = 0; i < 8; i++) {
        made.prefix = made.prefix << 8 | (i < key.size ? key.bytes[i] : 0);
    }
    return made;
}

static bool is_before(const candidate *a, const candidate *b)
{
    return a->prefix != b->prefix ? a->prefix < b->prefix
                                  : gn_name_compare(gn_entity_key(a->entity), gn_entity_key(b->entity)) < 0;
}

/* Merge from[low..middle) and from[middle..high), each in order, into the same places of `to`. */
static void merge_runs(const candidate *from, candidate *to, size_t low, size_t middle, size_t high)
{
    size_t left = low, right = middle, at = low;
    while (left < middle && right < high) {
        to[at++] = is_before(&from[right], &from[left]) ? from[right++] : from[left++];
    }
    memcpy(to + at, from + left, (middle - left) * sizeof *to);
    memcpy(to + at + (middle - left), from + right, (high - right) * sizeof *to);
}

/* The document's entities from `first` on, by key, in the arena of the call; NULL when memory ends. */
static candidate *sorted_entities(gn_fold *fold, const gn_document *document, uint32_t first)
{
    const size_t count = document->entity_count - first;
    candidate *from = gn_alloc_array(&fold->call, count, sizeof *from);
    candidate *to = gn_alloc_array(&fold->call, count, sizeof *to);
    if (from == NULL || to == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        from[i] = candidate_of(gn_document_entity(document, first + (uint32_t)i));
    }
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            const size_t middle = low + width < count ? low + width : count;
            merge_runs(from, to, low, middle, middle + width < count ? middle + width : count);
        }
        candidate *swapped = from;
        from = to;
        to = swapped;
    }
    return from;
}

static bool reserve_entries(gn_fold *fold, gn_listing *listing, uint32_t count)
{
    if (count <= listing->room) {
        return true;
    }
    const uint32_t room = count > UINT32_MAX / 2 ? UINT32_MAX : count + count / 2;
    const size_t words = room / 64 + 1, old_words = (listing->count + 63) / 64;
    gn_entry *entries = gn_alloc_array(&fold->listings, room, sizeof *entries);
    uint64_t *stale = gn_alloc_array(&fold->listings, words, sizeof *stale);
    if (entries == NULL || stale == NULL) {
        return false;
    }
    memset(stale, 0, words * sizeof *stale);
    if (listing->count > 0) {
        memcpy(entries, listing->entries, listing->count * sizeof *entries);
        memcpy(stale, listing->stale, old_words * sizeof *stale);
    }
    listing->entries = entries;
    listing->stale = stale;
    listing->room = room;
    return true;
}

/* Where a new entity goes among the first `high` entries. */
static uint32_t place_of(const gn_document *document, uint32_t high, const gn_entity *entity)
{
    uint32_t low = 0;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const gn_entity *other = gn_document_entity(document, document->listing.entries[middle].index);
        if (gn_name_compare(gn_entity_key(other), gn_entity_key(entity)) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool gn_listing_order(gn_fold *fold, gn_document *document)
{
    gn_listing *listing = &document->listing;
    const uint32_t count = document->entity_count - listing->count;
    if (count == 0) {
        return true;
    }
    const candidate *fresh = sorted_entities(fold, document, listing->count);
    if (fresh == NULL || !reserve_entries(fold, listing, document->entity_count)) {
        return false;
    }
    /* From the last key down, so each entry moves once, to its place. */
    for (uint32_t left = count, high = listing->count; left > 0; left--) {
        const gn_entity *entity = fresh[left - 1].entity;
        const uint32_t at = place_of(document, high, entity);
        memmove(&listing->entries[at + left], &listing->entries[at], (high - at) * sizeof *listing->entries);
        listing->entries[at + left - 1] = (gn_entry){.index = entity->index};
        listing->stale[entity->index / 64] |= (uint64_t)1 << entity->index % 64;
        high = at;
    }
    listing->count += count;
    return true;
}
