/* Cells remembered before they are written, and texts that come and go while they are.
 *
 * An undo entry is written before each write; a unit, an operation or a whole call that fails is rolled back
 * through it. */
#include "state.h"

#define UNDO_ROOM_FIRST (1u << 15)

/* ---- undo ---- */

bool gn_state_expect(gn_fold *fold, uint32_t events)
{
    uint32_t room = events < UNDO_ROOM_FIRST / 16 ? events * 16 + 16 : UNDO_ROOM_FIRST;
    assert(fold->undo_count == 0 && fold->touched_count == 0);
    fold->undo = gn_alloc_array(&fold->call, room, sizeof *fold->undo);
    fold->touched = gn_alloc_array(&fold->call, room, sizeof *fold->touched);
    if (fold->undo == NULL || fold->touched == NULL) {
        return false;
    }
    fold->undo_room = fold->touched_room = room;
    return true;
}

static GN_COLD bool more_touched(gn_fold *fold)
{
    void *items = fold->touched;
    bool done = gn_double_array(&fold->call, &items, &fold->touched_room, sizeof *fold->touched);
    fold->touched = items;
    return done;
}

static GN_COLD bool more_undo(gn_fold *fold)
{
    void *items = fold->undo;
    bool done = gn_double_array(&fold->call, &items, &fold->undo_room, sizeof *fold->undo);
    fold->undo = items;
    return done;
}

GN_COLD bool gn_state_reserve_slow(gn_fold *fold, uint32_t count)
{
    bool done = true;
    while (done && fold->undo_room - fold->undo_count < count) {
        done = more_undo(fold);
    }
    return done;
}

bool gn_state_touch_first(gn_fold *fold, gn_entity *entity)
{
    gn_document *document = &fold->program.documents[entity->document];
    if (fold->touched_count == fold->touched_room && !more_touched(fold)) {
        return false;
    }
    if (document->term_count > 0 && !gn_derive_count(fold, entity, -1, fold->pending)) {
        return false;
    }
    entity->run = fold->run;
    entity->touches = 0;
    gn_listing_touch(&document->listing, entity->index);
    fold->touched[fold->touched_count++] = entity;
    return true;
}

static gn_owned *owned_of(const gn_cell *cell)
{
    assert(cell->kind == GN_TEXT && cell->is_owned);
    return (gn_owned *)(uintptr_t)cell->as.text - 1;
}

static void give_back(gn_fold *fold, gn_owned *owned)
{
    owned->next = fold->given_back[owned->class];
    fold->given_back[owned->class] = owned;
}

bool gn_state_save_slow(gn_fold *fold, gn_entity *entity, gn_cell *place)
{
    if (place->is_owned && owned_of(place)->run == fold->run && owned_of(place)->unit == fold->unit) {
        assert(entity->run == fold->run && entity->touches > 0); /* the unit saved what stood here before it */
        give_back(fold, owned_of(place));
        return true;
    }
    if (!gn_state_touch(fold, entity) ||
        (fold->undo_count == fold->undo_room && !more_undo(fold))) {
        return false;
    }
    fold->saved_owned |= place->is_owned != 0;
    fold->undo[fold->undo_count++] = (gn_undo){.place = place, .old = *place, .entity = entity};
    entity->touches++;
    return true;
}

void gn_state_roll_back(gn_fold *fold, uint32_t undo_count)
{
    assert(undo_count <= fold->undo_count);
    while (fold->undo_count > undo_count) {
        const gn_undo *undo = &fold->undo[--fold->undo_count];
        assert(undo->entity->touches > 0);
        *undo->place = undo->old;
        undo->entity->touches--;
    }
}

/* ---- texts that come and go ----
 *
 * Classes of room grow by an eighth to a quarter, so a text that grows by every operation leaves a few times its own
 * size behind, and not its size at each step. */

static size_t class_room(uint32_t class)
{
    return (size_t)(4 + class % 4) << (class / 4 + 7);
}

uint8_t *gn_state_text(gn_fold *fold, size_t size, uint16_t *is_owned)
{
    uint32_t class = 0;
    *is_owned = size >= GN_OWNED_SIZE_MIN;
    if (!*is_owned) {
        return gn_alloc_bytes(&fold->state, size);
    }
    while (class < GN_OWNED_CLASSES && class_room(class) < size) {
        class++;
    }
    if (class == GN_OWNED_CLASSES) {
        return NULL;
    }
    gn_owned *owned = fold->given_back[class];
    if (owned != NULL) {
        fold->given_back[class] = owned->next;
    } else {
        owned = gn_alloc(&fold->state, sizeof *owned + class_room(class));
    }
    if (owned == NULL) {
        return NULL;
    }
    *owned = (gn_owned){.run = fold->run, .unit = fold->unit, .class = class};
    return (uint8_t *)(owned + 1);
}

void gn_state_settle_owned(gn_fold *fold, uint32_t undo_count)
{
    uint32_t kept = undo_count;
    for (uint32_t i = undo_count; i < fold->undo_count; i++) {
        const gn_undo *undo = &fold->undo[i];
        /* An entry of this run stands before this one for the same place: whoever wrote the text saved it first. */
        gn_owned *owned = undo->old.is_owned ? owned_of(&undo->old) : NULL;
        if (owned == NULL || owned->run != fold->run) {
            fold->undo[kept++] = *undo;
            continue;
        }
        assert(undo->entity->touches > 1);
        undo->entity->touches--;
        give_back(fold, owned);
    }
    fold->undo_count = kept;
}
