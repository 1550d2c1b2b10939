#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs what building, testing and measuring need, from the distribution: only what is missing.
# Debian and Ubuntu are installed; elsewhere, or without rights, the list is printed.
# Exit status: 0 = all needed tools are there, 1 = some are missing.
set -u

includes() { printf '#include <%s>\n' "$@" | ${CC:-gcc} -fsyntax-only -x c - 2>/dev/null; }
cross() { printf '#include <stdio.h>\nint main(void) { return 0; }' | aarch64-linux-gnu-gcc -x c -o /dev/null - 2>/dev/null; }
links() { echo 'int main(void) { return 0; }' | "$@" -x c -o /dev/null - 2>/dev/null; }
fuzzes() {
    echo '#include <stddef.h>
    int LLVMFuzzerTestOneInput(const unsigned char *d, size_t n) { return d && n > 9 ? 0 : 0; }' |
        clang -fsanitize=fuzzer,address -x c -o /dev/null - 2>/dev/null
}
have() { command -v "$1" >/dev/null 2>&1; }
installed() { # NAME: is this need met?
    case $1 in
    libc) links gcc ;;
    liburing) pkg-config --exists liburing 2>/dev/null ;;
    cmocka) pkg-config --exists cmocka 2>/dev/null || includes stdarg.h stddef.h setjmp.h stdint.h cmocka.h ;;
    xen-headers) includes stdint.h string.h xenstore.h xen/xen.h xen/io/ring.h ;;
    compiler-rt) have clang && fuzzes ;;
    aarch64-libc) cross ;;
    libnbd) pkg-config --exists libnbd 2>/dev/null ;;
    ncurses) pkg-config --exists ncurses 2>/dev/null ;;
    nbdkit-header) pkg-config --exists nbdkit 2>/dev/null ;;
    *) have "$1" ;;
    esac
}

# need:Debian package:what for.
needs='gcc:gcc:building
libc:libc6-dev:building
make:make:building
pkg-config:pkg-config:building
liburing:liburing-dev:the uring engine
libnbd:libnbd-dev:images that are NBD exports
ncurses:libncurses-dev:service top, live
tmux:tmux:tests of service top
cmocka:libcmocka-dev:unit tests
xen-headers:libxen-dev:conformance tests
xenstore-ls:xenstore-utils:store tests with real clients
clang:clang:second compiler, fuzzing
compiler-rt:COMPILER_RT:fuzzing
clang-format:clang-format:lint
aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu:building for aarch64
aarch64-libc:libc6-dev-arm64-cross:building for aarch64
qemu-aarch64:qemu-user:unit tests on aarch64
patch:patch:lint and benchmarks
strace:strace:end-to-end tests
spin:spin:the model of the sleep protocol
valgrind:valgrind:make check-long
gdb:gdb:following a read
fio:fio:benchmarks and tests
nbdkit:nbdkit:domu nbd, tests and benchmarks
nbdkit-header:nbdkit-plugin-dev:domu nbd
nbdcopy:libnbd-bin:tests of domu nbd
qemu-img:qemu-utils:tests of domu nbd
jq:jq:tests of domu nbd
fusermount3:fuse3:tests with file systems
mkfs.ext4:e2fsprogs:tests with file systems
sqlite3:sqlite3:tests with databases
gnuplot:gnuplot-nox:plots
python3:python3:plots, experiments'

missing() {
    while IFS=: read -r need package use; do
        installed "$need" || echo "$need:$package:$use"
    done <<<"$needs"
}

left=$(missing)
[ -z "$left" ] && exit 0

print_list() {
    echo "missing, with Debian's package names:"
    sed 's/COMPILER_RT/libclang-rt-dev/' <<<"$left" |
        awk -F: '{ printf "  %-14s %-18s for %s\n", $1, $2, $3 }'
}

root=()
if [ "$(id -u)" != 0 ]; then
    if have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        root=(sudo)
    else
        print_list
        echo "install them as root (no sudo here), then try again"
        exit 1
    fi
fi
if ! have apt-get; then
    print_list
    echo "this is not Debian or Ubuntu: install them with this system's package manager"
    exit 1
fi

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" >>"$log" 2>&1; }
known() { apt-cache show "$1" 2>/dev/null | grep -q '^Version'; }
# The sanitizer and fuzzer runtime is versioned with clang: its own package since Debian 12 and
# Ubuntu 24.04, part of libclang-common before.
compiler_rt_package() {
    local version p
    version=$(clang -dumpversion 2>/dev/null | cut -d. -f1)
    [ -n "$version" ] || version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
    for p in "libclang-rt-$version-dev" "libclang-common-$version-dev"; do
        known "$p" && echo "$p" && return
    done
    echo libclang-rt-dev
}
install_missing() {
    local packages
    mapfile -t packages < <(cut -d: -f2 <<<"$left" | sed "s/COMPILER_RT/$(compiler_rt_package)/")
    echo "deps: installing ${packages[*]}"
    apt install -y --no-install-recommends "${packages[@]}"
}

known gcc || { echo "deps: apt-get update"; apt update; }
if ! install_missing; then
    echo "deps: apt-get update, then once more"
    apt update
    if ! install_missing; then # one unknown package must not keep the others away
        for p in $(cut -d: -f2 <<<"$left" | sed "s/COMPILER_RT/$(compiler_rt_package)/"); do
            apt install -y --no-install-recommends "$p" || echo "deps: $p can't be installed"
        done
    fi
fi

left=$(missing)
[ -z "$left" ] && exit 0
tail -n 5 "$log"
print_list
exit 1
