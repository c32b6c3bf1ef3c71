/* One unit of a rule: the duplicate check, `into`, then its operations in order; it applies whole or not at all.
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
    return lookup->key.bytes == NULL ? NULL : gn_state_look(lookup->document, lookup->key, lookup->hash);
}

/* One that is not open: it is now, if it is an object with slots. */
static GN_NO_INLINE bool open_first(gn_fold *fold, gn_entity *entity, gn_entity **opened)
{
    const bool has_slots = fold->program.documents[entity->document].slots.count > 0;
    const bool opens = has_slots && entity->body.kind == GN_TEXT && entity->body.as.text[0] == '{';
    *opened = opens ? entity : NULL;
    if (!opens) {
        return true;
    }
    fold->opening = GN_OPENING_DELTAS;
    return gn_object_open(fold, entity) && gn_state_touch(fold, entity);
}

/* Note an entity for the steps, if they may write to it. False when memory ends. */
static GN_INLINE bool open_entity(gn_fold *fold, gn_entity *entity, gn_entity **opened)
{
    if (entity != NULL && entity->body.kind != GN_OPEN) {
        return open_first(fold, entity, opened);
    }
    *opened = entity;
    return entity == NULL || gn_state_touch(fold, entity);
}

/* Make ready for steps: no entity under 0, then the program's single ones. False when memory ends. */
static bool open_singles(gn_fold *fold, gn_entity **opened)
{
    const gn_program *program = &fold->program;
    bool done = true;
    opened[0] = NULL;
    for (uint32_t i = 0; done && i < program->single_count; i++) {
        done = open_entity(fold, program->singles[i]->single, &opened[GN_STEP_SINGLES + i]);
    }
    return done;
}

/* The entities that the rule looks up, and room to undo all its steps. */
static GN_INLINE bool open_entities(gn_fold *fold, const gn_rule *rule, const gn_lookup *lookup, gn_entity **opened)
{
    const gn_lookup *const end = lookup + rule->entity_count;
    for (opened += GN_STEP_ENTITIES; lookup < end; lookup++) {
        if (!open_entity(fold, entity_of(lookup), opened++)) {
            return false;
        }
    }
    return gn_state_reserve(fold, rule->operation_count);
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
        text = gn_work_field(work, alternative->slot);
        if (gn_is_present(text)) {
            break;
        }
    }
    return text.size == GN_SECOND_SIZE && gn_second_pack_near(near, text.bytes, packed);
}

static GN_INLINE bool plain_second(gn_work *work, const gn_step *step, int64_t *packed)
{
    gn_near_day *near = &work->fold->near_day;
    if (step->value_slot < GN_STEP_TIME) {
        const gn_span span = work->unit->slots[step->value_slot];
        if (span.size == GN_SECOND_SIZE) {
            return gn_second_pack_near(near, work->delta.body + span.at, packed);
        }
    }
    return step->value_slot == GN_STEP_TIME ? gn_second_pack_us(near, work->event->utc_us, packed)
                                            : other_second(work, step->operation, packed);
}

/* Note what undoes a step: that number stood in the cell. Field by field: a structure that is put together elsewhere and
 * copied from there has the machine wait for its parts. */
static GN_INLINE void note_number(gn_undo *undo, gn_entity *entity, gn_cell *cell, uint16_t kind, int64_t old)
{
    undo->place = cell;
    undo->old.as.integer = old;
    undo->old.size = 0;
    undo->old.kind = kind;
    undo->old.is_owned = 0;
    undo->entity = entity;
}

/* Do the steps up to the first that has no short way, or none here: by the long way it may apply or fail. Which second
 * wins no machine foretells, so one that does not is written as well, as nothing. */
static GN_INLINE const gn_step *run_steps(gn_work *work, gn_fold *fold, const gn_step *step, const gn_step *end,
                                          gn_entity *const *opened)
{
    gn_undo *undo = fold->undo + fold->undo_count;
    for (; step < end; step++) {
        gn_entity *entity = opened[step->entity];
        if (entity == NULL) {
            break;
        }
        gn_cell *cell = (gn_cell *)(void *)((uint8_t *)entity->body.as.object + step->cell_at);
        const int64_t old = cell->as.integer;
        if (step->code == GN_STEP_INC) {
            int64_t number;
            if (cell->kind != GN_INTEGER || __builtin_add_overflow(old, step->by, &number)) {
                break;
            }
            note_number(undo++, entity, cell, GN_INTEGER, old);
            entity->touches++;
            cell->as.integer = number;
        } else {
            int64_t second;
            if (cell->kind != GN_SECOND || !plain_second(work, step, &second)) {
                break;
            }
            const bool wins = step->code == GN_STEP_MAX ? second > old : second < old;
            note_number(undo, entity, cell, GN_SECOND, old);
            undo += wins;
            entity->touches += wins;
            cell->as.integer = wins ? second : old;
        }
    }
    fold->undo_count = (uint32_t)(undo - fold->undo);
    return step;
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
static GN_NO_INLINE int run_into(gn_work *work, const gn_rule *rule, const gn_lookup *lookup, bool *ended)
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

/* The operations of a unit from one on that did not go the short way. */
static GN_NO_INLINE int run_rest(gn_work *work, const gn_unit *at, const gn_step *step, gn_entity **opened,
                                 attempt unit)
{
    gn_fold *fold = work->fold;
    const gn_rule *rule = at->rule;
    const gn_step *const end = rule->steps + rule->operation_count;
    while (step < end) {
        bool ended = false;
        int status = run_operation(work, &unit, step->operation, &ended);
        if (status != GN_OK || ended) {
            return status;
        }
        if (!open_singles(fold, opened) || !open_entities(fold, rule, at->lookups, opened)) {
            return GN_NO_MEMORY;
        }
        const gn_step *const first = step + 1;
        step = run_steps(work, fold, first, end, opened);
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

/* Nearly all units need no more than this: texts, which may have to be settled, are only written the long way. */
static GN_INLINE int run_unit(gn_work *work, gn_fold *fold, const gn_unit *unit, gn_entity **opened)
{
    const gn_rule *rule = unit->rule;
    const uint32_t undo_count = fold->undo_count;
    fold->unit++;
    if (rule->into != GN_NONE) {
        bool ended;
        int status = run_into(work, rule, &unit->lookups[rule->entity_count], &ended);
        if (status != GN_OK || ended) {
            return status;
        }
    }
    if (!open_entities(fold, rule, unit->lookups, opened)) {
        return GN_NO_MEMORY;
    }
    const gn_step *const end = rule->steps + rule->operation_count;
    const gn_step *const step = run_steps(work, fold, rule->steps, end, opened);
    if (step == end && (step > rule->steps || rule->into != GN_NONE)) {
        count_applied(work);
        return GN_OK;
    }
    const uint32_t applied = (uint32_t)(step - rule->steps) + (rule->into != GN_NONE);
    int status = run_rest(work, unit, step, opened,
                          (attempt){.undo_count = undo_count, .lines = fold->lines.size, .applied = applied});
    return status == GN_OK && !open_singles(fold, opened) ? GN_NO_MEMORY : status;
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

int gn_units_run(gn_work *work)
{
    gn_fold *fold = work->fold;
    gn_entity *opened[GN_STEP_NUMBERS];
    if (work->is_fallback) {
        return skip_all(work);
    }
    if (!open_singles(fold, opened)) {
        return GN_NO_MEMORY;
    }
    for (const gn_unit *unit = work->units; unit < work->units_end; unit++) {
        work->unit = unit;
        int status = unit->slots != NULL ? run_unit(work, fold, unit, opened)
                                         : gn_work_skip(work, GN_NOT_ITERABLE, (gn_name){NULL, 0});
        if (status != GN_OK) {
            return status;
        }
    }
    return GN_OK;
}
