#!/bin/sh
# A hook the guard has nothing to say in: hands over to the one that was in force before.

. "${0%/*}/settings"

if [ -n "$chained" ] && [ -x "$chained/${0##*/}" ]; then
    exec "$chained/${0##*/}" "$@"
fi
