/* Keys named and hashed ahead: which entities a delta's units look up follows from the delta alone.
 *
 *   lookups   [unit 0: entities of its operations | into] [unit 1: ...] ...      in the order the units run
 *
 * First every key is hashed and the place of its slot asked for; then, when the slots have come, the entities are.
 * By the time a unit runs, what it touches lies in the caches. */
#include "unit.h"

#define LOOKUPS_MAX 4096u   /* of one delta; the units of a larger one look up when they come */

/* The key that a reference gives, when its first field that is present is a plain string or a number. */
static inline bool plain_key(const gn_work *work, const gn_reference *reference, gn_name *key)
{
    for (uint32_t i = 0; i < reference->count && reference->alternatives[i].kind == GN_REF_FIELD; i++) {
        const gn_span span = work->slots[reference->alternatives[i].slot];
        const uint8_t *bytes = work->delta.body + span.at;
        if (span.is_plain) {
            *key = (gn_name){bytes + 1, span.size - 2};
            return true;
        }
        if (span.size > 0 && *bytes != 'n') {
            *key = (gn_name){bytes, span.size};
            return (uint8_t)(*bytes - '0') < 10;
        }
    }
    return false;
}

static GN_COLD bool other_key(gn_work *work, const gn_rule *rule, const gn_rule_entity *entity, gn_name *key,
                              bool *missing)
{
    *missing = false;
    if (entity->reference == NULL) {
        return gn_key_text(work, rule, key, missing);
    }
    return gn_reference_text(work, entity->reference, key) && gn_plain_text(work, *key, key, missing);
}

/* One key, named, hashed, its slot asked for. A key found in a document with a root may not be `@`, which only the
 * rules can write out. */
static inline bool look_up(gn_work *work, const gn_rule *rule, const gn_rule_entity *entity, gn_lookup *lookup)
{
    const gn_document *document = &work->fold->program.documents[entity->document];
    gn_name key;
    bool missing = false;
    if ((entity->reference == NULL || !plain_key(work, entity->reference, &key)) &&
        !other_key(work, rule, entity, &key, &missing)) {
        return false;
    }
    lookup->document = entity->document;
    lookup->entity = NULL;
    lookup->is_at = !missing && key.size == 1 && key.bytes[0] == '@' && document->has_root;
    if (missing || lookup->is_at) {
        lookup->key = (gn_name){NULL, 0};
        return true;
    }
    lookup->key = key;
    lookup->hash = gn_hash(&work->fold->hash_keys, entity->document, key);
    gn_state_prefetch(document, lookup->hash);
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
    uint32_t next = 0;
    for (uint32_t i = 0; i < program->rule_count; i++) {
        const gn_rule *rule = &program->rules[i];
        const gn_items *items = rule->source == GN_NONE ? NULL : &work->delta.items[rule->source];
        const uint32_t units = rule->lookup_count == 0 ? 0 : items == NULL ? 1 : items->count;
        for (uint32_t j = 0; j < units; j++) {
            gn_work_take(work, items, j);
            if (!gn_work_picks(work, rule)) {
                continue;
            }
            if (!gn_lookup_unit(work, rule, lookups + next)) {
                return false;
            }
            next += rule->lookup_count;
        }
    }
    work->lookups = lookups;
    work->lookup_count = next;
    return true;
}

void gn_lookup_prefetch(gn_work *work)
{
    for (uint32_t i = 0; i < work->lookup_count; i++) {
        gn_lookup *lookup = &work->lookups[i];
        if (lookup->key.bytes != NULL) {
            lookup->entity = gn_state_prefetch_entity(&work->fold->program.documents[lookup->document], lookup->hash);
        }
    }
}
