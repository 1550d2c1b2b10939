#!/bin/bash
# SPDX-License-Identifier: MIT
# `make install` to a scratch prefix; then programs that know only the installed files are compiled, linked and
# run, in C and C++, statically and shared, and one in Python: with no service each must get the error that says
# so; with the installed service each reads a sector.
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
usr=$scratch/usr
clean_up() {
    jobs -p | xargs -r kill 2>/dev/null || :
    "$usr/bin/splitdom-service" stop >/dev/null 2>&1 || :
    rm -rf "$scratch"
}
trap clean_up EXIT
die() {
    echo "$*" >&2
    exit 1
}
export SPLITDOM_RUNDIR=$scratch/run SPLITDOM_NAME=default
mkdir -m 700 "$SPLITDOM_RUNDIR"

make --no-print-directory install PREFIX="$usr"
for f in bin/splitdom-{service,client,domu,integrity} lib/libsplitdom.{a,so} lib/libsplitdom.so.1 \
    include/splitdom/{blkfront,netfront,version}.h lib/pkgconfig/{libsplitdom,blkfront}.pc \
    share/man/man1/splitdom-{service,client,domu,integrity}.1 share/man/man3/{blkfront,domu,netfront,blkfront_read,domu_open,netfront_send}.3 \
    share/bash-completion/completions/splitdom-{service,client,domu}; do
    [ -s "$usr/$f" ] || die "$f was not installed"
done

# Nothing but the public names may be visible in the library, and all of them.
tools/public_names.sh >"$scratch/wanted"
nm -g --defined-only "$usr/lib/libsplitdom.a" | awk 'NF == 3 { print $3 }' | sort -u >"$scratch/static"
nm -D --defined-only "$usr/lib/libsplitdom.so" | awk '$2 ~ /[TDBR]/ { sub(/@.*/, "", $3); print $3 }' | sort -u >"$scratch/shared"
cmp "$scratch/wanted" "$scratch/static" || die "libsplitdom.a shows other names: $(diff "$scratch/wanted" "$scratch/static")"
# Each has a page, and the page is one that there is.
while read -r name; do
    [ "$(cat "$usr/share/man/man3/$name.3")" = ".so man3/${name%%_*}.3" ] || die "no page of $name"
    [ -s "$usr/share/man/man3/${name%%_*}.3" ] || die "$name leads to no page"
done <"$scratch/wanted"
cmp "$scratch/wanted" "$scratch/shared" || die "libsplitdom.so shows other names: $(diff "$scratch/wanted" "$scratch/shared")"

# One version, and pages and messages with the names that the programs have here.
version=$("$usr/bin/splitdom-service" --version | sed 's/.* //')
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "the service has the version '$version'"
for name in libsplitdom blkfront; do
    [ "$(PKG_CONFIG_PATH=$usr/lib/pkgconfig pkg-config --modversion $name)" = "$version" ] || die "another version in $name.pc"
done
"$usr/bin/splitdom-client" --version | grep -qF "$version" || die "another version of the client"
! grep -nE '\./bin/|^\.TH (SERVICE|CLIENT|DOMU|TOOL)|^\.BR? (service|client|domu|tool_for_integrity) ' "$usr"/share/man/man[13]/* ||
    die "a page names a program of the tree"
"$usr/bin/splitdom-client" 1 1 2>&1 | grep -q "start it with 'splitdom-service start'" || die "the client names a program of the tree"
"$usr/bin/splitdom-client" 1 2>&1 | grep -q "see 'splitdom-client --help'" || die "a usage error names a program of the tree"

# Each public name has a page, which man can show.
while read -r name; do
    [ -s "$usr/share/man/man3/$name.3" ] || die "no page for $name"
done <"$scratch/wanted"
if command -v man >/dev/null; then
    MANPATH=$usr/share/man MANPAGER=cat man --warnings 3 blkfront_read >"$scratch/page" 2>"$scratch/warnings" || die "no page for man"
    grep -q 'int blkfront_read(' "$scratch/page" || die "the page does not declare blkfront_read"
    [ ! -s "$scratch/warnings" ] || die "the page has errors: $(cat "$scratch/warnings")"
fi

cat >"$scratch/prog.c" <<'END'
#include <splitdom/blkfront.h>
#include <stdio.h>

/* Names of the layers below must stay free for a program's own use. */
int segment_create(void);
int segment_create(void)
{
    return 7;
}

int main(void)
{
    struct blkfront_options options = {0};
    options.size = sizeof(options);
    struct blkfront *bf = NULL;
    struct blkfront_error why;
    unsigned char sector[512];

    why.text[0] = '\0';
    int rc = blkfront_connect(&options, &bf, &why);
    if (rc == 0)
        rc = blkfront_read(bf, 3, 1, sector);
    blkfront_close(bf);
    printf("%d %02x%02x %s\n", rc, sector[0], sector[511], why.text);
    return rc < 0 && segment_create() == 7;
}
END
cat >"$scratch/prog.py" <<'END'
import ctypes, sys
lib = ctypes.CDLL(sys.argv[1])
lib.blkfront_read.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p]
lib.blkfront_close.argtypes = [ctypes.c_void_p]
options = ctypes.create_string_buffer(512)  # longer than ours, all zero: the defaults
ctypes.c_size_t.from_buffer(options).value = len(options)
handle, why, sector = ctypes.c_void_p(), ctypes.create_string_buffer(256), ctypes.create_string_buffer(512)
rc = lib.blkfront_connect(options, ctypes.byref(handle), why)
if rc == 0:
    rc = lib.blkfront_read(handle, 3, 1, sector)
lib.blkfront_close(handle)
print(rc, "%02x%02x" % (sector.raw[0], sector.raw[511]), why.value.decode())
sys.exit(rc < 0)
END
shared=$(PKG_CONFIG_PATH=$usr/lib/pkgconfig pkg-config --cflags --libs libsplitdom)
static="-static $(PKG_CONFIG_PATH=$usr/lib/pkgconfig pkg-config --static --cflags --libs libsplitdom)"
programs=()
for cc in gcc clang g++; do
    command -v $cc >/dev/null || continue
    language=c
    [ $cc != g++ ] || language=c++
    for how in shared static; do
        # shellcheck disable=SC2086 # lists
        $cc -Wall -Wextra -Wno-missing-field-initializers -Werror -o "$scratch/$cc.$how" -x $language "$scratch/prog.c" -x none ${!how}
        programs+=("$scratch/$cc.$how")
    done
done
# Each header alone, for both languages as they were long ago.
for header in blkfront domu netfront version; do
    printf "#include <splitdom/%s.h>\nint main(void);\n" "$header" >"$scratch/header.c"
    for how in 'gcc -std=c99 -x c' 'g++ -std=c++11 -x c++'; do
        # shellcheck disable=SC2086 # a list
        $how -Wall -Wextra -Wpedantic -Werror -fsyntax-only "-I$usr/include" "$scratch/header.c" || die "$header.h by $how"
    done
done
# What bash offers for a program's arguments, and what each verb says of itself.
completions() { # PROGRAM ARGUMENT... WORD: of the last
    bash -c '. "$0" && program=$1 && COMP_WORDS=("$@") && COMP_CWORD=$(($# - 1)) && _splitdom "$program" && printf "%s\\n" "${COMPREPLY[@]}"' \
        "$usr/share/bash-completion/completions/splitdom-domu" "$@"
}
completions "$usr/bin/splitdom-client" --ji | grep -q . && die "completion: an option that is not there"
completions "$usr/bin/splitdom-client" --js | grep -qx -- --json || die "completion: no options of the client"
completions "$usr/bin/splitdom-service" start --eng | grep -qx -- --engine || die "completion: no options of a verb"
for verb in $(completions "$usr/bin/splitdom-domu" "" | grep -v '^--'); do
    "$usr/bin/splitdom-domu" "$verb" --help | grep -q "^usage: splitdom-domu $verb " || die "domu $verb --help"
done
# A package is made below another directory, of what will lie in its prefix, which GNU spells in small letters.
make --no-print-directory install DESTDIR="$scratch/package" prefix=/opt/splitdom
(cd "$usr" && find . -type f -o -type l | sort) >"$scratch/files"
(cd "$scratch/package/opt/splitdom" && find . -type f -o -type l | sort) | cmp - "$scratch/files" || die "DESTDIR: other files"
grep -rlF "$scratch" "$scratch"/package/opt/splitdom/{lib/pkgconfig,share} && die "DESTDIR: a file names the directory of the package"
[ "$(PKG_CONFIG_PATH=$scratch/package/opt/splitdom/lib/pkgconfig pkg-config --variable=libdir libsplitdom)" = /opt/splitdom/lib ] ||
    die "DESTDIR: another libdir"
# Nothing of it stays, and what is somebody else's does.
touch "$scratch/package/opt/splitdom/bin/other"
make --no-print-directory uninstall DESTDIR="$scratch/package" PREFIX=/opt/splitdom
[ "$(cd "$scratch/package" && find . -type f -o -type l)" = ./opt/splitdom/bin/other ] || die "left: $(find "$scratch/package" -type f -o -type l)"
# Of a PREFIX that begins here, too; and nothing is left where it was looked up.
mkdir "$scratch/temporary"
relative=$(realpath --relative-to=. "$scratch/relative")
make --no-print-directory install PREFIX="$relative" >/dev/null
TMPDIR=$scratch/temporary make --no-print-directory uninstall PREFIX="$relative" >/dev/null
left=$(find "$scratch/relative" -type f -o -type l) left+=$(ls -A "$scratch/temporary")
[ -z "$left" ] || die "left: $left"
# Names with spaces, and files that others can read whatever the umask says.
(umask 077 && make --no-print-directory install PREFIX="$scratch/a prefix") >/dev/null
(cd "$scratch/a prefix" && find . -type f -o -type l | sort) | cmp - "$scratch/files" || die "a space: other files"
[ -z "$(find "$scratch/a prefix" ! -perm -o=r)" ] || die "closed to others: $(find "$scratch/a prefix" ! -perm -o=r)"
for name in libsplitdom blkfront; do
    flags=$(PKG_CONFIG_PATH="$scratch/a prefix/lib/pkgconfig" pkg-config --cflags --libs $name)
    eval "gcc -Werror -o '$scratch/spaces' docs/example.c $flags" || die "$name.pc of a prefix with a space: $flags"
done
export LD_LIBRARY_PATH=$usr/lib
! command -v python3 >/dev/null || programs+=("python3 $scratch/prog.py $usr/lib/libsplitdom.so.1")

for program in "${programs[@]}"; do
    $program >"$scratch/out" && die "$program: no error without a service: $(cat "$scratch/out")"
    grep -q 'no service .default. is running' "$scratch/out" || die "$program: another error: $(cat "$scratch/out")"
done
dd if=/dev/urandom of="$scratch/disk.img" bs=512 count=8 status=none
"$usr/bin/splitdom-service" start --image "$scratch/disk.img"
wanted=$(dd if="$scratch/disk.img" bs=512 skip=3 count=1 status=none | od -An -v -tx1 | tr -d ' \n')
wanted=${wanted:0:4}
# The last byte of the sector.
wanted=${wanted:0:2}$(dd if="$scratch/disk.img" bs=1 skip=$((4 * 512 - 1)) count=1 status=none | od -An -tx1 | tr -d ' ')
for program in "${programs[@]}"; do
    $program >"$scratch/out" || die "$program does not read: $(cat "$scratch/out")"
    grep -q "^0 $wanted" "$scratch/out" || die "$program read $(cat "$scratch/out"), not $wanted"
done

# The example of the documents, as a reader compiles it.
# shellcheck disable=SC2086 # a list
gcc -Wall -Wextra -Werror -o "$scratch/example" docs/example.c $shared
[ "$("$scratch/example" 3)" = "$wanted" ] || die "the example reads $("$scratch/example" 3), not $wanted"

# An unmodified program runs on the clock of a domain, with what lies beside the installed program.
if [ -e bin/domu-shim ]; then
    "$usr/bin/splitdom-domu" run --tdf 2 -- true || die "splitdom-domu run: exit $?"
fi

# nbdkit finds the installed plugin through the installed program.
if [ -e "$usr/lib/nbdkit/plugins/nbdkit-splitdom-plugin.so" ] && command -v nbdkit nbdinfo >/dev/null; then
    "$usr/bin/splitdom-domu" nbd "$scratch/s" &
    domu=$!
    until [ -S "$scratch/s" ] || ! kill -0 $domu 2>/dev/null; do sleep 0.02; done
    [ "$(nbdinfo --size "nbd+unix:///?socket=$scratch/s")" = 4096 ] || die "splitdom-domu nbd does not serve the disk"
    kill $domu
    wait $domu || die "splitdom-domu nbd ended with $?"
fi
echo "install works: ${#programs[@]} programs"
