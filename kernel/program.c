/* The rules' program: from the bytes that kernel/program.py writes to structs, every index checked.
 *
 * The bytes come from our own compiler, yet they are read as if they came from anyone: a program that
 * decodes cannot make the fold reach outside its tables. Layout: kernel/program.py. */
#include "decode.h"

/* ---- templates ---- */

static gn_reference get_reference(gn_decoder *in)
{
    gn_reference reference = {.count = gn_decode_number(in, 1)};
    reference.alternatives = gn_decode_array(in, reference.count, sizeof *reference.alternatives);
    for (uint32_t i = 0; in->status == GN_OK && i < reference.count; i++) {
        gn_alternative *alternative = &reference.alternatives[i];
        alternative->kind = gn_decode_index(in, 1, GN_REF_COUNT);
        if (alternative->kind == GN_REF_FIELD) {
            alternative->slot = gn_shape_slot(in, in->shape, in->slot_count, gn_decode_names(in));
        }
    }
    return reference;
}

static gn_template get_template(gn_decoder *in)
{
    gn_template template = {.count = gn_decode_number(in, 2)};
    template.parts = gn_decode_array(in, template.count, sizeof *template.parts);
    for (uint32_t i = 0; in->status == GN_OK && i < template.count; i++) {
        template.parts[i].is_reference = gn_decode_index(in, 1, 2) == 1;
        if (template.parts[i].is_reference) {
            template.parts[i].reference = get_reference(in);
        } else {
            template.parts[i].literal = gn_decode_name(in);
        }
    }
    return template;
}

static gn_segment get_segment(gn_decoder *in)
{
    gn_segment segment = {.kind = gn_decode_index(in, 1, 3)};
    if (segment.kind == GN_SEGMENT_LITERAL) {
        segment.literal = gn_decode_name(in);
    } else if (segment.kind == GN_SEGMENT_TEMPLATE) {
        segment.template = get_template(in);
    }
    return segment;
}

static gn_operation get_operation(gn_decoder *in)
{
    gn_operation operation = {.code = (uint8_t)gn_decode_index(in, 1, GN_OPERATION_COUNT), .slot = GN_NONE,
                              .entity = GN_NONE};
    operation.optional = gn_decode_index(in, 1, 2) == 1;
    operation.document = gn_decode_index(in, 2, in->program->document_count);
    operation.segment_count = gn_decode_index(in, 1, GN_NAME_SEGMENTS_MAX + 1);
    operation.segments = gn_decode_array(in, operation.segment_count, sizeof *operation.segments);
    for (uint32_t i = 0; in->status == GN_OK && i < operation.segment_count; i++) {
        operation.segments[i] = get_segment(in);
    }
    operation.value_kind = (uint8_t)gn_decode_index(in, 1, 3);
    if (operation.value_kind == GN_VALUE_LITERAL) {
        operation.literal = gn_decode_literal(in);
    } else if (operation.value_kind == GN_VALUE_REFERENCE) {
        operation.reference = get_reference(in);
    }
    if (in->status != GN_OK) {
        return operation;
    }
    const gn_document *document = &in->program->documents[operation.document];
    const uint32_t first = document->is_record ? 0 : 1;
    if (operation.segment_count < first || (operation.value_kind == GN_VALUE_NONE) != (operation.code == GN_REMOVE)) {
        gn_decode_refuse(in, GN_PROGRAM_INVALID);
        return operation;
    }
    if (operation.segment_count > first && operation.segments[first].kind == GN_SEGMENT_LITERAL) {
        uint32_t run;
        operation.slot = gn_slot_find(document, operation.segments[first].literal, &run);
    }
    return operation;
}

/* ---- rules ---- */

static uint32_t get_source(gn_decoder *in, gn_name name, bool has_when)
{
    gn_program *program = in->program;
    for (uint32_t i = 0; i < program->source_count; i++) {
        if (gn_name_equal(program->sources[i].name, name)) {
            program->sources[i].has_when_only &= has_when;
            return i;
        }
    }
    gn_want *want = gn_shape_want(in, &program->root, gn_shape_quoted(in, name));
    if (want == NULL) {
        return 0;
    }
    want->source = program->source_count;
    program->sources[program->source_count] = (gn_source_plan){.name = name, .has_when_only = has_when};
    gn_shape_open(in, &program->sources[program->source_count].shape);
    return program->source_count++;
}

static void get_rule(gn_decoder *in, gn_rule *rule)
{
    gn_program *program = in->program;
    bool is_delta = gn_decode_index(in, 1, 2) == 1;
    gn_name each = gn_decode_name(in);
    rule->has_when = gn_decode_index(in, 1, 2) == 1;
    rule->source = is_delta || in->status != GN_OK ? GN_NONE : get_source(in, each, rule->has_when);
    in->shape = is_delta ? &program->root : &program->sources[rule->source == GN_NONE ? 0 : rule->source].shape;
    in->slot_count =
        is_delta ? &program->root_slot_count : &program->sources[rule->source == GN_NONE ? 0 : rule->source].slot_count;
    if (rule->has_when) {
        rule->when_slot = gn_shape_slot(in, in->shape, in->slot_count, gn_decode_names(in));
        rule->when_literal = gn_decode_literal(in);
    }
    uint32_t into = gn_decode_number(in, 2);
    rule->into = into == 0xFFFF ? GN_NONE : into;
    if (rule->into != GN_NONE &&
        (into >= program->document_count || program->documents[into].is_record)) {
        gn_decode_refuse(in, GN_PROGRAM_INVALID);
    }
    rule->key_count = gn_decode_number(in, 2);
    rule->keys = gn_decode_array(in, rule->key_count, sizeof *rule->keys);
    for (uint32_t i = 0; in->status == GN_OK && i < rule->key_count; i++) {
        rule->keys[i] = get_template(in);
    }
    rule->operation_count = gn_decode_number(in, 2);
    rule->operations = gn_decode_array(in, rule->operation_count, sizeof *rule->operations);
    rule->steps = gn_decode_array(in, rule->operation_count, sizeof *rule->steps);
    for (uint32_t i = 0; in->status == GN_OK && i < rule->operation_count; i++) {
        rule->operations[i] = get_operation(in);
    }
    if (in->status == GN_OK) {
        gn_steps_entities(program, rule);
        for (uint32_t i = 0; i < rule->operation_count; i++) {
            rule->steps[i] = gn_step_of(program, &rule->operations[i]);
        }
    }
}

static gn_name word(const char *text)
{
    return (gn_name){(const uint8_t *)text, (uint32_t)strlen(text)};
}

/* `ops` is a source of its own: slots op, path, value. And the delta's _meta.status tells a fallback. */
static void add_own_sources(gn_decoder *in)
{
    gn_program *program = in->program;
    gn_name ops[] = {{(const uint8_t *)"op", 2}, {(const uint8_t *)"path", 4}, {(const uint8_t *)"value", 5}};
    gn_name status[] = {word("_meta"), word("status")};
    program->ops_source = get_source(in, word("ops"), false);
    gn_source_plan *source = &program->sources[program->ops_source];
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t slot = gn_shape_slot(in, &source->shape, &source->slot_count, (gn_names){1, &ops[i]});
        assert(in->status != GN_OK || slot == i);
        (void)slot;
    }
    program->status_slot = gn_shape_slot(in, &program->root, &program->root_slot_count, (gn_names){2, status});
}

static void get_rules(gn_decoder *in)
{
    gn_program *program = in->program;
    program->rule_count = gn_decode_number(in, 2);
    program->rules = gn_decode_array(in, program->rule_count, sizeof *program->rules);
    program->sources = gn_alloc_array(in->arena, program->rule_count + 1u, sizeof *program->sources);
    if (program->sources == NULL) {
        gn_decode_refuse(in, GN_NO_MEMORY);
        return;
    }
    memset(program->sources, 0, (program->rule_count + 1u) * sizeof *program->sources);
    gn_shape_open(in, &program->root);
    add_own_sources(in);
    for (uint32_t i = 0; in->status == GN_OK && i < program->rule_count; i++) {
        get_rule(in, &program->rules[i]);
    }
    gn_shapes_close(program);
}

static void get_patterns(gn_decoder *in)
{
    gn_program *program = in->program;
    program->pattern_count = gn_decode_number(in, 2);
    program->patterns = gn_decode_array(in, program->pattern_count, sizeof *program->patterns);
    for (uint32_t i = 0; in->status == GN_OK && i < program->pattern_count; i++) {
        gn_pattern *pattern = &program->patterns[i];
        pattern->code = gn_decode_index(in, 1, GN_OPERATION_COUNT);
        pattern->segment_count = gn_decode_index(in, 1, GN_NAME_SEGMENTS_MAX + 1);
        pattern->segments = gn_decode_array(in, pattern->segment_count, sizeof *pattern->segments);
        for (uint32_t j = 0; in->status == GN_OK && j < pattern->segment_count; j++) {
            pattern->segments[j].kind = gn_decode_index(in, 1, 3);
            pattern->segments[j].literal = gn_decode_name(in);
        }
    }
}

int gn_program_open(gn_arena *arena, const uint8_t *bytes, size_t size, gn_program *program, uint64_t *position)
{
    *program = (gn_program){0};
    gn_decoder in = {.start = bytes, .at = bytes, .end = bytes + size, .arena = arena, .program = program};
    if (size < 4 || memcmp(bytes, "GNP1", 4) != 0) {
        *position = 0;
        return GN_PROGRAM_INVALID;
    }
    in.at += 4;
    gn_arena_open(&in.scratch, arena->size_max);
    gn_decode_documents(&in);
    if (in.status == GN_OK) {
        gn_decode_terms(&in);
    }
    if (in.status == GN_OK) {
        get_rules(&in);
    }
    if (in.status == GN_OK) {
        get_patterns(&in);
    }
    if (in.status == GN_OK && in.at != in.end) {
        gn_decode_refuse(&in, GN_PROGRAM_INVALID);
    }
    gn_arena_close(&in.scratch);
    *position = (uint64_t)(in.at - in.start);
    return in.status;
}
