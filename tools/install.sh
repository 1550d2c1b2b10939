#!/bin/bash
# SPDX-License-Identifier: MIT
# install.sh DESTDIR PREFIX BIN OUT SONAME, called by `make install`.
# The programs get a prefix, because a program called "service" exists on many systems; their pages and
# what these say of each other get it, too.
set -eu
dest=$1$2 prefix=$2 bin=$3 out=$4 soname=$5
version=$(sed -n 's/^#define SPLITDOM_VERSION  *"\(.*\)"$/\1/p' include/splitdom/version.h)
[ -n "$version" ] || {
    echo "install.sh: no version in include/splitdom/version.h" >&2
    exit 1
}

install -d "$dest/bin" "$dest/lib/pkgconfig" "$dest/include/splitdom" "$dest"/share/man/man{1,3} "$dest/share/bash-completion/completions"
install -m 755 "$bin/service" "$dest/bin/splitdom-service"
install -m 755 "$bin/client" "$dest/bin/splitdom-client"
install -m 755 "$bin/tool_for_integrity" "$dest/bin/splitdom-integrity"
install -m 755 "$bin/domu" "$dest/bin/splitdom-domu"
# What splitdom-domu runs programs with, where it is built; it is looked for under this name.
[ ! -e "$bin/domu-shim" ] || install -m 755 "$bin/domu-shim" "$dest/bin/splitdom-domu-shim"
# What others load, where it was built: nbdkit's plugin is found by splitdom-domu, fio's engine by its path.
if [ -e "$bin/nbdkit-splitdom-plugin.so" ]; then
    install -d "$dest/lib/nbdkit/plugins"
    install -m 755 "$bin/nbdkit-splitdom-plugin.so" "$dest/lib/nbdkit/plugins/"
fi
if [ -e "$bin/fio-splitdom.so" ]; then
    install -d "$dest/lib/fio"
    install -m 755 "$bin/fio-splitdom.so" "$dest/lib/fio/"
fi
install -m 644 "$out/libsplitdom.a" "$dest/lib/libsplitdom.a"
install -m 755 "$out/$soname" "$dest/lib/$soname"
ln -sf "$soname" "$dest/lib/libsplitdom.so"
for header in blkfront domu netfront version; do
    [ ! -e "include/splitdom/$header.h" ] ||
        install -m 644 "include/splitdom/$header.h" "$dest/include/splitdom/$header.h"
done

# installed_names PAGE: the page with the names that the programs have here.
installed_names() {
    sed -E -e 's,\./bin/(service|client|domu),splitdom-\1,g; s,\./bin/(tool_for_integrity|integrity),splitdom-integrity,g' \
        -e 's,^\.TH (SERVICE|CLIENT|DOMU),.TH SPLITDOM-\1,; s,^\.TH TOOL_FOR_INTEGRITY,.TH SPLITDOM-INTEGRITY,' \
        -e 's,^(\.BR?) (service|client|domu)( |$),\1 splitdom\\-\2\3,' \
        -e 's,^(\.BR?) tool_for_integrity( |$),\1 splitdom\\-integrity\2,' \
        -e 's,^(service|client|domu) (\\-|[a-z0-9]),splitdom\\-\1 \2,; s,^tool_for_integrity ,splitdom\\-integrity ,' "$1"
}
for page in service client domu; do
    installed_names "docs/man/$page.1" >"$dest/share/man/man1/splitdom-$page.1"
done
installed_names docs/man/tool_for_integrity.1 >"$dest/share/man/man1/splitdom-integrity.1"
chmod 644 "$dest"/share/man/man1/splitdom-*.1
# The library: a page for each header, and for each function one that leads there.
for page in blkfront domu netfront; do
    installed_names "docs/man/$page.3" >"$dest/share/man/man3/$page.3"
    chmod 644 "$dest/share/man/man3/$page.3"
done
tools/public_names.sh | while read -r name; do
    echo ".so man3/${name%%_*}.3" >"$dest/share/man/man3/$name.3"
    chmod 644 "$dest/share/man/man3/$name.3"
done

completions=$dest/share/bash-completion/completions
install -m 644 tools/completion.bash "$completions/splitdom-service"
for program in client domu; do
    ln -sf splitdom-service "$completions/splitdom-$program"
done

for name in libsplitdom blkfront; do # the second is the name that it had first
    cat >"$dest/lib/pkgconfig/$name.pc" <<END
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: $name
Description: a process as a domain with virtual disks and networks, from splitdom
Version: $version
Libs: -L"\${libdir}" -lsplitdom
Libs.private: -pthread
Cflags: -I"\${includedir}"
END
    chmod 644 "$dest/lib/pkgconfig/$name.pc"
done
echo "installed to $dest: bin/splitdom-{service,client,domu,integrity} lib/libsplitdom.{a,so} include/splitdom/ share/man/man{1,3}/"
