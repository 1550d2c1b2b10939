# SPDX-License-Identifier: MIT
# Programs of other languages, whichever are installed: each waits 0.2 s in some way of its own, and says what it
# saw pass. At TDF 10 that is two real seconds, and 0.2 s to them. The bounds are by the time that passed outside:
# others may run.
# timeout: 300
. "$(dirname "$0")/functions.sh"

[ -z "${TEST_SAN:-}" ] || skip "what runs in programs is not sanitized; domu_run.sh has the rest"
[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
image disk1.img 4
start_service --idle-timeout 0
tried=

# check NAME COMMAND...: it prints the milliseconds that it saw pass.
check() {
    local name=$1 begin took saw
    shift
    begin=$(now_ms)
    saw=$(timeout -k 2 100 "$BIN/domu" run --tdf 10 -- "$@") || die "$name: exit $?"
    took=$(($(now_ms) - begin))
    saw=${saw%%.*}
    [ "$took" -ge 1990 ] || die "$name: $took ms of real time for 0.2 s at TDF 10"
    [ "$saw" -ge 199 ] && [ "$saw" -le $((took / 10 + 10)) ] || die "$name saw $saw ms, of $took real ones"
    tried="$tried $name"
}
runs() { "$@" >/dev/null 2>&1; }

runs python3 -c 'import threading' && check python python3 -c '
import threading, time
t = time.monotonic(); threading.Event().wait(0.2); print(int((time.monotonic() - t) * 1000))'
runs perl -e 'use Time::HiRes' && check perl perl -e '
use Time::HiRes qw(time sleep); $t = time; select undef, undef, undef, 0.2; print int((time - $t) * 1000)'
cat >cv.cpp <<'END'
#include <chrono>
#include <condition_variable>
#include <iostream>
int main()
{
    using namespace std::chrono;
    std::mutex m;
    std::condition_variable cv;
    std::unique_lock<std::mutex> lock(m);
    auto t = steady_clock::now();
    while (cv.wait_until(lock, t + milliseconds(200)) != std::cv_status::timeout)
        ;
    std::cout << duration_cast<milliseconds>(steady_clock::now() - t).count() << "\n";
}
END
runs g++ -O1 -pthread -o cv cv.cpp && check c++ ./cv
runs g++ -O1 -pthread -static -o cv_static cv.cpp && check c++-static ./cv_static
# A thread that is cancelled in a wait runs its destructors, as the C library unwinds its stack.
cat >cancel.cpp <<'END'
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
static int gone;
static sem_t semaphore;
static pid_t child;
struct Guard {
    ~Guard() { gone++; }
};
static void *wait_long(void *kind)
{
    Guard guard;
    timespec span = {1000, 0}, until;
    rusage usage;
    int status;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1000;
    switch (*static_cast<int *>(kind)) {
    case 0: nanosleep(&span, nullptr); break;
    case 1: poll(nullptr, 0, 1000000); break;
    case 2: sem_timedwait(&semaphore, &until); break;
    case 3: wait4(child, &status, 0, &usage); break;
    }
    return nullptr;
}
int main()
{
    using namespace std::chrono;
    auto t = steady_clock::now();
    sem_init(&semaphore, 0, 0);
    child = fork();
    if (child == 0)
        for (;;)
            pause();
    for (int kind = 0; kind < 4; kind++) {
        pthread_t thread;
        pthread_create(&thread, nullptr, wait_long, &kind);
        usleep(50000);
        pthread_cancel(thread); // the first one sets the signal's handler, which a child ignores
        if (kind == 1 && system("true") != 0)
            return 2;
        pthread_join(thread, nullptr);
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    if (gone != 4)
        return 1;
    std::cout << duration_cast<milliseconds>(steady_clock::now() - t).count() << "\n";
}
END
runs g++ -O1 -pthread -o cancel cancel.cpp && check c++-cancel ./cancel
runs g++ -O1 -pthread -static -o cancel_static cancel.cpp && check c++-cancel-static ./cancel_static
# Also where that comes while the call is on its way into the wait: it is not put off until the end of that.
cat >cancel_early.cpp <<'END'
#include <atomic>
#include <ctime>
#include <pthread.h>
static std::atomic<int> begun;
static void *wait_long(void *)
{
    timespec span = {1000, 0};
    begun = 1;
    nanosleep(&span, nullptr);
    return nullptr;
}
int main()
{
    for (int i = 0; i < 2000; i++) {
        pthread_t thread;
        begun = 0;
        pthread_create(&thread, nullptr, wait_long, nullptr);
        while (!begun)
            ;
        for (volatile int k = 0; k < i * 7 % 14000; k++)
            ;
        pthread_cancel(thread);
        pthread_join(thread, nullptr);
    }
}
END
if runs g++ -O1 -pthread -o cancel_early cancel_early.cpp; then
    timeout -k 2 100 "$BIN/domu" run --tdf 10 -- ./cancel_early || die "c++-cancel-early: exit $?"
    tried="$tried c++-cancel-early"
fi
cat >W.java <<'END'
public class W {
    public static void main(String[] a) throws Exception {
        long t = System.nanoTime();
        synchronized (W.class) { while (System.nanoTime() - t < 200_000_000L) W.class.wait(200); }
        System.out.println((System.nanoTime() - t) / 1000000);
    }
}
END
if runs javac W.java && runs java -cp . W; then check java java -cp . W; fi
cat >t.go <<'END'
package main

import (
    "fmt"
    "sync"
    "time"
)

func main() {
    t := time.Now()
    var all sync.WaitGroup
    for i := 0; i < 20; i++ {
        all.Add(1)
        go func() {
            tick := time.NewTicker(50 * time.Millisecond)
            for j := 0; j < 4; j++ {
                <-tick.C
            }
            all.Done()
        }()
    }
    all.Wait()
    fmt.Println(time.Since(t).Milliseconds())
}
END
if runs env HOME="$SCRATCH" GOFLAGS=-mod=mod CGO_ENABLED=0 go build -o t t.go; then check go ./t; fi
[ -n "$tried" ] || skip "no other language is installed"
echo "right:$tried"
