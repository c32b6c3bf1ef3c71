/* A text being read: what read.c, read_string.c and read_number.c share. Functions that return bool leave
 * status and fault behind when it is false. */
#ifndef GN_READER_H
#define GN_READER_H

#include "order.h"
#include "plain.h"

#define GN_JSON_SIZE_LARGEST (UINT32_MAX - 64) /* of text and result: offsets are 32 bits */

typedef struct gn_reader {
    const uint8_t *begin;
    const uint8_t *at;
    const uint8_t *end;
    uint8_t *to;                /* always with room for end - at bytes and GN_COPY_SLACK */
    size_t base;                /* where this text's bytes begin in out */
    gn_buffer *out;
    gn_order order;
    gn_buffer frames;
    uint32_t depth;
    uint32_t depth_max;
    bool opened;                /* the value just read is an array or object that has yet to be filled */
    bool is_object;             /* of the innermost frame */
    int status;
    const uint8_t *fault;
} gn_reader;

static inline bool gn_read_fail(gn_reader *r, int status, const uint8_t *fault)
{
    r->status = status;
    r->fault = fault;
    return false;
}

/* The first byte that was written for this text. */
static inline uint8_t *gn_read_written(const gn_reader *r)
{
    return r->out->data + r->base;
}

static inline void gn_read_put(gn_reader *r, const uint8_t *text, size_t size)
{
    memcpy(r->to, text, size);
    r->to += size;
}

/* Refuse the byte at r->at, which cannot stand there, or the end of the text. */
bool gn_read_fail_here(gn_reader *r);

/* A string from its opening quote to behind its closing one. *escaped: its canonical form holds a backslash. */
bool gn_read_string(gn_reader *r, bool *escaped);

/* A number; r->at is a digit or a minus sign. */
bool gn_read_number(gn_reader *r);

#endif
