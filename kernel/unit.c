/* The units of a delta, step by step: the duplicate check, `into`, then operations in order; a unit applies whole or not
 * at all.
 *
 * Most operations are plain: inc, max or min of a slot of an entity that is there. They are done here, on the cell,
 * without a path being made; what does not apply that way goes the long way, which also knows the reason. */
#include "unit.h"

/* ---- the short way ---- */

/* The entity that was looked up; NULL: it is not there. */
static inline gn_entity *entity_of(const gn_lookup *lookup)
{
    gn_entity *entity = lookup->entity;
    if (entity != NULL && gn_entity_has_key(entity, lookup->key)) {
        return entity;
    }
    const bool is_asked = lookup->key.bytes != NULL && !lookup->of->is_into;
    return is_asked ? gn_state_look(lookup->of->document, lookup->key, lookup->hash) : NULL;
}

/* One that is not open: it is now, if it is an object with slots. */
static GN_NO_INLINE bool open_first(gn_fold *fold, gn_entity *entity, gn_entity **opened)
{
    const bool has_slots = fold->program.documents[entity->document].slots.count > 0;
    const bool opens = has_slots && entity->body.kind == GN_TEXT && entity->body.as.text[0] == '{';
    *opened = opens ? entity : NULL;
    return !opens || (gn_object_open(fold, entity) && (entity->run == fold->run || gn_state_touch(fold, entity)));
}

/* Note an entity for the steps, if they may write to it. False when memory ends. */
static GN_INLINE bool open_entity(gn_fold *fold, gn_entity *entity, gn_entity **opened)
{
    if (entity != NULL && entity->body.kind != GN_OPEN) {
        return open_first(fold, entity, opened);
    }
    *opened = entity;
    return entity == NULL || entity->run == fold->run || gn_state_touch(fold, entity);
}

/* Make ready for steps: no entity under 0, then the program's single ones. False when memory ends. */
static bool open_singles(gn_fold *fold, gn_entity **singles)
{
    const gn_program *program = &fold->program;
    bool done = true;
    singles[0] = NULL;
    for (uint32_t i = 0; done && i < program->single_count; i++) {
        done = open_entity(fold, program->singles[i]->single, &singles[i + 1]);
    }
    return done;
}

/* The same for entities that were looked up. What a unit does by the short way leaves them as they are; by the long
 * way it may close some. */
static GN_NO_INLINE bool open_entities(gn_fold *fold, gn_lookup *lookup, const gn_lookup *end)
{
    for (; lookup < end; lookup++) {
        if (!open_entity(fold, entity_of(lookup), &lookup->entity)) {
            return false;
        }
    }
    return true;
}

/* The value of an operation that is neither by its first alternative. */
static GN_COLD int64_t other_second(gn_work *work, const gn_operation *operation)
{
    gn_near_day *near = &work->fold->near_day;
    const gn_reference *reference = &operation->reference;
    gn_name text = operation->literal;
    for (uint32_t i = 0; operation->value_kind == GN_VALUE_REFERENCE && i < reference->count; i++) {
        const gn_alternative *alternative = &reference->alternatives[i];
        if (alternative->kind == GN_REF_UTC) {
            return gn_second_pack_us(near, work->event->utc_us);
        }
        if (alternative->kind != GN_REF_FIELD) {
            return GN_NO_SECOND;
        }
        text = gn_work_field(work, alternative->slot);
        if (gn_is_present(text)) {
            break;
        }
    }
    return text.size == GN_SECOND_SIZE ? gn_second_pack_near(near, text.bytes) : GN_NO_SECOND;
}

/* The operation's value packed, where it is an instant with whole seconds; GN_NO_SECOND for any other. */
static GN_INLINE int64_t plain_second(gn_work *work, gn_fold *fold, const gn_span *slots, const gn_step *step)
{
    if (step->value_slot < GN_STEP_TIME) {
        const gn_span *span = &slots[step->value_slot];
        if (span->size == GN_SECOND_SIZE) {
            return gn_second_pack_near(&fold->near_day, work->delta.body + span->at);
        }
    }
    return step->value_slot == GN_STEP_TIME ? gn_second_pack_us(&fold->near_day, work->event->utc_us)
                                            : other_second(work, step->operation);
}

/* The entity that a step writes to; NULL: none that is open. */
static GN_INLINE gn_entity *entity_for(const gn_step *step, gn_entity *const *singles, const gn_lookup *lookups)
{
    const uint8_t *const from = step->is_looked_up ? (const uint8_t *)lookups : (const uint8_t *)singles;
    return *(gn_entity *const *)(const void *)(from + step->entity_at);
}

/* One step by the short way, remembered in **undo. False: not here, by the long way it may apply or fail. */
static GN_INLINE bool run_step(gn_work *work, gn_fold *fold, const gn_span *slots, const gn_step *step,
                               gn_entity *entity, gn_undo **undo)
{
    gn_cell *cell = (gn_cell *)(void *)((uint8_t *)entity->body.as.object + step->cell_at);
    int64_t number;
    if (step->code == GN_STEP_INC) {
        if (cell->kind != GN_INTEGER || __builtin_add_overflow(cell->as.integer, step->by, &number)) {
            return false;
        }
    } else {
        if (cell->kind != GN_SECOND || (number = plain_second(work, fold, slots, step)) == GN_NO_SECOND) {
            return false;
        }
        if (step->code == GN_STEP_MAX ? number <= cell->as.integer : number >= cell->as.integer) {
            return true;
        }
    }
    *(*undo)++ = (gn_undo){.place = cell, .old = *cell, .entity = entity};
    entity->touches++;
    cell->as.integer = number;
    return true;
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
static int run_into(gn_work *work, const gn_rule *rule, const gn_lookup *lookup, bool *ended)
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
    int status = gn_operation_parts(work, operation, fields, &path, &value, &reason);
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

static inline void count_applied(gn_work *work)
{
    work->receipt->units_in++;
    work->receipt->applied++;
}

/* The steps up to the first that does not go the short way. */
static const gn_step *run_short(gn_work *work, const gn_unit *unit, const gn_step *step, gn_entity *const *singles)
{
    gn_fold *fold = work->fold;
    gn_undo *undo = fold->undo + fold->undo_count;
    gn_entity *entity = entity_for(step, singles, unit->lookups);
    while (entity != NULL && run_step(work, fold, unit->slots, step, entity, &undo)) {
        entity = entity_for(++step, singles, unit->lookups);
    }
    fold->undo_count = (uint32_t)(undo - fold->undo);
    return step;
}

/* The operations of a unit from one on that did not go the short way. */
static GN_NO_INLINE int run_rest(gn_work *work, const gn_unit *at, const gn_step *step, gn_entity **singles,
                                 attempt unit)
{
    gn_fold *fold = work->fold;
    const gn_rule *rule = at->rule;
    while (step->operation != NULL) {
        bool ended = false;
        int status = run_operation(work, &unit, step->operation, &ended);
        if (status != GN_OK || ended) {
            return status;
        }
        if (!open_singles(fold, singles) || !open_entities(fold, at->lookups, at->lookups + rule->entity_count) ||
            !gn_state_reserve(fold, rule->operation_count)) {
            return GN_NO_MEMORY;
        }
        const gn_step *const first = step + 1;
        step = run_short(work, at, first, singles);
        unit.applied += (uint32_t)(step - first);
    }
    if (unit.applied == 0) {
        return skip_unit(work, &unit, unit.first_reason == GN_NO_REASON ? GN_NO_RULE : unit.first_reason);
    }
    gn_state_settle(fold, unit.undo_count);
    count_applied(work);
    work->receipt->optional_skipped += unit.optional;
    return GN_OK;
}

/* A unit from a step on that did not go the short way. */
static int run_from(gn_work *work, const gn_step *step, gn_entity **singles, uint32_t undo_count)
{
    gn_fold *fold = work->fold;
    const gn_unit *unit = work->unit;
    const uint32_t applied = (uint32_t)(step - unit->rule->steps);
    return run_rest(work, unit, step, singles,
                    (attempt){.undo_count = undo_count, .lines = fold->lines.size, .applied = applied});
}

/* A step without a short way, or none here. Returns the one that is next, whose entities are open; NULL: the unit is
 * over and counted, or *status says why not. */
static GN_NO_INLINE const gn_step *run_slowly(gn_work *work, const gn_step *step, gn_entity **singles,
                                              uint32_t undo_count, int *status)
{
    gn_fold *fold = work->fold;
    const gn_unit *unit = work->unit;
    const gn_rule *rule = unit->rule;
    bool ended = true;
    if (step->code == GN_STEP_SKIP) {
        *status = gn_work_skip(work, GN_NOT_ITERABLE, (gn_name){NULL, 0});
    } else if (step->code == GN_STEP_INTO) {
        *status = run_into(work, rule, &unit->lookups[rule->entity_count], &ended);
        if (rule->writes_into && *status == GN_OK &&
            !open_entities(fold, unit->lookups, unit->lookups + rule->entity_count)) {
            *status = GN_NO_MEMORY;
        }
    } else {
        *status = run_from(work, step, singles, undo_count);
        if (*status == GN_OK && (!open_singles(fold, singles) ||
                                 !open_entities(fold, unit->lookups + rule->lookup_count, work->lookups_end))) {
            *status = GN_NO_MEMORY;
        }
    }
    if (*status == GN_OK && !gn_state_reserve(fold, work->operation_count)) {
        *status = GN_NO_MEMORY;
    }
    return *status != GN_OK || ended ? NULL : step + 1;
}

/* The units of a fallback delta. */
static int skip_all(gn_work *work)
{
    int status = GN_OK;
    for (const gn_unit *unit = work->units; status == GN_OK && unit < work->units_end; unit++) {
        work->unit = unit;
        status = gn_work_skip(work, GN_FALLBACK, (gn_name){NULL, 0});
    }
    return status;
}

/* All steps of all units: nearly all go the short way, and texts, which may have to be settled, are only written by
 * the long way. */
static GN_INLINE int run_units(gn_work *work, gn_fold *fold, gn_entity **singles)
{
    static const gn_step skip_step = {.code = GN_STEP_SKIP};
    gn_undo *undo = fold->undo + fold->undo_count;
    uint32_t applied = 0;
    int status = GN_OK;
    for (const gn_unit *unit = work->units; unit < work->units_end; unit++) {
        const gn_step *step = unit->slots == NULL ? &skip_step : unit->rule->steps;
        const gn_span *const slots = unit->slots;
        const gn_lookup *const lookups = unit->lookups;
        const gn_undo *first = undo;
        work->unit = unit;
        fold->unit++;
        while (step != NULL) {
            gn_entity *entity = entity_for(step, singles, lookups);
            if (entity != NULL && run_step(work, fold, slots, step, entity, &undo)) {
                step++;
            } else if (step->code == GN_STEP_END) {
                applied++;
                break;
            } else {
                const uint32_t undo_count = (uint32_t)(first - fold->undo);
                fold->undo_count = (uint32_t)(undo - fold->undo);
                step = run_slowly(work, step, singles, undo_count, &status);
                if (status != GN_OK) {
                    return status;
                }
                first = fold->undo + undo_count;
                undo = fold->undo + fold->undo_count;
            }
        }
    }
    fold->undo_count = (uint32_t)(undo - fold->undo);
    work->receipt->units_in += applied;
    work->receipt->applied += applied;
    return GN_OK;
}

int gn_units_run(gn_work *work)
{
    gn_fold *fold = work->fold;
    gn_entity *singles[1 + GN_PROGRAM_SINGLES];
    if (work->is_fallback) {
        return skip_all(work);
    }
    const bool done = open_singles(fold, singles) && open_entities(fold, work->lookups, work->lookups_end) &&
                      gn_state_reserve(fold, work->operation_count);
    return done ? run_units(work, fold, singles) : GN_NO_MEMORY;
}
