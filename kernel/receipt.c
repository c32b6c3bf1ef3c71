/* What became of a unit, as lines of its event's receipt. */
#include "unit.h"

int gn_work_line(gn_work *work, uint32_t outcome, uint32_t reason, gn_name operation)
{
    gn_fold *fold = work->fold;
    const gn_unit *unit = work->unit;
    gn_line line = {.text_at = fold->line_text.size, .text_size = operation.size, .event = work->event_index,
                    .source_index = unit->rule == NULL ? 0 : (uint32_t)(unit->rule - fold->program.rules),
                    .item = unit->item, .source = (uint8_t)work->source,
                    .outcome = (uint8_t)outcome, .reason = (uint8_t)reason};
    bool put = gn_buffer_put(&fold->line_text, operation.bytes, operation.size) &&
               gn_buffer_put(&fold->lines, &line, sizeof line);
    work->receipt->line_count += put;
    return put ? GN_OK : GN_NO_MEMORY;
}

void gn_work_forget_lines(gn_work *work, size_t lines)
{
    gn_fold *fold = work->fold;
    if (fold->lines.size > lines) {
        gn_line first;
        memcpy(&first, fold->lines.data + lines, sizeof first);
        fold->line_text.size = (size_t)first.text_at;
        work->receipt->line_count -= (uint32_t)((fold->lines.size - lines) / sizeof first);
        fold->lines.size = lines;
    }
}

int gn_work_skip(gn_work *work, uint32_t reason, gn_name operation)
{
    work->receipt->units_in++;
    work->receipt->skipped++;
    return gn_work_line(work, GN_SKIPPED, reason, operation);
}

static bool put_slash_segment(gn_buffer *out, gn_name segment)
{
    return gn_buffer_put_byte(out, '/') && gn_put_segment(out, segment);
}

bool gn_work_operation(gn_work *work, uint32_t code, const gn_path *path, gn_name *text)
{
    const gn_document *document = &work->fold->program.documents[path->document];
    const gn_name name = gn_operation_name(code);
    gn_buffer out = {.arena = &work->fold->event};
    bool put = gn_buffer_put(&out, name.bytes, name.size) && gn_buffer_put_byte(&out, ' ') &&
               put_slash_segment(&out, document->name) &&
               (document->is_record || path->key.bytes == NULL || put_slash_segment(&out, path->key));
    for (uint32_t i = 0; put && i < path->field_count; i++) {
        put = put_slash_segment(&out, path->fields[i]);
    }
    *text = (gn_name){out.data, (uint32_t)out.size};
    return put;
}
