/* Derived fields: running totals, kept up to date from the entities that a run touched.
 *
 * A total is the sum of what each entity contributes. An entity's share is taken out at its first touch in a
 * run and put back, as it then is, at the end: a frame costs what changed in it. Totals have 128 bits, so a sum
 * may leave the integer range on its way; a result outside it is null. */
#include "state.h"

/* What the entity contributes to one term; false when memory ends. */
static bool contribution(gn_fold *fold, const gn_entity *entity, const gn_term *term, gn_int128 *value)
{
    const gn_document *document = &fold->program.documents[entity->document];
    gn_buffer buffer = {.arena = &fold->event};
    gn_name text;
    *value = 0;
    if (term->has_where) {
        if (!gn_entity_field(document, entity, term->where.names, term->where.count, &buffer, &text)) {
            return false;
        }
        if (!gn_name_equal(text, term->literal)) {
            return true;
        }
    }
    if (!term->is_sum) {
        *value = 1;
        return true;
    }
    if (!gn_entity_field(document, entity, term->field.names, term->field.count, &buffer, &text)) {
        return false;
    }
    if (!gn_integer_parse(text, value)) {
        *value = 0;
    }
    return true;
}

bool gn_derive_count(gn_fold *fold, const gn_entity *entity, int sign, gn_int128 *values)
{
    const gn_document *document = &fold->program.documents[entity->document];
    bool is_there = entity->body.kind != GN_ABSENT && entity->body.kind != GN_REMOVED;
    if (entity == document->single || !is_there) {
        return true;
    }
    for (uint32_t i = 0; i < document->term_count; i++) {
        const uint32_t index = document->terms[i];
        gn_int128 value;
        if (!contribution(fold, entity, &fold->program.terms[index], &value)) {
            return false;
        }
        values[index] += sign * value;
    }
    return true;
}

static bool starts_with(const gn_name *fields, const gn_names *target)
{
    for (uint32_t i = 0; i < target->count; i++) {
        if (!gn_name_equal(fields[i], target->names[i])) {
            return false;
        }
    }
    return true;
}

bool gn_derive_owns(const gn_document *document, const gn_name *fields, uint32_t count)
{
    for (uint32_t i = 0; i < document->derive_count; i++) {
        const gn_names *target = &document->derives[i].target;
        if (target->count <= count && starts_with(fields, target)) {
            return true;
        }
    }
    return false;
}

static gn_int128 derived_value(const gn_fold *fold, const gn_derive *derive)
{
    gn_int128 value = derive->constant;
    for (uint32_t i = 0; i < derive->term_count; i++) {
        value += fold->totals[derive->terms[i]] + fold->pending[derive->terms[i]];
    }
    return value;
}

/* A dotted target replaces a parent that is no object: the field is computed, whatever was written there. */
static int clear_way(gn_fold *fold, gn_document *document, const gn_derive *derive)
{
    gn_buffer buffer = {.arena = &fold->event};
    static const uint8_t empty[] = "{}";
    for (uint32_t count = 1; count < derive->target.count; count++) {
        gn_name text;
        if (!gn_entity_field(document, document->single, derive->target.names, count, &buffer, &text)) {
            return GN_NO_MEMORY;
        }
        if (text.size == 0) {
            return GN_OK;
        }
        if (text.bytes[0] != '{') {
            gn_path path = {.document = document->single->document, .is_at = document->has_root, .slot = GN_NONE,
                            .field_count = count, .fields = derive->target.names};
            uint32_t reason;
            return gn_write(fold, &path, (gn_name){empty, 2}, &reason);
        }
    }
    return GN_OK;
}

static int write_derived(gn_fold *fold, gn_document *document, const gn_derive *derive)
{
    static const uint8_t null_text[] = "null";
    uint8_t digits[24];
    gn_buffer buffer = {.arena = &fold->event};
    gn_name value = {null_text, 4}, current;
    gn_int128 number = derived_value(fold, derive);
    uint32_t reason = GN_NO_REASON;
    if (gn_integer_fits(number)) {
        value = (gn_name){digits, gn_integer_format(number, digits)};
    }
    if (!gn_entity_field(document, document->single, derive->target.names, derive->target.count, &buffer, &current)) {
        return GN_NO_MEMORY;
    }
    if (gn_name_equal(current, value)) {
        return GN_OK;
    }
    int status = clear_way(fold, document, derive);
    if (status != GN_OK) {
        return status;
    }
    gn_path path = {.document = document->single->document, .is_at = document->has_root, .slot = GN_NONE,
                    .field_count = derive->target.count, .fields = derive->target.names};
    status = gn_write(fold, &path, value, &reason);
    assert(status != GN_OK || reason == GN_NO_REASON);
    return status;
}

int gn_derive_write(gn_fold *fold)
{
    fold->unit++;
    for (uint32_t i = 0; fold->program.term_count > 0 && i < fold->touched_count; i++) {
        if (!gn_derive_count(fold, fold->touched[i], 1, fold->pending)) {
            return GN_NO_MEMORY;
        }
    }
    for (uint32_t i = 0; i < fold->program.document_count; i++) {
        gn_document *document = &fold->program.documents[i];
        for (uint32_t j = 0; j < document->derive_count; j++) {
            int status = write_derived(fold, document, &document->derives[j]);
            if (status != GN_OK) {
                return status;
            }
        }
    }
    return GN_OK;
}
