/* Where a rule's operations lead, given the item at hand: their places and values as text. The long way of a unit takes
 * them from here, and so does the question which entities a delta may touch. */
#include "unit.h"

/* The operation's place in path, its fields in `fields`. */
static int operation_path(gn_work *work, const gn_operation *operation, gn_name *fields, gn_path *path,
                          uint32_t *reason)
{
    const gn_document *document = &work->fold->program.documents[operation->document];
    uint32_t first = document->is_record ? 0 : 1;
    *path = (gn_path){.document = operation->document, .fields = fields, .slot = operation->slot};
    for (uint32_t i = 0; i < operation->segment_count; i++) {
        const gn_segment *segment = &operation->segments[i];
        gn_name text = segment->literal;
        bool missing = false;
        if (segment->kind == GN_SEGMENT_TEMPLATE && !gn_segment_text(work, &segment->template, &text, &missing)) {
            return GN_NO_MEMORY;
        }
        if (missing) {
            *reason = GN_MISSING_FIELD;
            return GN_OK;
        }
        if (i >= first) {
            fields[path->field_count++] = text;
        } else if (segment->kind == GN_SEGMENT_AT) {
            path->is_at = true;
            path->key = (gn_name){(const uint8_t *)"@", 1};
        } else {
            path->key = text;
        }
    }
    bool is_at_by_chance = document->has_root && !path->is_at && path->key.size == 1 && path->key.bytes[0] == '@';
    *reason = is_at_by_chance ? GN_UNKNOWN_ENTITY : GN_NO_REASON;
    return GN_OK;
}

int gn_operation_parts(gn_work *work, const gn_operation *operation, gn_name *fields, gn_path *path, gn_name *value,
                       uint32_t *reason)
{
    int status = operation_path(work, operation, fields, path, reason);
    if (status != GN_OK || *reason == GN_MISSING_FIELD) {
        return status;
    }
    *value = operation->literal;
    if (operation->value_kind == GN_VALUE_REFERENCE) {
        if (!gn_reference_text(work, &operation->reference, value)) {
            return GN_NO_MEMORY;
        }
        *reason = value->size == 0 ? GN_MISSING_FIELD : *reason;
    }
    return GN_OK;
}

/* ---- what a delta may touch ---- */

/* Call work->need for what the rule's operations name. */
static int need_places(gn_work *work, const gn_rule *rule)
{
    gn_name fields[GN_NAME_SEGMENTS_MAX];
    int status = GN_OK;
    for (uint32_t i = 0; status == GN_OK && i < rule->operation_count; i++) {
        const gn_operation *operation = &rule->operations[i];
        gn_path path;
        gn_name value = {NULL, 0};
        uint32_t reason = GN_NO_REASON;
        status = gn_operation_parts(work, operation, fields, &path, &value, &reason);
        if (status == GN_OK && reason == GN_NO_REASON && !path.is_at &&
            !work->fold->program.documents[path.document].is_record) {
            status = work->need(work->fold, work->need_context, path.document, path.key);
        }
    }
    return status;
}

int gn_units_need(gn_work *work)
{
    int status = GN_OK;
    for (const gn_unit *unit = work->units; status == GN_OK && unit < work->units_end; unit++) {
        const gn_rule *rule = unit->rule;
        if (unit->slots == NULL || work->is_fallback) {
            continue;
        }
        const gn_lookup *into = rule->into == GN_NONE ? NULL : &unit->lookups[rule->entity_count];
        work->unit = unit;
        if (into != NULL && into->key.bytes != NULL) {
            status = work->need(work->fold, work->need_context, rule->into, into->key);
        }
        status = status == GN_OK ? need_places(work, rule) : status;
    }
    return status;
}
