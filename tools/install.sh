#!/bin/bash
# SPDX-License-Identifier: MIT
# install.sh DESTDIR PREFIX BIN LIBRARY, called by `make install`.
# The programs get a prefix, because a program called "service" exists on many systems.
set -eu
dest=$1$2 prefix=$2 bin=$3 library=$4

install -d "$dest/bin" "$dest/lib/pkgconfig" "$dest/include/splitdom" "$dest/share/man/man1"
install -m 755 "$bin/service" "$dest/bin/splitdom-service"
install -m 755 "$bin/client" "$dest/bin/splitdom-client"
install -m 755 "$bin/tool_for_integrity" "$dest/bin/splitdom-integrity"
install -m 644 "$library" "$dest/lib/libblkfront.a"
install -m 644 include/splitdom/blkfront.h "$dest/include/splitdom/blkfront.h"
for page in docs/man/*.1; do
    [ -e "$page" ] || continue
    name=$(basename "$page")
    install -m 644 "$page" "$dest/share/man/man1/splitdom-${name#splitdom-}"
done
cat >"$dest/lib/pkgconfig/blkfront.pc" <<END
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: blkfront
Description: a domain's view of its virtual disk, from splitdom
Version: 1
Libs: -L\${libdir} -lblkfront -pthread -lm
Cflags: -I\${includedir}
END
chmod 644 "$dest/lib/pkgconfig/blkfront.pc"
echo "installed to $dest: bin/splitdom-{service,client,integrity} lib/libblkfront.a include/splitdom/blkfront.h"
