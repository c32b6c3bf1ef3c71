/* What the operations share: a place found (place.c), operations on it (apply.c), merge (merge.c). */
#ifndef GN_APPLY_H
#define GN_APPLY_H

#include "state.h"

typedef struct gn_target {
    gn_document *document;
    gn_entity *entity;      /* NULL: not there yet */
    gn_cell *cell;          /* the place itself, or what holds the text around it; NULL: the entity is not there */
    bool is_cell;           /* the cell is the place */
    bool bare;              /* the text around is a run: members without braces */
    gn_name text;           /* the text around the place */
    const gn_name *fields;  /* from that text to the place */
    uint32_t field_count;
    gn_place place;
} gn_target;

extern const gn_name GN_EMPTY;      /* {} */

/* Where the path leads; *reason says why it leads nowhere. entity NULL: not there yet. */
int gn_find_place(gn_fold *fold, const gn_path *path, gn_entity *entity, gn_target *at, uint32_t *reason);
bool gn_is_absent(const gn_target *at);
/* The value at the place as text; size 0 when absent. False when memory ends. */
bool gn_current_text(gn_fold *fold, const gn_target *at, gn_name *text);
/* A value's cell: small integers and whole seconds as numbers, all else as a text that the state keeps. */
bool gn_value_cell(gn_fold *fold, gn_name value, gn_cell *cell);
/* Write a value there; parents and the entity are made. */
int gn_put(gn_fold *fold, const gn_path *path, gn_target *at, gn_name value);
/* The same for a cell's own number, GN_INTEGER or GN_SECOND. */
int gn_put_number(gn_fold *fold, gn_target *at, uint16_t kind, int64_t number);
/* Take the member, or the whole entity, away. */
int gn_take_out(gn_fold *fold, const gn_path *path, gn_target *at);

/* The elements of a trusted array, one after the other; *at starts behind its bracket. */
bool gn_next_element(const uint8_t **at, const uint8_t *end, gn_name *element);

/* merge.c: an object, member by member, each by its field's rule; all of it or nothing. */
int gn_apply_merge(gn_fold *fold, const gn_path *path, gn_target *at, gn_name value, bool own, uint32_t *reason);

#endif
