/* The pretty form of canonical compact JSON: a line feed and two spaces a depth around each member, `: ` behind a key.
 *
 * Text is copied from mark to mark (marks.h), 16 bytes at a time, and white space put between. Room is looked for once
 * a block of 64 bytes, for the worst that such a block can become. */
#include "kernel.h"
#include "marks.h"

#define INDENT 2u
#define COPY_STEP 16u
#define LINE_STEP 32u
/* Copies and lines are stored in whole steps. */
#define SLACK (LINE_STEP + COPY_STEP)

typedef struct printer {
    gn_marks_state marks;
    uint8_t *to;
    size_t line_size;       /* a line feed and the indent of the depth */
    bool is_empty;          /* the innermost object or array, which opened just now, closes at once */
} printer;

/* A line feed and an indent; returns behind it. */
static inline uint8_t *put_line(uint8_t *to, size_t line_size)
{
    static const uint8_t line[LINE_STEP] = "\n                               ";
    memcpy(to, line, LINE_STEP);
    if (line_size > LINE_STEP) {
        memset(to + LINE_STEP, ' ', line_size - LINE_STEP);
    }
    return to + line_size;
}

/* Returns behind what was copied. May read and write up to COPY_STEP bytes more. */
static inline uint8_t *copy(uint8_t *to, const uint8_t *from, size_t size)
{
    memcpy(to, from, COPY_STEP);
    for (size_t at = COPY_STEP; at < size; at += COPY_STEP) {
        memcpy(to + at, from + at, COPY_STEP);
    }
    return to + size;
}

/* `size` of the 64 bytes are text; COPY_STEP bytes behind them may be read. */
static inline void put_block(printer *p, const uint8_t *block, size_t size)
{
    /* Bytes are written in between, which may be anything to the compiler: what is needed at each mark is local. */
    uint8_t *to = p->to;
    const uint8_t *from = block;
    size_t line_size = p->line_size;
    bool is_empty = p->is_empty;
    for (uint64_t marks = gn_marks_next(&p->marks, block); marks != 0; marks &= marks - 1) {
        const uint8_t *at = block + __builtin_ctzll(marks);
        const uint8_t mark = *at;
        to = copy(to, from, (size_t)(at - from));
        from = at + 1;
        if (mark == ':') {
            memcpy(to, ": ", 2);
            to += 2;
        } else if (mark == ',') {
            *to = mark;
            to = put_line(to + 1, line_size);
        } else if (mark == '{' || mark == '[') {
            *to++ = mark;
            line_size += INDENT;
            is_empty = (*from | 0x20) == '}';
            to = is_empty ? to : put_line(to, line_size);
        } else {
            assert(line_size > INDENT);
            line_size -= INDENT;
            to = is_empty ? to : put_line(to, line_size);
            *to++ = mark;
            is_empty = false;
        }
    }
    p->to = copy(to, from, (size_t)(block + size - from));
    p->line_size = line_size;
    p->is_empty = is_empty;
}

/* The most that a block can become: each byte opens a line, and a depth. */
static inline size_t block_room(size_t line_size)
{
    return GN_MARKS_STEP * (1 + line_size + GN_MARKS_STEP * INDENT) + SLACK;
}

bool gn_json_pretty(const uint8_t *text, size_t size, uint32_t indent, gn_buffer *out)
{
    uint8_t tail[2 * GN_MARKS_STEP + COPY_STEP];
    const size_t base = out->size, line_size = 1 + (size_t)indent * INDENT;
    printer p = {.line_size = line_size};
    bool is_tail = false;
    while (size > 0) {
        if (!is_tail && size < GN_MARKS_STEP + COPY_STEP) { /* where more may be read than is text */
            memcpy(tail, text, size);
            memset(tail + size, 0, GN_MARKS_STEP);
            text = tail;
            is_tail = true;
        }
        if (!gn_buffer_reserve(out, block_room(p.line_size))) {
            out->size = base;
            return false;
        }
        const size_t step = size < GN_MARKS_STEP ? size : GN_MARKS_STEP;
        p.to = out->data + out->size;
        put_block(&p, text, step);
        out->size = (size_t)(p.to - out->data);
        text += step;
        size -= step;
    }
    assert(p.line_size == line_size && p.marks.in_string == 0 && out->size <= out->room);
    return true;
}
