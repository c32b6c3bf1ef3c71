/* Any bytes through the JSON reader: an error has a position, and a canonical form is one.
 *
 * Checked: compact of compact is the same bytes, compact of pretty too, pretty of pretty too, and both
 * forms accept and refuse the same texts at the same byte; and an object's members, put together again, are the
 * object. */
#include "fuzz.h"

static copy canonical_of(const uint8_t *text, size_t size, int pretty, int *status, uint64_t *position)
{
    gn_scratch *scratch = gn_scratch_open(MEMORY_MAX, 0);
    const uint8_t *out = NULL;
    uint64_t out_size = 0;
    must(scratch != NULL);
    *position = 0;
    *status = gn_canonical(scratch, text, size, pretty, DEPTH_MAX, 0, &out, &out_size, position);
    must(*status >= GN_OK && *status < GN_STATUS_COUNT);
    must(*status != GN_OK || out != NULL);
    copy made = *status == GN_OK ? copy_of(out, out_size) : (copy){NULL, 0};
    gn_scratch_close(scratch);
    return made;
}

static void must_be_fixed(copy from, int pretty, copy expected)
{
    int status;
    uint64_t position;
    copy again = canonical_of(from.bytes, from.size, pretty, &status, &position);
    must(status == GN_OK);
    must(same(again, expected));
    drop(again);
}

/* Keys and values of the first members lie one behind the other, with quotes, colons and commas between them. */
static void check_members(copy compact)
{
    gn_member_place members[4];
    const uint64_t room = sizeof members / sizeof members[0];
    const uint64_t count = gn_members(compact.bytes, compact.size, members, room);
    uint64_t at = 1;
    must((compact.bytes[0] == '{' && compact.size > 2) == (count > 0));
    for (uint64_t i = 0; i < count && i < room; i++, at++) {
        must(members[i].key_at == at + 1 && compact.bytes[at] == '"');
        at = members[i].key_at + members[i].key_size;
        must(members[i].at == at + 2 && compact.bytes[at] == '"' && compact.bytes[at + 1] == ':');
        at = members[i].at + members[i].size;
        must(at < compact.size && compact.bytes[at] == (i + 1 < count ? ',' : '}'));
    }
    must(count == 0 || count > room || at == compact.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int status, status_pretty;
    uint64_t position, position_pretty;
    int64_t us;
    copy compact = canonical_of(data, size, 0, &status, &position);
    copy pretty = canonical_of(data, size, 1, &status_pretty, &position_pretty);
    must(status == status_pretty);
    if (status == GN_OK) {
        must_be_fixed(compact, 0, compact);
        must_be_fixed(pretty, 0, compact);
        must_be_fixed(pretty, 1, pretty);
        must_be_fixed(compact, 1, pretty);
        check_members(compact);
    } else {
        must(position <= size && position == position_pretty);
        must(gn_status_text(status) != NULL);
    }
    if (gn_instant_parse(data, size, &us) != 0) {
        uint8_t text[INSTANT_SIZE_MAX];
        int64_t again;
        must(gn_instant_parse(text, (uint64_t)gn_instant_format(us, text), &again) == 1);
        must(again == us);
    }
    drop(compact);
    drop(pretty);
    return 0;
}
