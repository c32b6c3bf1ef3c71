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

gn_step gn_step_of(const gn_program *program, const gn_operation *operation)
{
    const gn_document *document = &program->documents[operation->document];
    const uint32_t first = document->is_record ? 0 : 1;
    const bool is_single = document->is_record || operation->segments[0].kind == GN_SEGMENT_AT;
    gn_step step = {.code = operation->code, .entity = operation->entity, .slot = operation->slot,
                    .operation = operation, .document = document};
    gn_int128 by;
    if ((!is_single && operation->entity == GN_NONE) || operation->slot == GN_NONE ||
        operation->segment_count != first + 1) {
        return step;
    }
    const gn_name *field = &operation->segments[first].literal;
    if (is_single && (gn_derive_owns(document, field, 1) || (document->has_root && gn_name_equal(*field, document->root)))) {
        return step;
    }
    if (operation->code == GN_INC) {
        step.is_plain = operation->value_kind == GN_VALUE_LITERAL && operation->literal.size <= 18 &&
                        gn_integer_parse(operation->literal, &by);
        step.kind = GN_INTEGER;
        step.step = step.is_plain ? (int64_t)by : 0;
    } else {
        step.is_plain = operation->code == GN_MAX || operation->code == GN_MIN;
        step.kind = GN_SECOND;
        step.value_slot = operation->value_kind == GN_VALUE_REFERENCE ? first_slot(&operation->reference) : GN_NONE;
    }
    return step;
}
