/* Decoding the rules' program: what its parts share. See kernel/program.py for the layout.
 *
 * A decoder goes on after a failure, reading zeros, and remembers the first; who loops looks at the status. */
#ifndef GN_DECODE_H
#define GN_DECODE_H

#include "state.h"

typedef struct gn_decoder {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    gn_arena *arena;
    gn_arena scratch;       /* for checking literals; reset after each */
    gn_program *program;
    gn_shape *shape;        /* where the names of references go: a source's items or the delta itself */
    uint32_t *slot_count;
    int status;
} gn_decoder;

/* ---- decode.c: numbers, names, literals ---- */

/* Note the first failure; always false. */
bool gn_decode_refuse(gn_decoder *in, int status);
uint32_t gn_decode_number(gn_decoder *in, uint32_t bytes);
/* A number that must stay below a bound. */
uint32_t gn_decode_index(gn_decoder *in, uint32_t bytes, uint32_t bound);
gn_int128 gn_decode_int128(gn_decoder *in);
gn_name gn_decode_name(gn_decoder *in);
gn_names gn_decode_names(gn_decoder *in);
/* Canonical text of one value: a literal goes into documents as it is. */
gn_name gn_decode_literal(gn_decoder *in);
/* count cleared elements; each of them takes at least a byte of the program, which bounds the count. */
void *gn_decode_array(gn_decoder *in, size_t count, size_t size);

/* ---- document.c ---- */

void gn_decode_documents(gn_decoder *in);
/* The terms, each also entered at the document it looks at. */
void gn_decode_terms(gn_decoder *in);

/* ---- shape.c: which members of a delta the rules name ---- */

void gn_shape_open(gn_decoder *in, gn_shape *shape);
/* A plain name as it stands between the quotes of canonical text. */
gn_name gn_shape_quoted(gn_decoder *in, gn_name name);
/* The want of that name, made in its place when new; NULL when memory ends. */
gn_want *gn_shape_want(gn_decoder *in, gn_shape *shape, gn_name name);
/* The slot in which scanning leaves the value of a dotted name. */
uint32_t gn_shape_slot(gn_decoder *in, gn_shape *shape, uint32_t *slot_count, gn_names path);
/* All slots are known now. */
void gn_shapes_close(gn_program *program);

/* ---- step.c: the short way ---- */

/* Give operations of one rule that name the same entity the same number. */
void gn_steps_entities(const gn_program *program, gn_rule *rule);
/* The operation as unit.c may do it: one slot of an entity, of a value that needs no working out. */
gn_step gn_step_of(gn_program *program, const gn_operation *operation);

#endif
