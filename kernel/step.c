/* Which operations of a rule have a short way, and which entities they share: worked out once, when it is decoded. */
#include "decode.h"

/* Two references that always give the same: the same alternatives, none of which differs by place. */
static bool same_reference(const gn_reference *a, const gn_reference *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        same = a->alternatives[i].kind == b->alternatives[i].kind &&
               (a->alternatives[i].kind != GN_REF_FIELD || a->alternatives[i].slot == b->alternatives[i].slot);
    }
    return same;
}

/* The reference that alone gives the operation's entity, or NULL. */
static const gn_reference *entity_reference(const gn_program *program, const gn_operation *operation)
{
    const gn_document *document = &program->documents[operation->document];
    if (document->is_record || operation->segments[0].kind != GN_SEGMENT_TEMPLATE) {
        return NULL;
    }
    const gn_template *template = &operation->segments[0].template;
    return template->count == 1 && template->parts[0].is_reference ? &template->parts[0].reference : NULL;
}

/* The slot of a reference's first alternative; GN_NONE: that is no field. */
static uint32_t first_slot(const gn_reference *reference)
{
    const bool is_field = reference->count > 0 && reference->alternatives[0].kind == GN_REF_FIELD;
    return is_field ? reference->alternatives[0].slot : GN_NONE;
}

static gn_rule_entity rule_entity(const gn_program *program, uint32_t document, const gn_reference *reference)
{
    return (gn_rule_entity){&program->documents[document], reference,
                            reference == NULL ? GN_NONE : first_slot(reference)};
}

void gn_steps_entities(const gn_program *program, gn_rule *rule)
{
    for (uint32_t i = 0; i < rule->operation_count; i++) {
        gn_operation *operation = &rule->operations[i];
        const gn_reference *reference = entity_reference(program, operation);
        for (uint32_t j = 0; reference != NULL && j < i && operation->entity == GN_NONE; j++) {
            const gn_operation *before = &rule->operations[j];
            const gn_reference *other = entity_reference(program, before);
            if (other != NULL && before->document == operation->document && same_reference(reference, other)) {
                operation->entity = before->entity;
            }
        }
        if (reference != NULL && operation->entity == GN_NONE && rule->entity_count < GN_RULE_ENTITIES) {
            operation->entity = rule->entity_count;
            rule->entities[rule->entity_count++] = rule_entity(program, operation->document, reference);
        }
    }
    rule->lookup_count = rule->entity_count + (rule->into != GN_NONE);
    if (rule->into != GN_NONE) {
        bool alone = rule->key_count == 1 && rule->keys[0].count == 1 && rule->keys[0].parts[0].is_reference;
        rule->entities[rule->entity_count] =
            rule_entity(program, rule->into, alone ? &rule->keys[0].parts[0].reference : NULL);
    }
}

/* Has it a short way? inc by a literal, max or min, of one slot that nobody else writes. */
static bool is_plain(const gn_program *program, const gn_operation *operation, bool is_single, int64_t *by)
{
    const gn_document *document = &program->documents[operation->document];
    const uint32_t first = document->is_record ? 0 : 1;
    gn_int128 number = 0;
    if (operation->slot == GN_NONE || operation->segment_count != first + 1) {
        return false;
    }
    assert(operation->slot < document->slots.count);
    const gn_name *field = &operation->segments[first].literal;
    if (is_single && (gn_derive_owns(document, field, 1) || (document->has_root && gn_name_equal(*field, document->root)))) {
        return false;
    }
    if (operation->code != GN_INC) {
        return operation->code == GN_MAX || operation->code == GN_MIN;
    }
    const bool is_small = operation->value_kind == GN_VALUE_LITERAL && operation->literal.size <= 18 &&
                          gn_integer_parse(operation->literal, &number);
    *by = (int64_t)number;
    return is_small;
}

/* Which of the program's single ones a document's is; GN_PROGRAM_SINGLES: they are too many. */
static uint32_t single_index(gn_program *program, const gn_document *document)
{
    uint32_t at = 0;
    while (at < program->single_count && program->singles[at] != document) {
        at++;
    }
    if (at == program->single_count && at < GN_PROGRAM_SINGLES) {
        program->singles[program->single_count++] = document;
    }
    return at;
}

/* The number of an operation's entity among those that are open for steps; 0: it has none. */
static uint32_t step_entity(gn_program *program, const gn_operation *operation, bool is_single)
{
    if (!is_single) {
        return operation->entity == GN_NONE ? 0 : GN_STEP_ENTITIES + operation->entity;
    }
    const uint32_t index = single_index(program, &program->documents[operation->document]);
    return index == GN_PROGRAM_SINGLES ? 0 : GN_STEP_SINGLES + index;
}

static uint32_t value_slot(const gn_reference *reference)
{
    const bool is_time = reference->count > 0 && reference->alternatives[0].kind == GN_REF_UTC;
    const uint32_t slot = first_slot(reference);
    return is_time ? GN_STEP_TIME : slot < GN_STEP_TIME ? slot : GN_STEP_OTHER;
}

gn_step gn_step_of(gn_program *program, const gn_operation *operation)
{
    const gn_document *document = &program->documents[operation->document];
    const bool is_single = document->is_record || operation->segments[0].kind == GN_SEGMENT_AT;
    gn_step step = {.operation = operation, .value_slot = GN_STEP_OTHER};
    if (!is_plain(program, operation, is_single, &step.by)) {
        return step;
    }
    step.entity = step_entity(program, operation, is_single);
    step.code = operation->code == GN_INC ? GN_STEP_INC : operation->code == GN_MAX ? GN_STEP_MAX : GN_STEP_MIN;
    step.cell_at = (uint32_t)(sizeof(gn_object) + operation->slot * sizeof(gn_cell));
    if (operation->value_kind == GN_VALUE_REFERENCE) {
        step.value_slot = value_slot(&operation->reference);
    }
    return step;
}
