/* Keys named and hashed ahead: which entities a delta's units look up follows from the delta alone.
 *
 *   lookups   [unit 0: entities of its operations | into] [unit 1: ...] ...      in the order the units run
 *
 * First every key is hashed and the place of its slot asked for; then, when the slots have come, the entities are.
 * By the time a unit runs, what it touches lies in the caches. */
#include "unit.h"

#define LOOKUPS_MAX 4096u   /* of one delta; the units of a larger one look up when they come */

/* The key that a reference gives, when its first field that is present is a plain string or a number. */
static bool plain_key(const gn_work *work, const gn_reference *reference, gn_name *key)
{
    for (uint32_t i = 0; i < reference->count && reference->alternatives[i].kind == GN_REF_FIELD; i++) {
        const gn_span span = work->slots[reference->alternatives[i].slot];
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

/* Name any key; its bytes are NULL where it names no entity. False when memory ends. A key found in a document with a
 * root may not be `@`, which only the rules can write out. */
static GN_NO_INLINE bool name_key(gn_work *work, const gn_rule *rule, const gn_rule_entity *entity, gn_lookup *lookup)
{
    bool missing = false;
    gn_name *key = &lookup->key;
    if (entity->reference == NULL) {
        if (!gn_key_text(work, rule, key, &missing)) {
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

/* One key, named, hashed, its slot asked for; most are a string of some length in the field that comes first. */
static GN_INLINE bool look_up(gn_work *work, const gn_rule *rule, const gn_rule_entity *entity, gn_lookup *lookup)
{
    gn_span span = {0};
    if (entity->slot != GN_NONE) {
        span = work->slots[entity->slot];
    }
    lookup->document = entity->document;
    lookup->entity = NULL;
    if (span.is_plain && span.size > 3) {
        lookup->key = (gn_name){work->delta.body + span.at + 1, span.size - 2};
        lookup->is_at = false;
    } else if (!name_key(work, rule, entity, lookup)) {
        return false;
    } else if (lookup->key.bytes == NULL) {
        return true;
    }
    lookup->hash = gn_hash(&work->fold->hash_keys, lookup->key);
    gn_state_prefetch(lookup->document, lookup->hash);
    return true;
}

bool gn_lookup_unit(gn_work *work, const gn_rule *rule, gn_lookup *lookups)
{
    for (uint32_t i = 0; i < rule->lookup_count; i++) {
        if (!look_up(work, rule, &rule->entities[i], &lookups[i])) {
            return false;
        }
    }
    return true;
}

/* How many lookups the delta's units have at most. */
static uint64_t lookup_count(const gn_work *work)
{
    const gn_program *program = &work->fold->program;
    uint64_t count = 0;
    for (uint32_t i = 0; i < program->rule_count; i++) {
        const gn_rule *rule = &program->rules[i];
        uint64_t units = rule->source == GN_NONE ? 1 : work->delta.items[rule->source].count;
        count += units * rule->lookup_count;
    }
    return count;
}

bool gn_lookup_delta(gn_work *work)
{
    const gn_program *program = &work->fold->program;
    const uint64_t count = lookup_count(work);
    if (count > LOOKUPS_MAX) {
        return true;
    }
    gn_lookup *lookups = gn_alloc_array(&work->fold->event, (size_t)count, sizeof *lookups);
    if (lookups == NULL) {
        return false;
    }
    gn_lookup *next = lookups;
    for (uint32_t i = 0; i < program->rule_count; i++) {
        const gn_rule *rule = &program->rules[i];
        const gn_items *items = rule->source == GN_NONE ? NULL : &work->delta.items[rule->source];
        const uint32_t units = rule->lookup_count == 0 ? 0 : items == NULL ? 1 : items->count;
        for (uint32_t j = 0; j < units; j++) {
            gn_work_take(work, items, j);
            if (!gn_work_picks(work, rule)) {
                continue;
            }
            for (uint32_t k = 0; k < rule->lookup_count; k++) {
                if (!look_up(work, rule, &rule->entities[k], next++)) {
                    return false;
                }
            }
        }
    }
    work->lookups = work->lookup_next = lookups;
    work->lookup_count = (uint32_t)(next - lookups);
    return true;
}

void gn_lookup_prefetch(gn_work *work)
{
    gn_lookup *const end = work->lookups + work->lookup_count;
    for (gn_lookup *lookup = work->lookups; lookup < end; lookup++) {
        if (lookup->key.bytes != NULL) {
            lookup->entity = gn_state_prefetch_entity(lookup->document, lookup->hash);
        }
    }
}
