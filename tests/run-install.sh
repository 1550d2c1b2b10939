#!/bin/bash
# SPDX-License-Identifier: MIT
# `make install` to a scratch prefix; then a program that knows only the installed files is compiled,
# linked and run: with no service it must get the error that says so.
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

make --no-print-directory install PREFIX="$scratch/usr"
for f in bin/splitdom-service bin/splitdom-client bin/splitdom-integrity lib/libblkfront.a \
    include/splitdom/blkfront.h lib/pkgconfig/blkfront.pc; do
    [ -s "$scratch/usr/$f" ] || { echo "$f was not installed" >&2; exit 1; }
done

# Nothing but the public names may be visible in the library.
foreign=$(nm -g --defined-only "$scratch/usr/lib/libblkfront.a" | awk 'NF == 3 && $3 !~ /^blkfront_/ { print $3 }')
[ -z "$foreign" ] || { echo "libblkfront.a also defines: $foreign" >&2; exit 1; }

mkdir "$scratch/rundir"
chmod 700 "$scratch/rundir"
cat >"$scratch/prog.c" <<'END'
#include <splitdom/blkfront.h>
#include <stdio.h>

/* Names of the layers below must stay free for a program's own use. */
int segment_create(void);
int segment_create(void)
{
    return 7;
}

int main(int argc, char **argv)
{
    struct blkfront *bf = NULL;
    struct blkfront_error why = {.text = ""};
    int err = blkfront_connect(&(struct blkfront_options){.rundir = argv[argc - 1]}, &bf, &why);
    printf("%d %s\n", err, why.text);
    return err < 0 && why.text[0] && segment_create() == 7 ? 0 : 1;
}
END
flags=$(PKG_CONFIG_PATH=$scratch/usr/lib/pkgconfig pkg-config --cflags --libs blkfront)
for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    # shellcheck disable=SC2086 # flags is a list
    $cc -Wall -Wextra -Werror -o "$scratch/prog" "$scratch/prog.c" $flags
    "$scratch/prog" "$scratch/rundir" || { echo "$cc: the program did not get the error it should" >&2; exit 1; }
done
# shellcheck disable=SC2086
if command -v g++ >/dev/null; then
    echo '#include <splitdom/blkfront.h>' | g++ -fsyntax-only -x c++ - $flags
fi
echo "install works"
