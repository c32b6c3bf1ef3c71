/* One unit of a rule: the duplicate check, `into`, then its operations in order; it applies whole or not at all.
 *
 * Most operations are plain: inc, max or min of a slot of an entity that is there. They are done here, on the cell,
 * without a path being made; what does not apply that way goes the long way, which also knows the reason. */
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

/* ---- the short way ---- */

/* The entities that the rule's operations name, those that are there. */
static inline void find_entities(gn_lookup *lookups, uint32_t count, gn_entity **entities)
{
    for (uint32_t i = 0; i < count; i++) {
        gn_lookup *lookup = &lookups[i];
        gn_entity *entity = lookup->entity;
        if (lookup->key.bytes == NULL) {
            entity = NULL;
        } else if (entity == NULL || !gn_entity_has_key(entity, lookup->key)) {
            entity = gn_state_look(lookup->document, lookup->key, lookup->hash);
        }
        entities[i] = entity;
    }
}

/* The operation's value packed, where it is an instant with whole seconds; false for any other. */
static GN_NO_INLINE bool other_second(gn_work *work, const gn_operation *operation, int64_t *packed)
{
    gn_near_day *near = &work->fold->near_day;
    const gn_reference *reference = &operation->reference;
    gn_name text = operation->literal;
    for (uint32_t i = 0; operation->value_kind == GN_VALUE_REFERENCE && i < reference->count; i++) {
        const gn_alternative *alternative = &reference->alternatives[i];
        if (alternative->kind == GN_REF_UTC) {
            return gn_second_pack_us(near, work->event->utc_us, packed);
        }
        if (alternative->kind != GN_REF_FIELD) {
            return false;
        }
        text = gn_span_name(work, work->slots[alternative->slot]);
        if (gn_is_present(text)) {
            break;
        }
    }
    return text.size == GN_SECOND_SIZE && gn_second_pack_near(near, text.bytes, packed);
}

static GN_INLINE bool plain_second(gn_work *work, const gn_step *step, int64_t *packed)
{
    if (step->value_slot != GN_NONE) {
        const gn_span span = work->slots[step->value_slot];
        if (span.size == GN_SECOND_SIZE) {
            return gn_second_pack_near(&work->fold->near_day, work->delta.body + span.at, packed);
        }
    }
    return other_second(work, step->operation, packed);
}

/* Try the short way for an operation; false: nothing was done, by the long way it may apply or fail. */
static GN_INLINE bool run_step(gn_work *work, const gn_step *step, gn_entity *const *entities)
{
    int64_t number;
    if (!step->is_plain) {
        return false;
    }
    gn_entity *entity = step->entity == GN_NONE ? step->document->single : entities[step->entity];
    if (entity == NULL || entity->body.kind != GN_OPEN) {
        return false;
    }
    gn_cell *cell = gn_object_slot(entity->body.as.object, step->slot);
    if (cell->kind != step->kind) {
        return false;
    }
    if (step->code == GN_INC) {
        if (__builtin_add_overflow(cell->as.integer, step->step, &number)) {
            return false;
        }
    } else {
        if (!plain_second(work, step, &number)) {
            return false;
        }
        if (step->code == GN_MAX ? number <= cell->as.integer : number >= cell->as.integer) {
            return true;
        }
    }
    return gn_state_put_number(work->fold, entity, cell, number); /* false: on the long way memory ends again */
}

/* ---- the long way ---- */

/* The operation's place and value; *reason says what is missing for one. */
static int operation_parts(gn_work *work, const gn_operation *operation, gn_name *fields, gn_path *path,
                           gn_name *value, uint32_t *reason)
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

/* ---- units ---- */

/* A unit of which not every operation went the short way. */
typedef struct attempt {
    uint32_t undo_count;    /* where it began: what is put back when it is skipped */
    size_t lines;
    uint32_t applied;
    uint32_t optional;
    uint32_t first_reason;
    gn_name text;           /* of the operation that did not apply last */
} attempt;

static int skip_unit(gn_work *work, const attempt *unit, uint32_t reason)
{
    gn_work_forget_lines(work, unit->lines);
    gn_state_roll_back(work->fold, unit->undo_count);
    return gn_work_skip(work, reason, unit->text);
}

/* Duplicate check and `into`. *ended: the unit is over, and counted. */
static inline int run_into(gn_work *work, const gn_rule *rule, const gn_lookup *lookup, bool *ended)
{
    gn_fold *fold = work->fold;
    const gn_name none = {NULL, 0};
    *ended = true;
    if (lookup->key.bytes == NULL) {
        return gn_work_skip(work, lookup->is_at ? GN_UNKNOWN_ENTITY : GN_MISSING_KEY, none);
    }
    gn_entity *entity = gn_state_make(fold, rule->into, lookup->key, lookup->hash);
    if (entity == NULL) {
        return GN_NO_MEMORY;
    }
    if (entity->body.kind != GN_ABSENT) {
        work->receipt->units_in++;
        work->receipt->duplicate++;
        return gn_work_line(work, GN_DUPLICATE, GN_KEY_EXISTS, none);
    }
    *ended = false;
    return gn_insert(fold, entity, gn_work_value(work));
}

/* An operation by the long way. *ended: the unit is skipped for it, and counted. */
static GN_COLD int run_operation(gn_work *work, attempt *unit, const gn_operation *operation, bool *ended)
{
    gn_name fields[GN_NAME_SEGMENTS_MAX];
    gn_path path;
    gn_name value = {NULL, 0};
    uint32_t reason = GN_NO_REASON;
    int status = operation_parts(work, operation, fields, &path, &value, &reason);
    if (status == GN_OK && reason == GN_NO_REASON) {
        status = gn_apply(work->fold, &path, operation->code, value, false, &reason);
    }
    if (status != GN_OK) {
        return status;
    }
    if (reason == GN_NO_REASON) {
        unit->applied++;
        return GN_OK;
    }
    if (!gn_work_operation(work, operation->code, &path, &unit->text)) {
        return GN_NO_MEMORY;
    }
    unit->first_reason = unit->first_reason == GN_NO_REASON ? reason : unit->first_reason;
    if (operation->optional) {
        unit->optional++;
        return gn_work_line(work, GN_OPTIONAL, reason, unit->text);
    }
    *ended = true;
    return skip_unit(work, unit, reason);
}

static inline void count_applied(gn_work *work, uint32_t undo_count)
{
    gn_state_settle(work->fold, undo_count);
    work->receipt->units_in++;
    work->receipt->applied++;
}

/* The operations from one on that did not go the short way. */
static GN_NO_INLINE int run_rest(gn_work *work, const gn_rule *rule, const gn_step *step, gn_entity *const *entities,
                                 attempt unit)
{
    const gn_step *const end = rule->steps + rule->operation_count;
    bool ended = false;
    for (; step < end; step++) {
        if (run_step(work, step, entities)) {
            unit.applied++;
            continue;
        }
        int status = run_operation(work, &unit, step->operation, &ended);
        if (status != GN_OK || ended) {
            return status;
        }
    }
    if (unit.applied == 0) {
        return skip_unit(work, &unit, unit.first_reason == GN_NO_REASON ? GN_NO_RULE : unit.first_reason);
    }
    count_applied(work, unit.undo_count);
    work->receipt->optional_skipped += unit.optional;
    return GN_OK;
}

int gn_unit_run(gn_work *work, const gn_rule *rule)
{
    gn_fold *fold = work->fold;
    gn_lookup own[GN_RULE_ENTITIES + 1];
    gn_entity *entities[GN_RULE_ENTITIES];
    gn_lookup *lookups = own;
    if (work->lookups != NULL) {
        lookups = work->lookup_next;
        work->lookup_next += rule->lookup_count;
    } else if (!gn_lookup_unit(work, rule, own)) {
        return GN_NO_MEMORY;
    }
    const uint32_t undo_count = fold->undo_count;
    const size_t lines = fold->lines.size;
    uint32_t applied = 0;
    fold->unit++;
    if (rule->into != GN_NONE) {
        bool ended;
        int status = run_into(work, rule, &lookups[rule->entity_count], &ended);
        if (status != GN_OK || ended) {
            return status;
        }
        applied = 1;
    }
    find_entities(lookups, rule->entity_count, entities);
    const gn_step *const steps = rule->steps, *const end = steps + rule->operation_count, *step = steps;
    while (step < end && run_step(work, step, entities)) {
        step++;
    }
    applied += (uint32_t)(step - steps);
    if (step < end || applied == 0) {
        return run_rest(work, rule, step, entities,
                        (attempt){.undo_count = undo_count, .lines = lines, .applied = applied});
    }
    count_applied(work, undo_count);
    return GN_OK;
}

int gn_unit_need(gn_work *work, const gn_rule *rule)
{
    gn_name fields[GN_NAME_SEGMENTS_MAX];
    gn_lookup lookups[GN_RULE_ENTITIES + 1];
    if (!gn_lookup_unit(work, rule, lookups)) {
        return GN_NO_MEMORY;
    }
    const gn_name into = lookups[rule->entity_count].key;
    int status = rule->into == GN_NONE || into.bytes == NULL
                     ? GN_OK
                     : work->need(work->fold, work->need_context, rule->into, into);
    for (uint32_t i = 0; status == GN_OK && i < rule->operation_count; i++) {
        const gn_operation *operation = &rule->operations[i];
        gn_path path;
        gn_name value = {NULL, 0};
        uint32_t reason = GN_NO_REASON;
        status = operation_parts(work, operation, fields, &path, &value, &reason);
        if (status == GN_OK && reason == GN_NO_REASON && !path.is_at &&
            !work->fold->program.documents[path.document].is_record) {
            status = work->need(work->fold, work->need_context, path.document, path.key);
        }
    }
    return status;
}
