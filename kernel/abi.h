/* The border between Python and the kernel: one list, read by the C compiler and by cffi.
 *
 * Ownership: inputs belong to the caller and are read during the call only. Results lie in memory of
 * the handle and live until the next call with that handle. Handles are not shared between threads;
 * different handles may be used at once (there is no global state). After a status other than GN_OK
 * nothing that the handle holds has changed. */

enum gn_status {
    GN_OK = 0,
    GN_NO_MEMORY,           /* the bound given at open, or the machine's */
    GN_JSON_ENDS_EARLY,
    GN_JSON_UNEXPECTED,
    GN_JSON_TRAILING,
    GN_JSON_BYTE_ORDER_MARK,
    GN_JSON_NOT_UTF8,
    GN_JSON_LONE_SURROGATE,
    GN_JSON_BAD_ESCAPE,
    GN_JSON_CONTROL,
    GN_JSON_DUPLICATE_KEY,
    GN_JSON_NOT_FINITE,
    GN_JSON_INTEGER_RANGE,
    GN_JSON_TOO_DEEP,
    GN_JSON_TOO_LARGE,
    GN_NOT_CANONICAL,       /* JSON, but not in the canonical compact form */
    GN_PROGRAM_INVALID,     /* the rules' program does not decode */
    GN_DOCUMENT_UNKNOWN,    /* no document of that index */
    GN_ROW_INVALID,         /* a row that cannot be loaded: a record that is no object, a key twice */
    GN_DOCUMENT_NOT_OBJECT, /* a document's text is no object */
    GN_DOCUMENT_NO_ROOT,    /* its root is missing or no object */
    GN_DOCUMENT_AT,         /* a member @ under its root */
    GN_STATUS_COUNT
};

/* One constant sentence for each status; never NULL. */
const char *gn_status_text(int status);

/* ---- JSON ---- */

typedef struct gn_scratch gn_scratch;

/* Open working memory of at most memory_max bytes. fail_at: the n-th allocation fails, for tests; 0 never.
 * NULL when the machine has no memory. */
gn_scratch *gn_scratch_open(uint64_t memory_max, uint64_t fail_at);
void gn_scratch_close(gn_scratch *scratch);

/* Read strict JSON, write it canonically. depth_max and size_max 0: no limit.
 * The result lies in the scratch until its next use. On failure *position is the byte it was seen at. */
int gn_canonical(gn_scratch *scratch, const uint8_t *text, uint64_t size, int pretty, uint32_t depth_max,
                 uint64_t size_max, const uint8_t **out, uint64_t *out_size, uint64_t *position);

/* Where a member of an object lies: its key between the quotes, and its value. */
typedef struct gn_member_place {
    uint64_t key_at;
    uint64_t key_size;
    uint64_t at;
    uint64_t size;
} gn_member_place;
/* Cut an object as gn_canonical writes it compact, into its members. Returns how many there are, 0 for any other value;
 * the first `room` of them are written. */
uint64_t gn_members(const uint8_t *text, uint64_t size, gn_member_place *members, uint64_t room);

/* RFC 3339 to microseconds since 1970; 1 when it parses, else 0. */
int gn_instant_parse(const uint8_t *text, uint64_t size, int64_t *us);
/* The way back: UTC with Z, six fraction digits only when not zero; writes at most 27 bytes, returns how many. */
uint32_t gn_instant_format(int64_t us, uint8_t *out);

/* CRC-32C (Castagnoli), going on from crc; start with 0. */
uint32_t gn_crc32c(uint32_t crc, const uint8_t *data, uint64_t size);

/* ---- fold ---- */

typedef struct gn_fold gn_fold;

/* Bytes behind the end of a buffer of events or rows that may be read; what they hold does not matter. */
enum { GN_TEXT_SLACK = 64 };

/* A delta of one frame. Offsets into one buffer; body is canonical compact JSON. */
typedef struct gn_event {
    uint64_t body_at;
    uint32_t body_size;
    uint32_t stream_size;
    uint64_t stream_at;
    int64_t utc_us;         /* INT64_MIN: none */
    int32_t frame;
    uint32_t own;           /* 1: the store's own delta, without rules or allow list */
    uint8_t id[16];
} gn_event;

/* An entity. As input offsets into one buffer, as output into *text. */
typedef struct gn_row {
    uint64_t key_at;
    uint64_t body_at;
    uint32_t key_size;
    uint32_t body_size;     /* 0 on output: no row (an empty record or @) */
    uint32_t document;
    uint32_t removed;
} gn_row;

/* What became of an event's units. */
typedef struct gn_receipt {
    uint32_t units_in;
    uint32_t applied;
    uint32_t duplicate;
    uint32_t skipped;
    uint32_t optional_skipped;
    uint32_t line_first;    /* its lines in the lines of the call */
    uint32_t line_count;
} gn_receipt;

enum gn_source { GN_SOURCE_RULE = 0, GN_SOURCE_OPS, GN_SOURCE_MEMBER };
enum gn_outcome { GN_DUPLICATE = 0, GN_SKIPPED, GN_OPTIONAL };
enum gn_reason {
    GN_NO_REASON = 0,
    GN_NO_RULE,
    GN_FALLBACK,
    GN_MISSING_KEY,
    GN_MISSING_FIELD,
    GN_WRONG_TYPE,
    GN_UNKNOWN_ENTITY,
    GN_CLAIM_TAKEN,
    GN_TEST_FAILED,
    GN_NOT_ALLOWED,
    GN_MALFORMED,
    GN_NOT_ITERABLE,
    GN_KEY_EXISTS,
    GN_REASON_COUNT
};

/* A unit, or an op? of it, that did not apply. */
typedef struct gn_line {
    uint64_t text_at;       /* into the text of the call: a member's name (GN_SOURCE_MEMBER) or the operation */
    uint32_t text_size;
    uint32_t event;
    uint32_t source_index;  /* the rule's number for GN_SOURCE_RULE */
    uint32_t item;
    uint8_t source;
    uint8_t outcome;
    uint8_t reason;
    uint8_t pad;
} gn_line;

/* fail_at as above. On failure NULL with *status and *position (byte of the program). */
gn_fold *gn_fold_open(const uint8_t *program, uint64_t size, const uint8_t *seed, uint64_t memory_max,
                      uint64_t fail_at, int *status, uint64_t *position);
void gn_fold_close(gn_fold *fold);

/* Let the fail_at-th allocation from now fail; 0 never. For tests. */
void gn_fold_fail_at(gn_fold *fold, uint64_t fail_at);
/* Read deltas and copy documents as on a machine without wide registers, which gives the same. For tests. */
void gn_fold_read_narrow(gn_fold *fold);

/* Take entities in as they lie in the snapshots. */
int gn_fold_load(gn_fold *fold, const uint8_t *text, const gn_row *rows, uint64_t count, uint64_t *position);

/* Which entities the events may touch that are not loaded: *rows, their keys in *text. */
int gn_fold_needs(gn_fold *fold, const uint8_t *text, const gn_event *events, uint64_t count,
                  const gn_row **rows, uint64_t *row_count, const uint8_t **keys, uint64_t *event_at,
                  uint64_t *position);

/* Fold the events of one frame, in any order of arrival. One receipt an event, in the order of the input.
 * On failure *event_at is the event and *position the byte in its body. */
int gn_fold_run(gn_fold *fold, const uint8_t *text, const gn_event *events, uint64_t count,
                const gn_receipt **receipts, const gn_line **lines, uint64_t *line_count,
                const uint8_t **line_text, uint64_t *event_at, uint64_t *position);

/* What the last run changed, by document and key. */
int gn_fold_changed(gn_fold *fold, const gn_row **rows, uint64_t *row_count, const uint8_t **text);

/* Make a whole document from what is loaded; *size is what it comes to, never 0. */
int gn_fold_document(gn_fold *fold, uint32_t document, int pretty, uint64_t *size);
/* Write it to `out`, which is the caller's and has that size; of a large one the pages may become huge ones. The call
 * before was gn_fold_document, with success. */
void gn_fold_document_copy(const gn_fold *fold, uint8_t *out);

/* Running values of the derive terms: 16 bytes each, two's complement, little-endian. */
uint32_t gn_fold_term_count(const gn_fold *fold);
void gn_fold_totals(const gn_fold *fold, uint8_t *out);
void gn_fold_set_totals(gn_fold *fold, const uint8_t *values);
int gn_fold_recount(gn_fold *fold);

/* Bytes the handle holds: living state, and all of it. */
void gn_fold_memory(const gn_fold *fold, uint64_t *state, uint64_t *all);

/* ---- diff, merge3 ---- */

typedef struct gn_text {
    const uint8_t *bytes;
    uint64_t size;          /* 0: absent */
} gn_text;

/* A place to which both sides wrote, each something else. ours and theirs point into the caller's texts. */
typedef struct gn_conflict {
    gn_text path;           /* a JSON Pointer, plain UTF-8 */
    gn_text ours;
    gn_text theirs;
} gn_conflict;

/* Operations, a JSON array as a delta holds it in `ops`, that make the first of two texts of a document into
 * the second when they are folded as the store's own. Texts are canonical compact JSON; the result lies in the
 * scratch until its next use. On failure *failed is the text, from 0, and *position the byte in it. */
int gn_diff(gn_scratch *scratch, const gn_text *program, uint32_t document, const gn_text *texts, gn_text *ops,
            uint32_t *failed, uint64_t *position);

/* The edits of two texts joined: texts are base, ours, theirs; *merged is pretty, with a final line feed.
 * All else as above. */
int gn_merge3(gn_scratch *scratch, const gn_text *program, uint32_t document, const gn_text *texts,
              gn_text *merged, const gn_conflict **conflicts, uint64_t *conflict_count, uint32_t *failed,
              uint64_t *position);
