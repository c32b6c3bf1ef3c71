/* Any bytes as rows and deltas under fixed rules (rules.toml).
 *
 * A line is a delta; "!" before it makes it the store's own, "=0k " before it a row of document 0 with
 * key k; an empty line ends a frame. JSON that is not canonical is tried as it is and then made so.
 * Checked: a refusal changes nothing; documents are canonical; the deltas in reverse, under another
 * hash seed and read without wide registers, give the same bytes; and the running totals are what counting gives. */
#include "fuzz.h"
#include "program.h"

enum { EVENTS_MAX = 16, HANDLES = 2, KEY_SIZE_MAX = 64 };

static const uint8_t seeds[HANDLES][16] = {{1}, {0xFF, 2, 3}};
static const uint8_t stream[] = "s";

typedef struct frame {
    uint8_t *text;
    size_t size;
    gn_event events[EVENTS_MAX];
    uint32_t count;
} frame;

static copy document_of(gn_fold *handle, uint32_t index, int pretty)
{
    uint64_t size;
    must(gn_fold_document(handle, index, pretty, &size) == GN_OK);
    copy made = {malloc(size), size};
    must(made.bytes != NULL);
    gn_fold_document_copy(handle, made.bytes);
    return made;
}

static copy canonical_of(const uint8_t *text, size_t size, int pretty)
{
    gn_scratch *scratch = gn_scratch_open(MEMORY_MAX, 0);
    const uint8_t *out;
    uint64_t out_size, position;
    must(scratch != NULL);
    copy made = {NULL, 0};
    if (gn_canonical(scratch, text, size, pretty, 0, 0, &out, &out_size, &position) == GN_OK) {
        made = copy_of(out, out_size);
    }
    gn_scratch_close(scratch);
    return made;
}

/* The documents of all handles are the same, canonical bytes. */
static void check_documents(gn_fold *const handles[HANDLES])
{
    for (uint32_t i = 0; i < PROGRAM_DOCUMENTS; i++) {
        for (int pretty = 0; pretty < 2; pretty++) {
            copy first = document_of(handles[0], i, pretty);
            copy canonical = canonical_of(first.bytes, first.size, pretty);
            must(same(first, canonical));
            drop(canonical);
            for (int other = 1; other < HANDLES; other++) {
                copy second = document_of(handles[other], i, pretty);
                must(same(first, second));
                drop(second);
            }
            drop(first);
        }
    }
}

static void check_totals(gn_fold *handle)
{
    uint8_t kept[16 * (PROGRAM_TERMS + 1)] = {0}, counted[sizeof kept] = {0};
    must(gn_fold_term_count(handle) == PROGRAM_TERMS);
    gn_fold_totals(handle, kept);
    must(gn_fold_recount(handle) == GN_OK);
    gn_fold_totals(handle, counted);
    must(memcmp(kept, counted, sizeof kept) == 0);
}

static int run(gn_fold *handle, const frame *in, int reversed)
{
    gn_event events[EVENTS_MAX];
    const gn_receipt *receipts;
    const gn_line *lines;
    const gn_row *rows;
    const uint8_t *out;
    uint64_t count, at, position;
    for (uint32_t i = 0; i < in->count; i++) {
        events[i] = in->events[reversed ? in->count - 1 - i : i];
    }
    int status = gn_fold_needs(handle, in->text, events, in->count, &rows, &count, &out, &at, &position);
    must(status == GN_OK || at < in->count);
    status = gn_fold_run(handle, in->text, events, in->count, &receipts, &lines, &count, &out, &at, &position);
    must(status == GN_OK || (at < in->count && position <= events[at].body_size));
    if (status != GN_OK) {
        return status;
    }
    for (uint32_t i = 0; i < in->count; i++) {
        must(receipts[i].units_in == receipts[i].applied + receipts[i].duplicate + receipts[i].skipped);
    }
    must(gn_fold_changed(handle, &rows, &count, &out) == GN_OK);
    return GN_OK;
}

/* Fold the frame in both handles and start the next. */
static void end_frame(gn_fold *const handles[HANDLES], frame *in)
{
    if (in->count > 0) {
        copy before[PROGRAM_DOCUMENTS];
        for (uint32_t i = 0; i < PROGRAM_DOCUMENTS; i++) {
            before[i] = document_of(handles[0], i, 0);
        }
        int status = run(handles[0], in, 0);
        must((run(handles[1], in, 1) == GN_OK) == (status == GN_OK));
        for (uint32_t i = 0; i < PROGRAM_DOCUMENTS; i++) {
            copy after = document_of(handles[0], i, 0);
            must(status == GN_OK || same(before[i], after));
            drop(after);
            drop(before[i]);
        }
        check_documents(handles);
        check_totals(handles[0]);
    }
    free(in->text);
    *in = (frame){NULL, 0, {{0}}, 0};
}

static void add_event(gn_fold *const handles[HANDLES], frame *in, copy body, int own, uint8_t number)
{
    if (in->count == EVENTS_MAX || body.bytes == NULL) {
        end_frame(handles, in);
    }
    if (body.bytes == NULL) {
        return;
    }
    in->text = realloc(in->text, in->size + body.size + 1 + GN_TEXT_SLACK);
    must(in->text != NULL);
    memcpy(in->text + in->size, body.bytes, body.size);
    in->text[in->size + body.size] = stream[0];
    memset(in->text + in->size + body.size + 1, '"', GN_TEXT_SLACK); /* what may mislead most */
    in->events[in->count++] =
        (gn_event){.body_at = in->size, .body_size = (uint32_t)body.size, .stream_at = in->size + body.size,
                   .stream_size = 1, .utc_us = number % 3 == 0 ? INT64_MIN : (int64_t)(number % 5) * 1000000,
                   .frame = 1, .own = (uint32_t)own, .id = {number}};
    in->size += body.size + 1;
}

/* Keys of rows are the caller's word: UTF-8. */
static int is_key(const uint8_t *key, size_t size)
{
    uint8_t quoted[KEY_SIZE_MAX + 2] = {'"'};
    if (size > KEY_SIZE_MAX) {
        return 0;
    }
    memcpy(quoted + 1, key, size);
    quoted[size + 1] = '"';
    copy canonical = canonical_of(quoted, size + 2, 0);
    drop(canonical);
    return canonical.bytes != NULL;
}

/* "=0k {...}": loaded into both handles, or into neither. */
static void load(gn_fold *const handles[HANDLES], const uint8_t *line, size_t size)
{
    const uint8_t *space = size < 2 ? NULL : memchr(line + 1, ' ', size - 1);
    if (space == NULL || !is_key(line + 1, (size_t)(space - line) - 1)) {
        return;
    }
    const uint64_t body_at = (uint64_t)(space - line) + 1;
    gn_row row = {.key_at = 1, .key_size = (uint32_t)(body_at - 2), .body_at = body_at,
                  .body_size = (uint32_t)(size - body_at), .document = (uint32_t)line[0] - '0',
                  .removed = size == body_at};
    uint64_t position;
    uint8_t *text = malloc(size + GN_TEXT_SLACK);
    must(text != NULL);
    memcpy(text, line, size);
    memset(text + size, '"', GN_TEXT_SLACK);
    int status = gn_fold_load(handles[0], text, &row, 1, &position);
    must(gn_fold_load(handles[1], text, &row, 1, &position) == status);
    free(text);
    must(gn_fold_recount(handles[0]) == GN_OK && gn_fold_recount(handles[1]) == GN_OK);
}

static void take_line(gn_fold *const handles[HANDLES], frame *in, copy line, uint8_t number)
{
    const int own = line.size > 0 && line.bytes[0] == '!';
    if (line.size > 0 && line.bytes[0] == '=') {
        end_frame(handles, in);
        load(handles, line.bytes + 1, line.size - 1);
        return;
    }
    if (line.size == 0) {
        end_frame(handles, in);
        return;
    }
    copy raw = copy_of(line.bytes + own, line.size - (size_t)own);
    copy canonical = canonical_of(raw.bytes, raw.size, 0);
    if (canonical.bytes == NULL || !same(raw, canonical)) { /* alone, so that the others still fold */
        end_frame(handles, in);
        add_event(handles, in, raw, own, number);
        end_frame(handles, in);
    }
    if (canonical.bytes != NULL) {
        add_event(handles, in, canonical, own, number);
    }
    drop(canonical);
    drop(raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gn_fold *handles[HANDLES];
    frame in = {NULL, 0, {{0}}, 0};
    uint8_t number = 0;
    for (int i = 0; i < HANDLES; i++) {
        int status;
        uint64_t position;
        handles[i] = gn_fold_open(program, sizeof program, seeds[i], MEMORY_MAX, 0, &status, &position);
        must(handles[i] != NULL);
    }
    gn_fold_read_narrow(handles[1]);
    for (size_t at = 0; at < size && number < UINT8_MAX; number++) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        copy line = copy_of(data + at, end == NULL ? size - at : (size_t)(end - data) - at);
        take_line(handles, &in, line, number);
        at += line.size + 1;
        drop(line);
    }
    end_frame(handles, &in);
    gn_fold_close(handles[0]);
    gn_fold_close(handles[1]);
    return 0;
}
