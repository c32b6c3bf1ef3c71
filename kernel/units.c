/* The units of a delta, found before they run: which items each rule takes, and which entities they look up, follows
 * from the delta alone.
 *
 *   units     [rule 0, item 0] [rule 0, item 1] [rule 1, item 0] ...                in the order they run
 *   lookups   [entities of its operations | into] [entities ...     | into] ...     of each unit
 *
 * First every key is hashed and the place of its slot asked for; then, when the slots have come, the entities are; then
 * the bodies of those that will be opened. By the time a unit runs, what it touches lies in the caches. */
#include "unit.h"

/* ---- keys ---- */

/* The key that a reference gives, when its first field that is present is a plain string or a number. */
static bool plain_key(const gn_work *work, const gn_reference *reference, gn_name *key)
{
    for (uint32_t i = 0; i < reference->count && reference->alternatives[i].kind == GN_REF_FIELD; i++) {
        const gn_span span = work->unit->slots[reference->alternatives[i].slot];
        const uint8_t *bytes = work->delta.body + span.at;
        if (span.is_plain && span.size > 2) {
            *key = (gn_name){bytes + 1, span.size - 2};
            return true;
        }
        *key = (gn_name){bytes, span.size};
        if (gn_is_present(*key)) {
            return (uint8_t)(*bytes - '0') < 10;
        }
    }
    return false;
}

/* Name any key of the unit at hand; its bytes are NULL where it names no entity. False when memory ends. A key found in a
 * document with a root may not be `@`, which only the rules can write out. */
static GN_NO_INLINE bool name_key(gn_work *work, const gn_unit *unit, const gn_rule_entity *entity, gn_lookup *lookup)
{
    bool missing = false;
    gn_name *key = &lookup->key;
    work->unit = unit;
    if (entity->reference == NULL) {
        if (!gn_key_text(work, unit->rule, key, &missing)) {
            return false;
        }
    } else if (!plain_key(work, entity->reference, key)) {
        if (!gn_reference_text(work, entity->reference, key) || !gn_plain_text(work, *key, key, &missing)) {
            return false;
        }
    }
    lookup->is_at = !missing && key->size == 1 && key->bytes[0] == '@' && entity->document->has_root;
    if (missing || lookup->is_at) {
        *key = (gn_name){NULL, 0};
    }
    return true;
}

/* One key of a unit, named, hashed, its slot asked for; most are a string of some length, or a number, in the field that
 * comes first. */
static GN_INLINE bool look_up(gn_work *work, const gn_unit *unit, const gn_rule_entity *entity, gn_lookup *lookup)
{
    gn_span span = {0};
    if (entity->slot != GN_NONE) {
        span = unit->slots[entity->slot];
    }
    const uint8_t *const text = work->delta.body + span.at;
    gn_name key; /* not read from the lookup again: the machine would wait until it is written */
    lookup->document = entity->document;
    if (span.is_plain && span.size > 3) {
        key = (gn_name){text + 1, span.size - 2};
        lookup->key = key;
    } else if (span.size > 0 && (uint8_t)(*text - '0') < 10) {
        key = (gn_name){text, span.size};
        lookup->key = key;
    } else {
        if (!name_key(work, unit, entity, lookup)) {
            return false;
        }
        key = lookup->key;
        if (key.bytes == NULL) {
            return true;
        }
    }
    lookup->hash = gn_hash(&work->fold->hash_keys, key);
    gn_state_prefetch(lookup->document, lookup->hash);
    return true;
}

/* ---- units ---- */

/* Where the next unit goes, and its lookups. */
typedef struct finder {
    gn_unit *unit;
    gn_lookup *lookup;
} finder;

/* Add an item that the rule takes, and look up what it names. False when memory ends. */
static GN_INLINE bool add_unit(gn_work *work, finder *to, const gn_rule *rule, const gn_span *slots, uint32_t item)
{
    gn_unit *unit = to->unit++;
    gn_lookup *lookup = to->lookup;
    const gn_rule_entity *const end = rule->entities + rule->lookup_count;
    unit->rule = rule;
    unit->slots = slots;
    unit->item = item;
    unit->lookups = lookup;
    for (const gn_rule_entity *entity = rule->entities; entity < end; entity++) {
        if (!look_up(work, unit, entity, lookup++)) {
            return false;
        }
    }
    to->lookup = lookup;
    return true;
}

/* Does the rule's `when` take an item? A source notes it if all its rules have one. */
static bool picks(const gn_work *work, const gn_rule *rule, const gn_span *slots)
{
    return gn_name_equal(gn_span_name(work, slots[rule->when_slot]), rule->when_literal);
}
static bool picks_of(const gn_work *work, const gn_rule *rule, const gn_items *items, uint32_t at)
{
    const bool is_picked = picks(work, rule, gn_item_slots(items, at));
    if (items->matched != NULL) {
        items->matched[at] |= is_picked;
    }
    return is_picked;
}

/* Units of a rule from work->item_next on, until there is no room for more of them. */
static GN_INLINE bool add_items(gn_work *work, finder *to, const gn_rule *rule, const gn_items *items)
{
    const gn_unit *const end = work->units + GN_UNITS_MAX;
    uint32_t at = work->item_next;
    const gn_span *slots = gn_item_slots(items, at);
    for (; at < items->count && to->unit < end; at++, slots += items->stride) {
        if ((!rule->has_when || picks_of(work, rule, items, at)) && !add_unit(work, to, rule, slots, at)) {
            return false;
        }
    }
    work->item_next = at;
    return true;
}

/* The delta itself as the item of a rule. */
static GN_INLINE bool add_delta(gn_work *work, finder *to, const gn_rule *rule)
{
    if (work->is_fallback || (rule->has_when && !picks(work, rule, work->delta.slots))) {
        return true;
    }
    work->is_matched = true;
    return add_unit(work, to, rule, work->delta.slots, 0);
}

/* A source without items, which may hold something else: that is a unit to be skipped. */
static void add_no_items(const gn_work *work, finder *to, const gn_rule *rule, const gn_items *items)
{
    if (items->whole.size > 0 && !items->iterable && work->delta.body[items->whole.at] != 'n') {
        *to->unit++ = (gn_unit){.rule = rule};
    }
}

/* Room for as many units as are found at once, and for what they look up. */
#define LOOKUPS_SIZE (GN_UNITS_MAX * (GN_RULE_ENTITIES + 1) * sizeof(gn_lookup))
#define ROOM_SIZE (GN_UNITS_MAX * sizeof(gn_unit) + LOOKUPS_SIZE)
static bool open_room(gn_work *work)
{
    uint8_t *room = gn_alloc(&work->fold->event, ROOM_SIZE);
    work->units = (gn_unit *)(void *)room;
    work->lookups = (gn_lookup *)(void *)(work->units + GN_UNITS_MAX);
    return room != NULL;
}

bool gn_units_find(gn_work *work)
{
    const gn_program *program = &work->fold->program;
    const gn_rule *rule = work->rule_next, *const rules_end = program->rules + program->rule_count;
    if (work->units == NULL && !open_room(work)) {
        return false;
    }
    finder to = {work->units, work->lookups};
    for (; rule < rules_end && to.unit < work->units + GN_UNITS_MAX; rule++) {
        const gn_items *items = rule->source == GN_NONE ? NULL : &work->delta.items[rule->source];
        if (items == NULL) {
            if (!add_delta(work, &to, rule)) {
                return false;
            }
        } else if (items->count == 0) {
            add_no_items(work, &to, rule, items);
        } else {
            if (!add_items(work, &to, rule, items)) {
                return false;
            }
            if (work->item_next < items->count) {
                break;
            }
            work->item_next = 0;
        }
    }
    work->rule_next = rule;
    work->are_all_found = rule == rules_end;
    work->units_end = to.unit;
    work->lookups_end = to.lookup;
    if (work->are_all_found) { /* what is left of the room is the next delta's: those of a batch lie close together */
        uint8_t *room = (uint8_t *)(void *)work->units;
        gn_alloc_trim(&work->fold->event, room, ROOM_SIZE, (size_t)((uint8_t *)(void *)to.lookup - room));
    }
    return true;
}

void gn_units_prefetch(gn_work *work)
{
    for (gn_lookup *lookup = work->lookups; lookup < work->lookups_end; lookup++) {
        lookup->entity = lookup->key.bytes == NULL ? NULL : gn_state_prefetch_entity(lookup->document, lookup->hash);
    }
}

#define BODY_AHEAD 512u     /* most are not longer, or are not read further than to their last slot */
void gn_units_prefetch_bodies(const gn_work *work)
{
    for (const gn_lookup *lookup = work->lookups; lookup < work->lookups_end; lookup++) {
        const gn_entity *entity = lookup->entity;
        if (entity != NULL && entity->body.kind == GN_TEXT) {
            gn_ask_for_text(entity->body.as.text, entity->body.size < BODY_AHEAD ? entity->body.size : BODY_AHEAD);
        }
    }
}
