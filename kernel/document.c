/* The documents of the rules' program: their fields, slots, derived fields and the terms that these add up. */
#include "decode.h"

static void get_fields(gn_decoder *in, gn_document *document)
{
    document->field_count = gn_decode_number(in, 2);
    document->fields = gn_decode_array(in, document->field_count, sizeof *document->fields);
    for (uint32_t i = 0; in->status == GN_OK && i < document->field_count; i++) {
        gn_field *field = &document->fields[i];
        field->has_second = gn_decode_number(in, 1) == 2;
        field->name = gn_decode_name(in);
        if (field->has_second) {
            field->second = gn_decode_name(in);
        }
        field->rule = gn_decode_index(in, 1, GN_FIELD_RULE_COUNT);
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

static void get_slots(gn_decoder *in, gn_document *document)
{
    document->slots.count = gn_decode_number(in, 2);
    document->slots.names = gn_decode_array(in, document->slots.count, sizeof *document->slots.names);
    document->slot_prefixes = gn_decode_array(in, document->slots.count, sizeof *document->slot_prefixes);
    document->slot_rules = gn_decode_array(in, document->slots.count, sizeof *document->slot_rules);
    document->slot_texts = gn_decode_array(in, document->slots.count, sizeof *document->slot_texts);
    for (uint32_t i = 0; in->status == GN_OK && i < document->slots.count; i++) {
        gn_buffer text = {.arena = in->arena};
        gn_name name = gn_decode_name(in);
        if (i > 0 && gn_name_compare(document->slots.names[i - 1], name) >= 0) {
            gn_decode_refuse(in, GN_PROGRAM_INVALID);
            return;
        }
        if (!gn_json_quote(name.bytes, name.size, &text) || !gn_buffer_put_byte(&text, ':')) {
            gn_decode_refuse(in, GN_NO_MEMORY);
            return;
        }
        document->slots.names[i] = name;
        document->slot_prefixes[i] = gn_key_of(name, name.bytes + name.size).prefix;
        document->slot_rules[i] = field_rule(document, name);
        document->slot_texts[i] = (gn_name){text.data, (uint32_t)text.size};
    }
}

static void get_derives(gn_decoder *in, gn_document *document)
{
    document->derive_count = gn_decode_number(in, 2);
    document->derives = gn_decode_array(in, document->derive_count, sizeof *document->derives);
    if (document->derive_count > 0 && !document->is_record && !document->has_root) {
        gn_decode_refuse(in, GN_PROGRAM_INVALID);
    }
    for (uint32_t i = 0; in->status == GN_OK && i < document->derive_count; i++) {
        gn_derive *derive = &document->derives[i];
        derive->target = gn_decode_names(in);
        derive->constant = gn_decode_int128(in);
        derive->term_count = gn_decode_number(in, 2);
        derive->terms = gn_decode_array(in, derive->term_count, sizeof *derive->terms);
        if (in->status != GN_OK) {
            return;
        }
        const gn_int128 far = (gn_int128)1 << 100; /* a total stays below 2^112: the sum of both is a number */
        if (derive->target.count == 0 || derive->constant < -far || derive->constant > far) {
            gn_decode_refuse(in, GN_PROGRAM_INVALID);
        } else if (document->has_root && gn_name_equal(derive->target.names[0], document->root)) {
            gn_decode_refuse(in, GN_PROGRAM_INVALID); /* the entities are there */
        }
        for (uint32_t j = 0; in->status == GN_OK && j < derive->term_count; j++) {
            derive->terms[j] = gn_decode_number(in, 2);
        }
    }
}

void gn_decode_documents(gn_decoder *in)
{
    gn_program *program = in->program;
    program->document_count = gn_decode_number(in, 2);
    program->documents = gn_decode_array(in, program->document_count, sizeof *program->documents);
    for (uint32_t i = 0; in->status == GN_OK && i < program->document_count; i++) {
        gn_document *document = &program->documents[i];
        document->name = gn_decode_name(in);
        document->has_root = gn_decode_index(in, 1, 2) == 1;
        document->root = gn_decode_name(in);
        document->is_record = gn_decode_index(in, 1, 2) == 1;
        document->create_always = gn_decode_index(in, 1, 2) == 1;
        get_fields(in, document);
        get_slots(in, document);
        get_derives(in, document);
        if (document->is_record && document->has_root) {
            gn_decode_refuse(in, GN_PROGRAM_INVALID);
        }
    }
}

void gn_decode_terms(gn_decoder *in)
{
    gn_program *program = in->program;
    program->term_count = gn_decode_number(in, 2);
    program->terms = gn_decode_array(in, program->term_count, sizeof *program->terms);
    for (uint32_t i = 0; in->status == GN_OK && i < program->term_count; i++) {
        gn_term *term = &program->terms[i];
        term->is_sum = gn_decode_index(in, 1, 2) == 1;
        term->document = gn_decode_index(in, 2, program->document_count);
        term->field = gn_decode_names(in);
        term->has_where = gn_decode_index(in, 1, 2) == 1;
        if (term->has_where) {
            term->where = gn_decode_names(in);
            term->literal = gn_decode_literal(in);
        }
        if (term->is_sum != (term->field.count > 0) || (term->has_where && term->where.count == 0)) {
            gn_decode_refuse(in, GN_PROGRAM_INVALID);
        }
    }
    for (uint32_t i = 0; in->status == GN_OK && i < program->term_count; i++) {
        gn_document *document = &program->documents[program->terms[i].document];
        if (document->terms == NULL) {
            document->terms = gn_alloc_array(in->arena, program->term_count, sizeof *document->terms);
            if (document->terms == NULL) {
                gn_decode_refuse(in, GN_NO_MEMORY);
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
                    gn_decode_refuse(in, GN_PROGRAM_INVALID);
                }
            }
        }
    }
}
