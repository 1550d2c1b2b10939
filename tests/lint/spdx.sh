#!/bin/bash
# SPDX-License-Identifier: MIT
# Licence: C files begin with the SPDX line, scripts and make files have it in their first two lines.
. "$(dirname "$0")/files.sh"

findings=$(
    c_files include src tools tests bench | while read -r f; do
        [ "$(head -n 1 "$f")" = '/* SPDX-License-Identifier: MIT */' ] ||
            echo "$f:1: the first line must be /* SPDX-License-Identifier: MIT */"
    done
    files '\.(sh|awk|mk|rules|allow)$' '^\.ci/run$' '(^|/)Makefile$' | while read -r f; do
        head -n 2 "$f" | grep -qx '# SPDX-License-Identifier: MIT' ||
            echo "$f:1: # SPDX-License-Identifier: MIT is missing in the first two lines"
    done
)
finish "$findings"
