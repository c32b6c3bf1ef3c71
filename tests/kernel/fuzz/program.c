/* Any bytes as a program: it is refused with a position, or it folds what it is given.
 *
 * What decodes runs: rows for two documents, two deltas, every document written, totals counted again. */
#include "fuzz.h"

static const uint8_t seed[16] = {1};
#define TEXT                                                                                                          \
    "{\"_meta\":{\"status\":\"ok\"},\"frame\":1,\"gone\":[\"u\"],\"items\":[{\"author\":\"u\",\"deep\":{\"x\":1},"    \
    "\"id\":1,\"n\":2,\"s\":[\"q\"],\"t\":\"2026-01-01T00:00:00Z\",\"who\":\"u\"},{\"id\":\"u\",\"who\":\"v\"},5],"   \
    "\"obj\":{\"u\":{\"id\":3,\"n\":-1}},\"ops\":[{\"op\":\"inc\",\"path\":\"/a/u/n\",\"value\":1}],"                 \
    "\"stream_id\":\"s\",\"utc\":\"2026-01-01T00:00:00Z\"}"                                                           \
    "s"                                                                                                               \
    "u"                                                                                                               \
    "{\"deep\":{\"x\":[1]},\"h\":\"2026-01-01T00:00:00Z\",\"n\":1,\"s\":[\"q\",1.5]}"
static const char text[sizeof TEXT + GN_TEXT_SLACK] = TEXT;

enum { KEY_AT = 1, STREAM_AT = 1 };

static void fold(gn_fold *handle)
{
    const uint64_t body_size = (uint64_t)(strstr(text, "}s") - text) + 1;
    const uint64_t row_at = body_size + STREAM_AT + KEY_AT;
    must(sizeof TEXT - body_size - STREAM_AT >= GN_TEXT_SLACK); /* the row behind the events will do */
    gn_event events[2];
    gn_row rows[2];
    uint64_t position, event_at, row_count, line_count, size;
    const gn_row *changed;
    const gn_receipt *receipts;
    const gn_line *lines;
    const uint8_t *out;
    for (uint32_t i = 0; i < 2; i++) {
        rows[i] = (gn_row){.key_at = body_size + STREAM_AT, .key_size = KEY_AT, .body_at = row_at,
                           .body_size = (uint32_t)(sizeof TEXT - 1 - row_at), .document = i};
        events[i] = (gn_event){.body_size = (uint32_t)body_size, .stream_at = body_size, .stream_size = STREAM_AT,
                               .utc_us = INT64_MIN, .frame = 1, .own = i, .id = {(uint8_t)i}};
        gn_fold_load(handle, (const uint8_t *)text, &rows[i], 1, &position);
    }
    gn_fold_needs(handle, (const uint8_t *)text, events, 2, &changed, &row_count, &out, &event_at, &position);
    int status = gn_fold_run(handle, (const uint8_t *)text, events, 2, &receipts, &lines, &line_count, &out,
                             &event_at, &position);
    if (status == GN_OK) {
        gn_fold_changed(handle, &changed, &row_count, &out);
    }
    for (uint32_t i = 0; gn_fold_document(handle, i, 1, &size) != GN_DOCUMENT_UNKNOWN; i++) {
    }
    gn_fold_recount(handle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int status = GN_OK;
    uint64_t position = 0;
    copy program = copy_of(data, size);
    gn_fold *handle = gn_fold_open(program.bytes, size, seed, MEMORY_MAX, 0, &status, &position);
    if (handle == NULL) {
        must(status != GN_OK && position <= size);
    } else {
        memset(program.bytes, 0xEE, size); /* the caller's again: a handle keeps nothing of it */
        fold(handle);
        gn_fold_close(handle);
    }
    drop(program);
    return 0;
}
