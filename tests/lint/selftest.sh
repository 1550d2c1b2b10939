#!/bin/bash
# SPDX-License-Identifier: MIT
# The rules themselves: each is fed a tree with one fault and must name its file and line; on a tree
# without faults all must be silent.
set -u
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d) || exit 2
trap 'rm -rf "$tree"' EXIT
failures=0
spdx='/* SPDX-License-Identifier: MIT */'

put() { # FILE: the text on standard input
    mkdir -p "$tree/$(dirname "$1")"
    cat >"$tree/$1"
}

fresh() {
    rm -rf "${tree:?}"/*
    put include/splitdom/good.h <<END
$spdx
#ifndef SPLITDOM_GOOD_H
#define SPLITDOM_GOOD_H

#include <stdint.h>

uint32_t good_next(uint32_t value);

#endif
END
    put src/ring/good.c <<END
$spdx
#include "splitdom/good.h"

static const char *const names[] = {"one", "two"};

uint32_t good_next(uint32_t value)
{
    return value + (uint32_t)names[value % 2][0];
}
END
    for h in base/list ring/front_ring ring/back_ring ring/barrier service/loop/poller service/block/queue \
        service/back/vbd domu/shadow client/worker; do
        guard=SPLITDOM_$(tr 'a-z/' 'A-Z_' <<<$h)_H
        printf '%s\n#ifndef %s\n#define %s\n\n#endif\n' "$spdx" "$guard" "$guard" | put src/$h.h
    done
    put tests/good.sh <<'END'
#!/bin/bash
# SPDX-License-Identifier: MIT
echo "fine"
END
    chmod +x "$tree/tests/good.sh"
    put allow </dev/null
    put README.md <<'END'
A fine text.
END
}

run_rule() { GLOBALS_ALLOW=$tree/allow bash "$here/$1.sh" "$tree" 2>&1; }

# expect RULE FILE:LINE: the rule must fail and name the place
expect() {
    local out status
    out=$(run_rule "$1")
    status=$?
    if [ $status = 77 ]; then
        echo "skipped: $1: $out"
    elif [ $status = 0 ] || ! grep -q "^$2: " <<<"$out"; then
        echo "$1 does not find $2 (exit $status), it says: $out"
        failures=$((failures + 1))
    fi
    fresh
}

fresh
for rule in blanks docs format globals headers layers limits man mentions mutants rooms shell spdx words; do
    out=$(run_rule $rule)
    status=$?
    if [ $status != 0 ] && [ $status != 77 ]; then
        echo "$rule finds fault with a good tree: $out"
        failures=$((failures + 1))
    fi
done

# c FILE LINE...: a C file whose second and later lines are given
c() {
    local f=$1
    shift
    printf '%s\n' "$spdx" "$@" | put "$f"
}

c src/ring/bad.c '#include "service/back/vbd.h"';                    expect layers src/ring/bad.c:2
c src/base/bad.c '#include "splitdom/good.h"';                       expect layers src/base/bad.c:2
c src/tdf/bad.c '#include "ring/front_ring.h"';                      expect layers src/tdf/bad.c:2
c src/service/loop/bad.c '#include "service/block/queue.h"';         expect layers src/service/loop/bad.c:2
c src/service/block/bad.c '#include "service/back/vbd.h"';           expect layers src/service/block/bad.c:2
c src/service/block/bad.c '#include "ring/front_ring.h"';            expect layers src/service/block/bad.c:2
c src/service/block/bad.c '#include "splitdom/xen/blkif.h"';         expect layers src/service/block/bad.c:2
c src/service/dom0/bad.c '' '#include "domu/shadow.h"';              expect layers src/service/dom0/bad.c:3
c src/service/cli/bad.c '#include <domu/shadow.h>';                  expect layers src/service/cli/bad.c:2
c src/service/back/bad.c '#include "service/block/queue.h"';           expect layers src/service/back/bad.c:2
c src/service/loop/bad.c '#include "ring/back_ring.h"';              expect layers src/service/loop/bad.c:2
c src/service/back/bad.c '#include "../../domu/shadow.h"';           expect layers src/service/back/bad.c:2
c src/domu/bad.c '#include "service/back/vbd.h"';                    expect layers src/domu/bad.c:2
c src/client/bad.c '#include "domu/shadow.h"';                       expect layers src/client/bad.c:2
c src/client/client.c '#include "ring/barrier.h"';                   expect layers src/client/client.c:2
c tools/integrity/bad.c '#include "splitdom/good.h"';                expect layers tools/integrity/bad.c:2
c include/splitdom/bad.h '#include "ring/barrier.h"';                expect layers include/splitdom/bad.h:2
c src/other/bad.c '#include "splitdom/good.h"';                      expect layers src/other/bad.c:2
c src/service/dom0/bad.c '#include <xen/io/ring.h>';                 expect layers src/service/dom0/bad.c:2
c src/client/bad.c '#include "ring/back_ring.h"';                    expect layers src/client/bad.c:1
c src/ring/both.h '#include "ring/back_ring.h"'
c src/client/bad.c '#include "ring/both.h"';                         expect layers src/client/bad.c:1
c src/ring/front_ring.c '#include "ring/back_ring.h"';               expect layers src/ring/front_ring.c:1
c src/ring/bad.c '' 'int x = __ATOMIC_SEQ_CST;';                     expect layers src/ring/bad.c:3

for n in {1..26}; do c src/tdf/noun$n.c; done;                       expect rooms src/tdf:1
c src/ring/one.h '#include "ring/two.h"'
c src/ring/two.h '#include "ring/one.h"';                            expect rooms src/ring/one.h:1
c src/ring/up.c '#include "tdf/down.h"'
c src/tdf/down.h '#include "ring/barrier.h"';                        expect rooms src/tdf:1

c src/ring/bad.c {1..400};                                           expect limits src/ring/bad.c:401
{ echo "$spdx"; echo 'int f(void)'; echo '{'; seq 69 | sed 's/.*/;/'; echo '}'; } | put tools/bad.c
expect limits tools/bad.c:3
for room in tests/unit/ring tests/fuzz bench; do
    c $room/bad.c {1..400};                                          expect limits $room/bad.c:401
done

c include/splitdom/bad.h '#ifndef SPLITDOM_BAD_H' '#define SPLITDOM_BAD_H' 'uint8_t f(void);' '#endif'
expect headers include/splitdom/bad.h:4
c src/ring/bad.h '#ifndef BAD_H' '#define BAD_H' '#endif';           expect headers src/ring/bad.h:1

put docs/man/good.3 <<<'int good_prev(void);';                       expect man docs/man/good.3:1
put docs/man/good.3 <<<'uint32_t good_next(uint32_t value);'
run_rule man >/dev/null || { echo "man does not find what is there"; failures=$((failures + 1)); }
fresh

c src/ring/bad.c 'int counter;';                                     expect globals src/ring/bad.c:2
c src/ring/bad.c 'int f(void)' '{ static int n; return n++; }';      expect globals src/ring/bad.c:3
c src/ring/bad.c '__thread int per_thread = 3;';                     expect globals src/ring/bad.c:2
c src/ring/bad.c 'static const char *name = "x";' 'const char **f(void) { return &name; }'
expect globals src/ring/bad.c:2
c src/ring/bad.c 'int counter;'
echo 'src/ring/bad.c counter a good reason' >"$tree/allow"
run_rule globals >/dev/null || { echo "globals does not honour the list"; failures=$((failures + 1)); }
fresh
echo 'src/ring/gone.c counter a good reason' >"$tree/allow"
expect globals tests/lint/globals.allow:1

{ printf '#!/bin/bash\n# SPDX-License-Identifier: MIT\n'; yes true | head -n 400; } | put tests/bad.sh
expect limits tests/bad.sh:401
c src/ring/bad.c 'int  f(void);';                                    expect format src/ring/bad.c:2
c src/ring/bad.c '/* TODO */';                                       expect words src/ring/bad.c:2
printf 'see `good.c: bad_next`\n' | put README.md;                   expect docs README.md:1
printf 'see `src/ring/gone.h`\n' | put README.md;                   expect docs README.md:1
c tests/unit/ring/test_good.c 'static void good_one(void);'
printf 'see `test_good: good_one`, `bad_one`\n' | put README.md;    expect docs README.md:1
printf 'see `test_bad: good_one`\n' | put README.md;                expect docs README.md:1
put docs/guide.md <<<'# A heading'
for mention in '[a](docs/gone.md)' '[a](docs/guide.md#no-heading)' '`tools/gone`' '`make gone`' '`no_such_name`' \
    '`bin/domu run --gone -- ls --color`' '[a](docs/gone.md "title")' '`tests/gone/*.sh`' '`src/ring/{gone,lost}.c`' \
    '`make -j2 gone`'; do
    put docs/guide.md <<<'# A heading'
    put README.md <<<"$mention";                                     expect mentions README.md:1
done
put docs/guide.md <<<'# A heading'
put src/run/run.c <<<'    {"gone", no_argument, NULL, 1},'
put docs/man/domu.1 <<<'.B \-\-other';                              expect mentions docs/man/domu.1:1
put docs/man/domu.1 <<<'nothing'
put src/run/run.c <<<'    {"gone", no_argument, NULL, 1},';          expect mentions src/run/run.c:1
put README.md <<<$'# A\n\n```\n good_next -> no_such_name\n```';             expect mentions README.md:4
c src/ring/bad.c '/* See (gone.h). */';                              expect mentions src/ring/bad.c:2
c src/ring/bad.c '/* good_prev is the other one. */';                expect mentions src/ring/bad.c:2
printf '# A heading\n\n# A heading\n' | put docs/guide.md
put README.md <<<'[a](docs/guide.md#a-heading-1), `src/ring/{good,bad}.c`, `src/*/good.c`, `src/ROOM/good.c`, `good_next`'
run_rule mentions >/dev/null || { echo "mentions does not find what is there"; failures=$((failures + 1)); }
fresh
printf 'see /home/me/x\n' | put README.md;                           expect words README.md:1
printf 'int f(void);\n' | put src/ring/bad.c;                        expect spdx src/ring/bad.c:1
printf '#!/bin/sh\n\n' | put tests/bad.sh;                           expect spdx tests/bad.sh:1
printf '#!/bin/bash\nif true\n' | put tests/bad.sh;                  expect shell tests/bad.sh:3
printf '#!/bin/bash\n' | put tests/bad.sh;                           expect shell tests/bad.sh:1
for dd in 'dd if=%s of=i bs=1M' 'dd bs=65536 if=%s of=i' 'dd of=i if=%s count=1 bs=64k'; do
    printf "$dd\n" /dev/urandom | put tests/bad.sh;                 expect shell tests/bad.sh:1
done
c src/ring/bad.c 'int f(void); ';                                    expect blanks src/ring/bad.c:2
c src/ring/bad.c $'\tint x;';                                        expect blanks src/ring/bad.c:2
printf 'no end' | put README.md;                                     expect blanks README.md:1
printf 'src/ring/good.c equivalent\n\n' | put tests/mutants.known;   expect mutants tests/mutants.known:1
printf '# A\n\nsrc/ring/good.c elsewhere\n- int gone;\n+ int x;\nBecause.\n' | put tests/mutants.known
expect mutants tests/mutants.known:3
printf 'what: x\nloads: y\n--- src/ring/good.c\n+++ src/ring/good.c\n@@ -2 +2 @@\n-int gone;\n+int x;\n' |
    put bench/ablations/bad.patch;                                   expect ablations bench/ablations/bad.patch:1

[ $failures = 0 ] && echo "all rules find their faults"
[ $failures = 0 ]
