#!/bin/bash
# SPDX-License-Identifier: MIT
# programs.sh [TDF]: known programs at that factor (10), under domu run, libfaketime and a time namespace: is the real
# time between their two marks what their own time says? Prints a table for docs/time.md: right, wrong (with the real
# seconds), hang, or "not there" where a program is not installed. Exit 1 if one under domu run is not right. Right is 2 % less
# to half a real second more: between the marks some start other programs. Needs a machine that does little else.
# shellcheck disable=SC2016 # the backquotes are Markdown, the dollars an inner shell's
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$TOP/bin}
TDF=${1:-10}
scratch=$(mktemp -d) || exit 1
export SPLITDOM_RUNDIR=$scratch/run
trap '"$BIN/service" stop >/dev/null 2>&1; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
dd if=/dev/urandom of=disk1.img bs=1M count=4 iflag=fullblock status=none
"$BIN/service" start --image disk1.img --idle-timeout 0 || exit 1
status=0

cat >sleeper.c <<'END'
#include <stdio.h>
#include <time.h>
int main(void)
{
    struct timespec span = {.tv_nsec = 500000000};
    puts("begin"), fflush(stdout);
    nanosleep(&span, NULL);
    return puts("end") < 0;
}
END
cat >spawner.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    return system("echo begin; sleep 0.5; echo end");
}
END
cat >ticks.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    unsigned long long from = __builtin_ia32_rdtsc(), ticks = strtoull(argv[argc - 1], NULL, 10) / 2;
    puts("begin"), fflush(stdout);
    while (__builtin_ia32_rdtsc() - from < ticks)
        ;
    return puts("end") < 0;
}
END
cat >hertz.c <<'END'
#include <stdio.h>
#include <time.h>
int main(void)
{
    struct timespec span = {.tv_nsec = 500000000};
    unsigned long long from = __builtin_ia32_rdtsc();
    nanosleep(&span, NULL);
    return printf("%llu\n", 2 * (__builtin_ia32_rdtsc() - from)) < 0;
}
END
cat >condition.cc <<'END'
#include <chrono>
#include <condition_variable>
#include <iostream>
int main()
{
    std::mutex mutex;
    std::condition_variable condition;
    std::unique_lock<std::mutex> lock(mutex);
    std::cout << "begin" << std::endl;
    auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    while (condition.wait_until(lock, until) != std::cv_status::timeout)
        ;
    std::cout << "end" << std::endl;
}
END
cat >tickers.go <<'END'
package main

import (
    "fmt"
    "sync"
    "time"
)

func main() {
    var group sync.WaitGroup
    fmt.Println("begin")
    for i := 0; i < 20; i++ {
        group.Add(1)
        go func() {
            ticker := time.NewTicker(50 * time.Millisecond)
            for n := 0; n < 10; n++ {
                <-ticker.C
            }
            group.Done()
        }()
    }
    group.Wait()
    fmt.Println("end")
}
END
cat >Sleeper.java <<'END'
public class Sleeper {
    public static void main(String[] arguments) throws Exception {
        Thread.sleep(1);
        System.out.println("begin");
        Thread.sleep(500);
        System.out.println("end");
    }
}
END
cat >threads.py <<'END'
import threading
print("begin", flush=True)
waiters = [threading.Thread(target=lambda: threading.Event().wait(0.5)) for _ in range(8)]
for waiter in waiters:
    waiter.start()
for waiter in waiters:
    waiter.join()
print("end", flush=True)
END
cat >init.sh <<'END'
#!/bin/sh
export PATH=/bin:/usr/bin:/sbin:/usr/sbin
echo begin
sleep 0.5
echo end
poweroff -f
END
chmod +x init.sh
# A server that answers for another one, which accepts and says nothing: "504" after half a second.
mkdir -p proxy/logs
cat >proxy/nginx.conf <<'END'
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    server {
        listen 127.0.0.1:6391;
        location / {
            proxy_pass http://127.0.0.1:6392;
            proxy_read_timeout 500ms;
        }
    }
}
END
cat >proxy.sh <<'END'
perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1:6392") or die; sleep 100' &
silent=$!
"$1" -p "$PWD/proxy" -c "$PWD/proxy/nginx.conf" 2>proxy/log &
server=$!
until curl -s -o /dev/null --max-time 0.05 http://127.0.0.1:6391/; [ $? = 28 ]; do sleep 0.02; done
echo begin
curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:6391/
echo end
kill $server $silent
END
{
    gcc -O1 -o hertz hertz.c
    gcc -O1 -o ticks ticks.c
    gcc -static -o sleeper_static sleeper.c
    gcc -static-pie -o sleeper_pie sleeper.c
    musl-gcc -static -o spawner_musl spawner.c
    g++ -o condition condition.cc -pthread
    CGO_ENABLED=0 GOCACHE=$scratch/go go build -o tickers tickers.go
    javac Sleeper.java
} >/dev/null 2>&1
hertz=$(./hertz)
sqlite3 locked.db 'create table t(a);' 2>/dev/null

limit=20 # real seconds, beside twice what a second takes, before a program counts as hanging

# between COMMAND...: real milliseconds between the lines "begin" and "end" of what it prints; "hang".
between() {
    local line from=''
    while read -r -t $((2 * TDF + limit + 1)) line; do
        case $line in
        begin*) from=${EPOCHREALTIME/./} ;;
        end*)
            [ -z "$from" ] || echo $(((${EPOCHREALTIME/./} - from) / 1000))
            return
            ;;
        esac
    done < <(timeout -s KILL $((2 * TDF + limit)) "$@" 2>/dev/null </dev/null)
    echo hang
}

# verdict OWN_MS REAL_MS
verdict() {
    [ "$2" != hang ] || { echo hang && return; }
    if [ "$2" -ge $(($1 * TDF * 98 / 100)) ] && [ "$2" -le $(($1 * TDF + 500)) ]; then
        echo right
    else
        awk -v ms="$2" 'BEGIN { printf "wrong (%.2f s)\n", ms / 1000 }'
    fi
}

# best OWN_MS COMMAND...: of up to three runs that are late, since others may have the machine; of those, one verdict.
best() {
    local own=$1 real verdict=
    shift
    for _ in 1 2 3; do
        real=$(between "$@")
        verdict=$(verdict "$own" "$real")
        [ "$verdict" != right ] && [ "$real" != hang ] && [ "$real" -gt $((own * TDF)) ] || break
    done
    echo "$verdict"
}

# program NAME OWN_MS NEEDED COMMAND...: a row.
options=()
program() {
    local name=$1 own=$2 needed=$3 ours
    shift 3
    if ! command -v "$needed" >/dev/null; then
        echo "| $name | not there | | |"
        return
    fi
    ours=$(best "$own" "$BIN/domu" run "${options[@]}" --tdf "$TDF" -- "$@")
    [ "$ours" = right ] || status=1
    printf '| %s | %s | %s | %s |\n' "$name" "$ours" \
        "$(command -v faketime >/dev/null && best "$own" faketime -f "+0 x$(awk -v k="$TDF" 'BEGIN { print 1 / k }')" "$@")" \
        "$(best "$own" unshare --time "$@")"
}

# marked NAME OWN_MS NEEDED COMMAND: of a shell, between marks.
marked() { program "$1" "$2" "$3" sh -c "echo begin; $4; echo end"; }

echo '| program | `domu run` | libfaketime | time namespace |'
echo '|---|---|---|---|'
program 'bash, `read -t`' 500 bash bash -c 'echo begin; read -t 0.5 <> <(:); echo end'
marked 'coreutils, `sleep`' 500 sleep 'sleep 0.5'
marked 'coreutils, `timeout`' 500 timeout 'timeout 0.5 sleep 1000'
program 'python3, 8 threads in `Event.wait`' 500 python3 python3 threads.py
program 'perl, `select`' 500 perl perl -e '$| = 1; print "begin\n"; select(undef, undef, undef, 0.5); print "end\n"'
program 'node, `setTimeout`' 500 node node -e 'console.log("begin"); setTimeout(() => console.log("end"), 500)'
program 'java, `Thread.sleep`' 500 java java -cp . Sleeper
program 'Go, static, 20 tickers' 500 ./tickers ./tickers
program 'C, static' 500 ./sleeper_static ./sleeper_static
program 'C, static-pie' 500 ./sleeper_pie ./sleeper_pie
program 'musl, static, `system`' 500 ./spawner_musl ./spawner_musl
program 'C++, `condition_variable`' 500 ./condition ./condition
marked 'busybox, static, `sleep`' 500 busybox 'busybox sleep 0.5'
marked 'openssl speed' 1000 openssl 'openssl speed -seconds 1 -bytes 8192 sha256 2>&1'
marked 'stress-ng, timers' 1000 stress-ng 'stress-ng --timer 1 -t 1s'
marked 'stress-ng: futexes, clocks, signals' 1000 stress-ng 'stress-ng --futex 1 --clock 1 --sigq 1 -t 1s'
program 'sqlite3, a locked database' 500 sqlite3 sqlite3 locked.db 'begin exclusive;' \
    '.shell echo begin; sqlite3 -cmd ".timeout 500" locked.db "insert into t values(1)"; echo end'
marked 'ping, two echoes' 1000 ping 'ping -q -c 2 127.0.0.1'
marked 'iperf3 on loopback' 1050 iperf3 'iperf3 -s -1 & sleep 0.05; iperf3 -c 127.0.0.1 -t 1'
marked 'redis, a blocking read' 500 redis-server \
    'redis-server --port 6390 --save "" >redis.log & sleep 0.2; echo begin; redis-cli -p 6390 blpop nothing 0.5; kill $!'
program 'cron-like: a sleeper that looks at the clock' 500 perl perl -e '$| = 1; use Time::HiRes qw(time sleep);
    my $until = time + 0.5; print "begin\n"; while (time < $until) { sleep 0.05 } print "end\n"'
program 'nginx and curl, an upstream that is silent' 500 nginx sh ./proxy.sh "$(command -v nginx)"
options=(--tsc)
program 'rdtsc in a loop (`--tsc`)' 500 ./ticks ./ticks "$hertz"
options=()
program 'User-mode Linux, `sleep` in the guest' 500 linux.uml linux.uml mem=96M "uml_dir=$scratch/uml" root=none \
    rootfstype=hostfs rootflags=/ rw "init=$scratch/init.sh" con=null con0=fd:0,fd:1 quiet
if kernel=$(find "${GUEST_ROOT:-}/boot" -name 'vmlinuz-*-cloud-amd64' 2>/dev/null | sort | tail -n 1) && [ -n "$kernel" ]; then
    mkdir -p root/bin root/sbin
    cp "$(command -v busybox)" root/bin/
    ln -s busybox root/bin/sh && ln -s busybox root/bin/sleep && ln -s ../bin/busybox root/sbin/poweroff
    cp init.sh root/init
    (cd root && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >initrd
    limit=100 # an emulated machine starts slowly
    # Its own console comes before the mark, on the same line.
    program 'QEMU, `sleep` in the guest' 500 qemu-system-x86_64 sh -c 'qemu-system-x86_64 "$@" | sed -u "s/.*begin/begin/"' - \
        -machine q35 -accel tcg -m 256 -nographic -nodefaults -serial stdio -no-reboot -kernel "$kernel" -initrd initrd \
        -append 'console=ttyS0 tsc=unstable clocksource=hpet quiet panic=1'
else
    echo '| QEMU, `sleep` in the guest | not there | | |'
fi
exit $status
