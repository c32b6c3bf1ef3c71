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
    size_t depth;
    bool is_empty;          /* the innermost object or array, which opened just now, closes at once */
} printer;

/* A line feed and the indent of this depth; returns behind it. */
static inline uint8_t *put_line(uint8_t *to, size_t depth)
{
    static const uint8_t line[LINE_STEP] = "\n                               ";
    const size_t size = 1 + depth * INDENT;
    memcpy(to, line, LINE_STEP);
    if (size > LINE_STEP) {
        memset(to + LINE_STEP, ' ', size - LINE_STEP);
    }
    return to + size;
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
    size_t depth = p->depth, from = 0;
    bool is_empty = p->is_empty;
    for (uint64_t marks = gn_marks_next(&p->marks, block); marks != 0; marks &= marks - 1) {
        const size_t at = (size_t)__builtin_ctzll(marks);
        const uint8_t mark = block[at];
        to = copy(to, block + from, at - from);
        from = at + 1;
        switch (mark) {
        case ',':
            *to++ = mark;
            to = put_line(to, depth);
            break;
        case ':':
            memcpy(to, ": ", 2);
            to += 2;
            break;
        case '{':
        case '[':
            *to++ = mark;
            depth++;
            is_empty = (block[at + 1] | 0x20) == '}';
            to = is_empty ? to : put_line(to, depth);
            break;
        default:
            assert(depth > 0);
            depth--;
            to = is_empty ? to : put_line(to, depth);
            *to++ = mark;
            is_empty = false;
        }
    }
    p->to = copy(to, block + from, size - from);
    p->depth = depth;
    p->is_empty = is_empty;
}

/* The most that a block can become: each byte opens a line, and a depth. */
static size_t block_room(size_t depth)
{
    return GN_MARKS_STEP * (2 + (depth + GN_MARKS_STEP) * INDENT) + SLACK;
}

static bool reserve(printer *p, gn_buffer *out)
{
    out->size = (size_t)(p->to - out->data);
    if (!gn_buffer_reserve(out, block_room(p->depth))) {
        return false;
    }
    p->to = out->data + out->size;
    return true;
}

bool gn_json_pretty(const uint8_t *text, size_t size, uint32_t indent, gn_buffer *out)
{
    uint8_t tail[2 * GN_MARKS_STEP + COPY_STEP] = {0};
    const size_t base = out->size;
    printer p = {.to = out->data + base, .depth = indent};
    while (size >= GN_MARKS_STEP + COPY_STEP) {
        if (!reserve(&p, out)) {
            out->size = base;
            return false;
        }
        put_block(&p, text, GN_MARKS_STEP);
        text += GN_MARKS_STEP;
        size -= GN_MARKS_STEP;
    }
    memcpy(tail, text, size);
    for (size_t at = 0; at < size; at += GN_MARKS_STEP) {
        if (!reserve(&p, out)) {
            out->size = base;
            return false;
        }
        put_block(&p, tail + at, size - at < GN_MARKS_STEP ? size - at : GN_MARKS_STEP);
    }
    out->size = (size_t)(p.to - out->data);
    assert(p.depth == indent && p.marks.in_string == 0 && out->size <= out->room);
    return true;
}
