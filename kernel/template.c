/* Templates filled in from an item: values, segments of paths, keys of items. */
#include "unit.h"

bool gn_put_segment(gn_buffer *out, gn_name segment)
{
    for (uint32_t i = 0; i < segment.size; i++) {
        uint8_t byte = segment.bytes[i];
        bool put = byte == '~'   ? gn_buffer_put(out, "~0", 2)
                   : byte == '/' ? gn_buffer_put(out, "~1", 2)
                                 : gn_buffer_put_byte(out, byte);
        if (!put) {
            return false;
        }
    }
    return true;
}

bool gn_work_unquote(gn_work *work, gn_name text, gn_name *plain)
{
    assert(text.size >= 2 && text.bytes[0] == '"');
    *plain = (gn_name){text.bytes + 1, text.size - 2};
    if (plain->size == 0 || memchr(plain->bytes, '\\', plain->size) == NULL) {
        return true;
    }
    gn_buffer buffer = {.arena = &work->fold->event};
    if (!gn_json_unescape(plain->bytes, plain->size, &buffer)) {
        return false;
    }
    *plain = (gn_name){buffer.data, (uint32_t)buffer.size};
    return true;
}

static bool is_present(gn_name text)
{
    return text.size > 0 && text.bytes[0] != 'n' && !(text.size == 2 && text.bytes[0] == '"');
}

/* The item's number as text; NULL when memory ends. */
static bool index_text(gn_work *work, gn_name *text)
{
    uint8_t *digits = gn_alloc(&work->fold->event, 24);
    if (digits == NULL) {
        return false;
    }
    *text = (gn_name){digits, gn_integer_format(work->item, digits)};
    return true;
}

static bool alternative_text(gn_work *work, const gn_alternative *alternative, gn_name *text)
{
    switch (alternative->kind) {
    case GN_REF_FIELD: *text = gn_span_name(work, work->slots[alternative->slot]); return true;
    case GN_REF_FRAME: *text = work->frame; return true;
    case GN_REF_UTC: *text = work->utc; return true;
    case GN_REF_STREAM: *text = work->stream; return true;
    case GN_REF_ID: *text = work->id; return true;
    case GN_REF_KEY: *text = work->key; return true;
    case GN_REF_VALUE: *text = work->value; return true;
    default:
        assert(alternative->kind == GN_REF_INDEX);
        return index_text(work, text);
    }
}

bool gn_reference_text(gn_work *work, const gn_reference *reference, gn_name *text)
{
    for (uint32_t i = 0; i < reference->count; i++) {
        if (!alternative_text(work, &reference->alternatives[i], text)) {
            return false;
        }
        if (is_present(*text)) {
            return true;
        }
    }
    *text = (gn_name){NULL, 0};
    return true;
}

/* What a value gives in a path: a string as it is, anything else its canonical text. */
static bool plain_text(gn_work *work, gn_name text, gn_name *plain)
{
    if (text.bytes[0] == '"') {
        return gn_work_unquote(work, text, plain);
    }
    *plain = text;
    return true;
}

/* A template as text; bytes NULL: a field is missing. escaped: values get `~` and `/` escaped. */
static bool template_text(gn_work *work, const gn_template *template, bool escaped, gn_buffer *out, bool *missing)
{
    for (uint32_t i = 0; i < template->count; i++) {
        const gn_part *part = &template->parts[i];
        gn_name text = part->literal;
        if (!part->is_reference) {
            if (!gn_buffer_put(out, text.bytes, text.size)) {
                return false;
            }
            continue;
        }
        if (!gn_reference_text(work, &part->reference, &text)) {
            return false;
        }
        if (text.size == 0) {
            *missing = true;
            return true;
        }
        if (!plain_text(work, text, &text) ||
            !(escaped ? gn_put_segment(out, text) : gn_buffer_put(out, text.bytes, text.size))) {
            return false;
        }
    }
    return true;
}

bool gn_segment_text(gn_work *work, const gn_template *template, gn_name *text, bool *missing)
{
    if (template->count == 1 && template->parts[0].is_reference) {
        if (!gn_reference_text(work, &template->parts[0].reference, text)) {
            return false;
        }
        *missing = text->size == 0;
        return *missing || plain_text(work, *text, text);
    }
    gn_buffer out = {.arena = &work->fold->event};
    bool done = gn_buffer_reserve(&out, 1) && template_text(work, template, false, &out, missing);
    *text = (gn_name){out.data, (uint32_t)out.size};
    return done;
}

bool gn_key_text(gn_work *work, const gn_rule *rule, gn_name *key, bool *missing)
{
    *missing = false;
    if (rule->key_count == 1 && rule->keys[0].count == 1 && rule->keys[0].parts[0].is_reference) {
        return gn_segment_text(work, &rule->keys[0], key, missing);
    }
    for (uint32_t i = 0; i < rule->key_count; i++) {
        gn_buffer out = {.arena = &work->fold->event};
        if (!gn_buffer_reserve(&out, 32)) {
            return false;
        }
        if (rule->key_count > 1) {
            out.size = gn_integer_format(i + 1, out.data);
            out.data[out.size++] = '/';
        }
        *missing = false;
        if (!template_text(work, &rule->keys[i], true, &out, missing)) {
            return false;
        }
        if (!*missing) {
            *key = (gn_name){out.data, (uint32_t)out.size};
            return true;
        }
    }
    *missing = true;
    return true;
}
