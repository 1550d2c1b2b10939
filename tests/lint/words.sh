#!/bin/bash
# SPDX-License-Identifier: MIT
# Words: no unfinished business (TODO, FIXME, XXX, HACK) and no path of a developer's own machine.
. "$(dirname "$0")/files.sh"

findings=$(
    text_files | grep -vx CONTRIBUTING.md | xargs -r -d '\n' grep -nHIwE 'TODO|FIXME|XXX|HACK' |
        sed -E 's/^([^:]*:[0-9]+):.*/\1: unfinished: do it, or describe the limit in docs\//'
    text_files | xargs -r -d '\n' grep -nHIE '(^|[^A-Za-z0-9_.$}*-])/(root|home|work|Users)/' |
        sed -E 's/^([^:]*:[0-9]+):.*/\1: a path of somebody'"'"'s machine/'
)
finish "$findings"
