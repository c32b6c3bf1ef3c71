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

/* The item's number as text; NULL when memory ends. */
static bool index_text(gn_work *work, gn_name *text)
{
    uint8_t *digits = gn_alloc(&work->fold->event, 24);
    if (digits == NULL) {
        return false;
    }
    *text = (gn_name){digits, gn_integer_format(work->unit->item, digits)};
    return true;
}

static bool put_hex(gn_buffer *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    if (!gn_buffer_reserve(out, 2 * size + 2)) {
        return false;
    }
    out->data[out->size++] = '"';
    for (size_t i = 0; i < size; i++) {
        out->data[out->size++] = (uint8_t)digits[bytes[i] >> 4];
        out->data[out->size++] = (uint8_t)digits[bytes[i] & 15];
    }
    out->data[out->size++] = '"';
    return true;
}

static bool put_own_name(const gn_work *work, uint32_t kind, gn_buffer *out)
{
    const gn_event *event = work->event;
    if (kind == GN_REF_ID) {
        return put_hex(out, event->id, sizeof event->id);
    }
    if (kind == GN_REF_STREAM) {
        return gn_json_quote(work->text + event->stream_at, event->stream_size, out);
    }
    if (!gn_buffer_reserve(out, 32)) {
        return false;
    }
    if (kind == GN_REF_FRAME) {
        out->size += gn_integer_format(event->frame, out->data);
    } else if (event->utc_us >= GN_INSTANT_MIN && event->utc_us <= GN_INSTANT_MAX) {
        out->data[0] = '"';
        out->size = 1 + gn_instant_format(event->utc_us, out->data + 1);
        out->data[out->size++] = '"';
    }
    return true;
}

/* One of the delta's own names as JSON text; size 0: it has none. Rendered when first asked for. */
static bool own_name(gn_work *work, uint32_t kind, gn_name *text)
{
    if (work->own_names == NULL) {
        work->own_names = gn_alloc_array(&work->fold->event, GN_REF_COUNT, sizeof *work->own_names);
        if (work->own_names == NULL) {
            return false;
        }
        memset(work->own_names, 0, GN_REF_COUNT * sizeof *work->own_names);
    }
    gn_name *kept = &work->own_names[kind];
    if (kept->bytes == NULL) {
        gn_buffer out = {.arena = &work->fold->event};
        if (!put_own_name(work, kind, &out)) {
            return false;
        }
        *kept = (gn_name){out.data, (uint32_t)out.size};
    }
    *text = *kept;
    return true;
}

static bool alternative_text(gn_work *work, const gn_alternative *alternative, gn_name *text)
{
    switch (alternative->kind) {
    case GN_REF_FIELD: *text = gn_work_field(work, alternative->slot); return true;
    case GN_REF_FRAME: case GN_REF_UTC: case GN_REF_STREAM: case GN_REF_ID:
        return own_name(work, alternative->kind, text);
    case GN_REF_KEY: *text = gn_work_key(work); return true;
    case GN_REF_VALUE: *text = gn_work_value(work); return true;
    default:
        assert(alternative->kind == GN_REF_INDEX);
        return index_text(work, text);
    }
}

bool gn_reference_text_from(gn_work *work, const gn_reference *reference, uint32_t first, gn_name *text)
{
    for (uint32_t i = first; i < reference->count; i++) {
        if (!alternative_text(work, &reference->alternatives[i], text)) {
            return false;
        }
        if (gn_is_present(*text)) {
            return true;
        }
    }
    *text = (gn_name){NULL, 0};
    return true;
}

bool gn_plain_text(gn_work *work, gn_name text, gn_name *plain, bool *missing)
{
    *missing = text.size == 0;
    if (!*missing && text.bytes[0] == '"') {
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
        if (!gn_plain_text(work, text, &text, missing)) {
            return false;
        }
        if (*missing) {
            return true;
        }
        if (!(escaped ? gn_put_segment(out, text) : gn_buffer_put(out, text.bytes, text.size))) {
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
        return gn_plain_text(work, *text, text, missing);
    }
    gn_buffer out = {.arena = &work->fold->event};
    bool done = gn_buffer_reserve(&out, 1) && template_text(work, template, false, &out, missing);
    *text = (gn_name){out.data, (uint32_t)out.size};
    return done;
}

bool gn_key_text(gn_work *work, const gn_rule *rule, gn_name *key, bool *missing)
{
    *missing = false;
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
