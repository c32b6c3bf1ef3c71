/* The rules' program: from the bytes that kernel/program.py writes to structs, every index checked.
 *
 * The bytes come from our own compiler, yet they are read as if they came from anyone: a program that
 * decodes cannot make the fold reach outside its tables. Layout: kernel/program.py. */
#include "state.h"

typedef struct decoder {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    gn_arena *arena;
    gn_arena scratch;       /* for checking literals; reset after each */
    gn_program *program;
    gn_shape *shape;        /* where the names of references go: a source's items or the delta itself */
    uint32_t *slot_count;
    int status;
} decoder;

static bool refuse(decoder *in, int status)
{
    if (in->status == GN_OK) {
        in->status = status;
    }
    return false;
}

static uint32_t get_number(decoder *in, uint32_t bytes)
{
    if ((size_t)(in->end - in->at) < bytes) {
        refuse(in, GN_PROGRAM_INVALID);
        return 0;
    }
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        value |= (uint32_t)in->at[i] << (8 * i);
    }
    in->at += bytes;
    return value;
}

/* A number that must stay below a bound. */
static uint32_t get_index(decoder *in, uint32_t bytes, uint32_t bound)
{
    uint32_t value = get_number(in, bytes);
    if (value >= bound) {
        refuse(in, GN_PROGRAM_INVALID);
        return 0;
    }
    return value;
}

static gn_name get_name(decoder *in)
{
    uint32_t size = get_number(in, 4);
    if (in->status != GN_OK || (size_t)(in->end - in->at) < size) {
        refuse(in, GN_PROGRAM_INVALID);
        return (gn_name){in->start, 0}; /* no NULL, which not even zero may be added to */
    }
    gn_name name = {in->at, size};
    in->at += size;
    return name;
}

/* count cleared elements; each of them takes at least a byte of the program, which bounds the count. */
static void *get_array(decoder *in, size_t count, size_t size)
{
    if (in->status != GN_OK || count > (size_t)(in->end - in->at) + 1) {
        refuse(in, GN_PROGRAM_INVALID);
        return NULL;
    }
    void *items = gn_alloc_array(in->arena, count, size);
    if (items == NULL) {
        refuse(in, GN_NO_MEMORY);
        return NULL;
    }
    memset(items, 0, count * size);
    return items;
}

static gn_names get_names(decoder *in)
{
    gn_names names = {.count = get_index(in, 1, GN_NAME_SEGMENTS_MAX + 1)};
    names.names = get_array(in, names.count, sizeof *names.names);
    for (uint32_t i = 0; in->status == GN_OK && i < names.count; i++) {
        names.names[i] = get_name(in);
    }
    return names;
}

static gn_int128 get_int128(decoder *in)
{
    uint64_t low = get_number(in, 4);
    low |= (uint64_t)get_number(in, 4) << 32;
    uint64_t high = get_number(in, 4);
    high |= (uint64_t)get_number(in, 4) << 32;
    return (gn_int128)((gn_uint128)high << 64 | low);
}

/* ---- shapes ---- */

static void open_shape(decoder *in, gn_shape *shape)
{
    shape->expected = gn_alloc_array(in->arena, GN_EXPECTED_MAX, sizeof *shape->expected);
    if (shape->expected == NULL) {
        refuse(in, GN_NO_MEMORY);
    }
}

/* A plain name as it stands between the quotes of canonical text. */
static gn_name quoted(decoder *in, gn_name name)
{
    gn_buffer buffer = {.arena = in->arena};
    if (!gn_json_quote(name.bytes, name.size, &buffer)) {
        refuse(in, GN_NO_MEMORY);
        return name;
    }
    return (gn_name){buffer.data + 1, (uint32_t)buffer.size - 2};
}

/* The want of that name, made in its place when new. */
static gn_want *shape_want(decoder *in, gn_shape *shape, gn_name name)
{
    uint32_t at = 0;
    int order = -1;
    while (at < shape->count && (order = gn_key_compare(shape->wants[at].key.text, name)) < 0) {
        at++;
    }
    if (at < shape->count && order == 0) {
        return &shape->wants[at];
    }
    if (shape->count == shape->room) {
        uint32_t room = shape->room == 0 ? 4 : shape->room * 2;
        gn_want *wants = gn_alloc_array(in->arena, room, sizeof *wants);
        if (wants == NULL) {
            refuse(in, GN_NO_MEMORY);
            return NULL;
        }
        if (shape->count > 0) {
            memcpy(wants, shape->wants, shape->count * sizeof *wants);
        }
        shape->wants = wants;
        shape->room = room;
    }
    memmove(&shape->wants[at + 1], &shape->wants[at], (shape->count - at) * sizeof *shape->wants);
    shape->count++;
    shape->wants[at] = (gn_want){.key = gn_key_of(name, name.bytes + name.size), .slot = GN_NONE, .source = GN_NONE};
    return &shape->wants[at];
}

/* The slot in which scanning leaves the value of a dotted name. */
static uint32_t shape_slot(decoder *in, gn_shape *shape, uint32_t *slot_count, gn_names path)
{
    gn_want *want = NULL;
    for (uint32_t i = 0; in->status == GN_OK && i < path.count; i++) {
        want = shape_want(in, shape, quoted(in, path.names[i]));
        if (want != NULL && i + 1 < path.count) {
            if (want->below == NULL) {
                want->below = get_array(in, 1, sizeof *want->below);
                if (want->below == NULL) {
                    return 0;
                }
                open_shape(in, want->below);
            }
            shape = want->below;
        }
    }
    if (want == NULL || in->status != GN_OK) {
        refuse(in, GN_PROGRAM_INVALID);
        return 0;
    }
    if (want->slot == GN_NONE) {
        want->slot = (*slot_count)++;
    }
    return want->slot;
}

/* ---- templates ---- */

static gn_reference get_reference(decoder *in)
{
    gn_reference reference = {.count = get_number(in, 1)};
    reference.alternatives = get_array(in, reference.count, sizeof *reference.alternatives);
    for (uint32_t i = 0; in->status == GN_OK && i < reference.count; i++) {
        gn_alternative *alternative = &reference.alternatives[i];
        alternative->kind = get_index(in, 1, GN_REF_COUNT);
        if (alternative->kind == GN_REF_FIELD) {
            alternative->slot = shape_slot(in, in->shape, in->slot_count, get_names(in));
        }
    }
    return reference;
}

static gn_template get_template(decoder *in)
{
    gn_template template = {.count = get_number(in, 2)};
    template.parts = get_array(in, template.count, sizeof *template.parts);
    for (uint32_t i = 0; in->status == GN_OK && i < template.count; i++) {
        template.parts[i].is_reference = get_index(in, 1, 2) == 1;
        if (template.parts[i].is_reference) {
            template.parts[i].reference = get_reference(in);
        } else {
            template.parts[i].literal = get_name(in);
        }
    }
    return template;
}

static gn_segment get_segment(decoder *in)
{
    gn_segment segment = {.kind = get_index(in, 1, 3)};
    if (segment.kind == GN_SEGMENT_LITERAL) {
        segment.literal = get_name(in);
    } else if (segment.kind == GN_SEGMENT_TEMPLATE) {
        segment.template = get_template(in);
    }
    return segment;
}

/* Canonical text of one value: a literal goes into documents as it is. */
static gn_name get_literal(decoder *in)
{
    uint64_t position = 0;
    gn_name text = get_name(in);
    if (in->status == GN_OK) {
        int status = gn_scan_value(&in->scratch, text.bytes, text.size, &position);
        gn_arena_reset(&in->scratch);
        if (status != GN_OK) {
            refuse(in, status == GN_NO_MEMORY ? status : GN_PROGRAM_INVALID);
        }
    }
    return text;
}

static gn_operation get_operation(decoder *in)
{
    gn_operation operation = {.code = (uint8_t)get_index(in, 1, GN_OPERATION_COUNT), .slot = GN_NONE,
                              .entity = GN_NONE};
    operation.optional = get_index(in, 1, 2) == 1;
    operation.document = get_index(in, 2, in->program->document_count);
    operation.segment_count = get_index(in, 1, GN_NAME_SEGMENTS_MAX + 1);
    operation.segments = get_array(in, operation.segment_count, sizeof *operation.segments);
    for (uint32_t i = 0; in->status == GN_OK && i < operation.segment_count; i++) {
        operation.segments[i] = get_segment(in);
    }
    operation.value_kind = (uint8_t)get_index(in, 1, 3);
    if (operation.value_kind == GN_VALUE_LITERAL) {
        operation.literal = get_literal(in);
    } else if (operation.value_kind == GN_VALUE_REFERENCE) {
        operation.reference = get_reference(in);
    }
    if (in->status != GN_OK) {
        return operation;
    }
    const gn_document *document = &in->program->documents[operation.document];
    const uint32_t first = document->is_record ? 0 : 1;
    if (operation.segment_count < first || (operation.value_kind == GN_VALUE_NONE) != (operation.code == GN_REMOVE)) {
        refuse(in, GN_PROGRAM_INVALID);
        return operation;
    }
    if (operation.segment_count > first && operation.segments[first].kind == GN_SEGMENT_LITERAL) {
        uint32_t run;
        operation.slot = gn_slot_find(document, operation.segments[first].literal, &run);
    }
    return operation;
}

/* ---- documents ---- */

static void get_fields(decoder *in, gn_document *document)
{
    document->field_count = get_number(in, 2);
    document->fields = get_array(in, document->field_count, sizeof *document->fields);
    for (uint32_t i = 0; in->status == GN_OK && i < document->field_count; i++) {
        gn_field *field = &document->fields[i];
        field->has_second = get_number(in, 1) == 2;
        field->name = get_name(in);
        if (field->has_second) {
            field->second = get_name(in);
        }
        field->rule = get_index(in, 1, GN_FIELD_RULE_COUNT);
    }
}

static uint32_t field_rule(const gn_document *document, gn_name name)
{
    for (uint32_t i = 0; i < document->field_count; i++) {
        if (!document->fields[i].has_second && gn_name_equal(document->fields[i].name, name)) {
            return document->fields[i].rule;
        }
    }
    return GN_LAST;
}

static void get_slots(decoder *in, gn_document *document)
{
    document->slots.count = get_number(in, 2);
    document->slots.names = get_array(in, document->slots.count, sizeof *document->slots.names);
    document->slot_rules = get_array(in, document->slots.count, sizeof *document->slot_rules);
    document->slot_texts = get_array(in, document->slots.count, sizeof *document->slot_texts);
    for (uint32_t i = 0; in->status == GN_OK && i < document->slots.count; i++) {
        gn_buffer text = {.arena = in->arena};
        gn_name name = get_name(in);
        if (i > 0 && gn_name_compare(document->slots.names[i - 1], name) >= 0) {
            refuse(in, GN_PROGRAM_INVALID);
            return;
        }
        if (!gn_json_quote(name.bytes, name.size, &text) || !gn_buffer_put_byte(&text, ':')) {
            refuse(in, GN_NO_MEMORY);
            return;
        }
        document->slots.names[i] = name;
        document->slot_rules[i] = field_rule(document, name);
        document->slot_texts[i] = (gn_name){text.data, (uint32_t)text.size};
    }
}

static void get_derives(decoder *in, gn_document *document)
{
    document->derive_count = get_number(in, 2);
    document->derives = get_array(in, document->derive_count, sizeof *document->derives);
    if (document->derive_count > 0 && !document->is_record && !document->has_root) {
        refuse(in, GN_PROGRAM_INVALID);
    }
    for (uint32_t i = 0; in->status == GN_OK && i < document->derive_count; i++) {
        gn_derive *derive = &document->derives[i];
        derive->target = get_names(in);
        derive->constant = get_int128(in);
        derive->term_count = get_number(in, 2);
        derive->terms = get_array(in, derive->term_count, sizeof *derive->terms);
        if (derive->target.count == 0) {
            refuse(in, GN_PROGRAM_INVALID);
        }
        for (uint32_t j = 0; in->status == GN_OK && j < derive->term_count; j++) {
            derive->terms[j] = get_number(in, 2);
        }
    }
}

static void get_documents(decoder *in)
{
    gn_program *program = in->program;
    program->document_count = get_number(in, 2);
    program->documents = get_array(in, program->document_count, sizeof *program->documents);
    for (uint32_t i = 0; in->status == GN_OK && i < program->document_count; i++) {
        gn_document *document = &program->documents[i];
        document->name = get_name(in);
        document->has_root = get_index(in, 1, 2) == 1;
        document->root = get_name(in);
        document->is_record = get_index(in, 1, 2) == 1;
        document->create_always = get_index(in, 1, 2) == 1;
        get_fields(in, document);
        get_slots(in, document);
        get_derives(in, document);
        if (document->is_record && document->has_root) {
            refuse(in, GN_PROGRAM_INVALID);
        }
    }
}

/* The terms, each also entered at the document it looks at. */
static void get_terms(decoder *in)
{
    gn_program *program = in->program;
    program->term_count = get_number(in, 2);
    program->terms = get_array(in, program->term_count, sizeof *program->terms);
    for (uint32_t i = 0; in->status == GN_OK && i < program->term_count; i++) {
        gn_term *term = &program->terms[i];
        term->is_sum = get_index(in, 1, 2) == 1;
        term->document = get_index(in, 2, program->document_count);
        term->field = get_names(in);
        term->has_where = get_index(in, 1, 2) == 1;
        if (term->has_where) {
            term->where = get_names(in);
            term->literal = get_literal(in);
        }
        if (term->is_sum != (term->field.count > 0) || (term->has_where && term->where.count == 0)) {
            refuse(in, GN_PROGRAM_INVALID);
        }
    }
    for (uint32_t i = 0; in->status == GN_OK && i < program->term_count; i++) {
        gn_document *document = &program->documents[program->terms[i].document];
        if (document->terms == NULL) {
            document->terms = gn_alloc_array(in->arena, program->term_count, sizeof *document->terms);
            if (document->terms == NULL) {
                refuse(in, GN_NO_MEMORY);
                return;
            }
        }
        document->terms[document->term_count++] = i;
    }
    for (uint32_t i = 0; in->status == GN_OK && i < program->document_count; i++) {
        for (uint32_t j = 0; j < program->documents[i].derive_count; j++) {
            const gn_derive *derive = &program->documents[i].derives[j];
            for (uint32_t k = 0; k < derive->term_count; k++) {
                if (derive->terms[k] >= program->term_count) {
                    refuse(in, GN_PROGRAM_INVALID);
                }
            }
        }
    }
}

/* ---- rules ---- */

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

/* Give operations of one rule that name the same entity the same number. */
static void number_entities(const gn_program *program, gn_rule *rule)
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
            rule->entities[rule->entity_count++] = (gn_rule_entity){operation->document, reference};
        }
    }
    rule->lookup_count = rule->entity_count + (rule->into != GN_NONE);
    bool alone = rule->key_count == 1 && rule->keys[0].count == 1 && rule->keys[0].parts[0].is_reference;
    rule->entities[rule->entity_count] =
        (gn_rule_entity){rule->into, alone ? &rule->keys[0].parts[0].reference : NULL};
}

/* The operation as unit.c may do it: one slot of an entity, of a value that needs no working out. */
static gn_step step_of(const gn_program *program, const gn_operation *operation)
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
        step.step = step.is_plain ? (int64_t)by : 0;
    } else {
        step.is_plain = operation->code == GN_MAX || operation->code == GN_MIN;
        step.reference = operation->value_kind == GN_VALUE_REFERENCE ? &operation->reference : NULL;
    }
    return step;
}

static uint32_t get_source(decoder *in, gn_name name, bool has_when)
{
    gn_program *program = in->program;
    for (uint32_t i = 0; i < program->source_count; i++) {
        if (gn_name_equal(program->sources[i].name, name)) {
            program->sources[i].has_when_only &= has_when;
            return i;
        }
    }
    gn_want *want = shape_want(in, &program->root, quoted(in, name));
    if (want == NULL) {
        return 0;
    }
    want->source = program->source_count;
    program->sources[program->source_count] = (gn_source_plan){.name = name, .has_when_only = has_when};
    open_shape(in, &program->sources[program->source_count].shape);
    return program->source_count++;
}

static void get_rule(decoder *in, gn_rule *rule)
{
    gn_program *program = in->program;
    bool is_delta = get_index(in, 1, 2) == 1;
    gn_name each = get_name(in);
    rule->has_when = get_index(in, 1, 2) == 1;
    rule->source = is_delta || in->status != GN_OK ? GN_NONE : get_source(in, each, rule->has_when);
    in->shape = is_delta ? &program->root : &program->sources[rule->source == GN_NONE ? 0 : rule->source].shape;
    in->slot_count =
        is_delta ? &program->root_slot_count : &program->sources[rule->source == GN_NONE ? 0 : rule->source].slot_count;
    if (rule->has_when) {
        rule->when_slot = shape_slot(in, in->shape, in->slot_count, get_names(in));
        rule->when_literal = get_literal(in);
    }
    uint32_t into = get_number(in, 2);
    rule->into = into == 0xFFFF ? GN_NONE : into;
    if (rule->into != GN_NONE &&
        (into >= program->document_count || program->documents[into].is_record)) {
        refuse(in, GN_PROGRAM_INVALID);
    }
    rule->key_count = get_number(in, 2);
    rule->keys = get_array(in, rule->key_count, sizeof *rule->keys);
    for (uint32_t i = 0; in->status == GN_OK && i < rule->key_count; i++) {
        rule->keys[i] = get_template(in);
    }
    rule->operation_count = get_number(in, 2);
    rule->operations = get_array(in, rule->operation_count, sizeof *rule->operations);
    rule->steps = get_array(in, rule->operation_count, sizeof *rule->steps);
    for (uint32_t i = 0; in->status == GN_OK && i < rule->operation_count; i++) {
        rule->operations[i] = get_operation(in);
    }
    if (in->status == GN_OK) {
        number_entities(program, rule);
        for (uint32_t i = 0; i < rule->operation_count; i++) {
            rule->steps[i] = step_of(program, &rule->operations[i]);
        }
    }
}

static gn_name word(const char *text)
{
    return (gn_name){(const uint8_t *)text, (uint32_t)strlen(text)};
}

/* `ops` is a source of its own: slots op, path, value. And the delta's _meta.status tells a fallback. */
static void add_own_sources(decoder *in)
{
    gn_program *program = in->program;
    gn_name ops[] = {{(const uint8_t *)"op", 2}, {(const uint8_t *)"path", 4}, {(const uint8_t *)"value", 5}};
    gn_name status[] = {word("_meta"), word("status")};
    program->ops_source = get_source(in, word("ops"), false);
    gn_source_plan *source = &program->sources[program->ops_source];
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t slot = shape_slot(in, &source->shape, &source->slot_count, (gn_names){1, &ops[i]});
        assert(in->status != GN_OK || slot == i);
        (void)slot;
    }
    program->status_slot = shape_slot(in, &program->root, &program->root_slot_count, (gn_names){2, status});
}

/* The slots are known now: a shape and those below it share them. The rules bound the depth. */
static void close_shape(gn_shape *shape, uint32_t slot_count)
{
    shape->slot_count = slot_count;
    for (uint32_t i = 0; i < shape->count; i++) {
        if (shape->wants[i].below != NULL) {
            close_shape(shape->wants[i].below, slot_count);
        }
    }
}

static void close_shapes(gn_program *program)
{
    close_shape(&program->root, program->root_slot_count);
    for (uint32_t i = 0; i < program->source_count; i++) {
        close_shape(&program->sources[i].shape, program->sources[i].slot_count);
        program->has_left_out |= program->sources[i].has_when_only;
    }
}

static void get_rules(decoder *in)
{
    gn_program *program = in->program;
    program->rule_count = get_number(in, 2);
    program->rules = get_array(in, program->rule_count, sizeof *program->rules);
    program->sources = gn_alloc_array(in->arena, program->rule_count + 1u, sizeof *program->sources);
    if (program->sources == NULL) {
        refuse(in, GN_NO_MEMORY);
        return;
    }
    memset(program->sources, 0, (program->rule_count + 1u) * sizeof *program->sources);
    open_shape(in, &program->root);
    add_own_sources(in);
    for (uint32_t i = 0; in->status == GN_OK && i < program->rule_count; i++) {
        get_rule(in, &program->rules[i]);
    }
    close_shapes(program);
}

static void get_patterns(decoder *in)
{
    gn_program *program = in->program;
    program->pattern_count = get_number(in, 2);
    program->patterns = get_array(in, program->pattern_count, sizeof *program->patterns);
    for (uint32_t i = 0; in->status == GN_OK && i < program->pattern_count; i++) {
        gn_pattern *pattern = &program->patterns[i];
        pattern->code = get_index(in, 1, GN_OPERATION_COUNT);
        pattern->segment_count = get_index(in, 1, GN_NAME_SEGMENTS_MAX + 1);
        pattern->segments = get_array(in, pattern->segment_count, sizeof *pattern->segments);
        for (uint32_t j = 0; in->status == GN_OK && j < pattern->segment_count; j++) {
            pattern->segments[j].kind = get_index(in, 1, 3);
            pattern->segments[j].literal = get_name(in);
        }
    }
}

int gn_program_open(gn_arena *arena, const uint8_t *bytes, size_t size, gn_program *program, uint64_t *position)
{
    *program = (gn_program){0};
    decoder in = {.start = bytes, .at = bytes, .end = bytes + size, .arena = arena, .program = program};
    if (size < 4 || memcmp(bytes, "GNP1", 4) != 0) {
        *position = 0;
        return GN_PROGRAM_INVALID;
    }
    in.at += 4;
    gn_arena_open(&in.scratch, arena->size_max);
    get_documents(&in);
    if (in.status == GN_OK) {
        get_terms(&in);
    }
    if (in.status == GN_OK) {
        get_rules(&in);
    }
    if (in.status == GN_OK) {
        get_patterns(&in);
    }
    if (in.status == GN_OK && in.at != in.end) {
        refuse(&in, GN_PROGRAM_INVALID);
    }
    gn_arena_close(&in.scratch);
    *position = (uint64_t)(in.at - in.start);
    return in.status;
}
