"""Write the first `neighbor.toml`: what was found, guessed and proposed, with comments.

The text is for people: it is committed, read and changed. It holds every setting a newcomer
changes first, and proposals stand in comments.
"""

import json
from collections.abc import Mapping, Sequence

from .answer import counted
from .documents import Document
from .field_rules import guess_fields

UNRULED_MAX = 20
Fields = Mapping[str, frozenset[str]]  # document -> the fields its entities have

HEAD = """\
# The rules of this repository's state: how what streams write becomes what the documents hold.
# Streams write deltas (`neighbor append`); `neighbor frame close` folds them into the documents.

[frames]
wait = "120s"            # how long a close waits for streams that have not reported
reopen = 8               # how many closes back a late delta still folds in its own frame

[export]
commit = true            # a close commits the documents; false: it only writes the files
branch = {branch}          # the branch that holds the state; its neighbor.toml counts
max_loss = "10%"         # an export that would lose more of a document's entities is refused

# Deltas without `frame` or `stream_id`: take them from other fields.
# [ingest]
# stream = "{{agent_id}}"
"""
NO_DOCUMENTS = """
# No documents were found under state/. One looks like this:
# [documents.agents]
# path = "state/agents.json"
# root = "agents"          # entities are the members under this key
# [documents.agents.fields]
# post_count = "sum"
"""
POSTS_KEY = """\
key = ["{number}"]       # an item whose key is there already is a duplicate and changes nothing
"""
COMMENTS_KEY = """\
key = ["{comment_id|id|node_id}",
       "{discussion|post_number|discussion_number}/{author|agent}/{body}",
       "{@id}/{@index}"]     # the first whose fields are all present; the last never collides
"""
OPS = """
[ops]
allow = []               # which operations deltas may carry in `ops`, e.g. "inc /agents/*/karma"
"""


def rules_text(documents: Sequence[Document], branch: str, unruled: Mapping[str, int]) -> str:
    """Return the text of neighbor.toml for the documents found.

    `unruled` are the arrays seen in delta files that no rule below names, with their sizes.
    """
    parts = [HEAD.format(branch=json.dumps(branch))]
    parts += [_document(document, documents) for document in documents] or [NO_DOCUMENTS]
    fields = {document.name: _fields(document) for document in documents}
    taken = {document.name for document in documents}
    posts = "posts" if "posts" not in taken else "posts_created"
    comments = "comments" if "comments" not in taken else "comments_added"
    parts.append(
        f"\n[documents.{posts}]        # no path: kept in the store, not exported"
        f"\n[documents.{comments}]\n"
    )
    parts.append(_items("posts_created", posts, POSTS_KEY, _posts(fields)))
    parts.append(_items("comments_added", comments, COMMENTS_KEY, _comments(fields)))
    if "last_updated" in fields.get("stats", ()):
        parts.append(
            '\n[[items]]\neach = "."               # the delta itself, once\n'
            'apply = ["max? /stats/last_updated {@utc}"]\n'
        )
    parts.append(_unruled(unruled))
    return "".join(parts) + OPS


def _unruled(unruled: Mapping[str, int]) -> str:
    """Name the arrays that streams write and nobody has a rule for: they show as skipped."""
    if not unruled:
        return ""
    seen = [f"#   {member}: {counted(size, 'item')}" for member, size in sorted(unruled.items())]
    more = [f"#   and {len(seen) - UNRULED_MAX} more"] * (len(seen) > UNRULED_MAX)
    head = "# Seen in the delta files here, and without a rule, so they are skipped and said so:"
    return "\n" + "\n".join([head, *seen[:UNRULED_MAX], *more]) + "\n"


def _document(document: Document, documents: Sequence[Document]) -> str:
    """Write one document's tables: path, shape, and the fields whose rule is plain."""
    lines = ["", f"[documents.{document.name}]", f"path = {json.dumps(document.path)}"]
    if document.kind == "record":
        lines.append(f'kind = "record"          # one entity, the whole file: /{document.name}/...')
        rules = guess_fields([document.value])
    else:
        if document.root is not None:
            lines.append(f"root = {json.dumps(document.root)}")
        rules = guess_fields(document.entities.values())
    if rules:
        lines.append(f"[documents.{document.name}.fields]      # fields not named: last")
        lines += [f"{_key(field)} = {json.dumps(rule)}" for field, rule in rules.items()]
    proposals = _proposals(document, documents)
    if proposals:
        lines.append(
            f"# [documents.{document.name}.derive]     # computed, so that it cannot drift"
        )
        lines += [f"# {line}" for line in proposals]
    return "\n".join(lines) + "\n"


def _proposals(record: Document, documents: Sequence[Document]) -> list[str]:
    """Propose a derived field for each total in a record that counts another document."""
    if record.kind != "record":
        return []
    lines = []
    for document in documents:
        total = record.value.get(f"total_{document.name}")
        if document.kind == "map" and type(total) is int:
            constant = total - len(document.entities)
            term = f"count({document.name})"
            text = term if constant == 0 else f"{constant} + {term}"
            lines.append(f"total_{document.name} = {json.dumps(text)}")
    return lines


def _fields(document: Document) -> frozenset[str]:
    """Return the names of the fields that a document's entities have."""
    if document.kind == "record":
        return frozenset(document.value)
    entities = [each for each in document.entities.values() if isinstance(each, dict)]
    return frozenset().union(*entities)


def _posts(fields: Fields) -> list[str]:
    return [
        *_operation(fields, "stats", "total_posts", "inc  /stats/total_posts 1"),
        *_operation(fields, "channels", "post_count", "inc? /channels/{channel}/post_count 1"),
        *_operation(fields, "agents", "post_count", "inc? /agents/{author|agent}/post_count 1"),
        *_heartbeat(fields),
    ]


def _comments(fields: Fields) -> list[str]:
    author = "{author|agent}"
    return [
        *_operation(fields, "stats", "total_comments", "inc  /stats/total_comments 1"),
        *_operation(fields, "agents", "comment_count", f"inc? /agents/{author}/comment_count 1"),
        *_heartbeat(fields),
    ]


def _heartbeat(fields: Fields) -> list[str]:
    operation = "max? /agents/{author|agent}/heartbeat_last {created_at|@utc}"
    return _operation(fields, "agents", "heartbeat_last", operation)


def _operation(fields: Fields, document: str, field: str, operation: str) -> list[str]:
    """Propose an operation only where the field it writes is there."""
    return [operation] if field in fields.get(document, ()) else []


def _items(each: str, into: str, key: str, operations: Sequence[str]) -> str:
    lines = "".join(f"  {json.dumps(operation)},\n" for operation in operations)
    apply = f"apply = [\n{lines}]\n" if lines else ""
    return f'\n[[items]]\neach = "{each}"\ninto = "{into}"\n{key}{apply}'


def _key(field: str) -> str:
    bare = field.isascii() and field.replace("_", "").replace("-", "").isalnum()
    return field if bare else json.dumps(field)
