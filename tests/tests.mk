# SPDX-License-Identifier: MIT
# Tests beyond tests/unit: conformance with the installed Xen headers, and stress. Included by the
# Makefile. make abi | stress | barriers | xen_front | check-hostile | check-model

# Xen's names are ours: a file sees either Xen's headers or include/splitdom, never both. Xen's
# macros were not written for -Wconversion, nor for ThreadSanitizer (stand-alone fences); the tests
# with them have one thread.
XEN_FILES := abi_xen ring_xen xen_front xen_writer xen_vbd xen_store xen_events xen_net xen_vif xen_netfront
$(patsubst %,$(OUT)/tests/abi/%.o,$(XEN_FILES)): CPPFLAGS += -D__XEN_INTERFACE_VERSION__=0x00040e00
$(patsubst %,$(OUT)/tests/abi/%.o,$(XEN_FILES)): CFLAGS += \
	-Wno-conversion -Wno-sign-conversion -Wno-unknown-warning-option -Wno-tsan

ABI_TESTS := $(OUT)/tests/abi/test_abi $(OUT)/tests/abi/test_ring_pairs
$(OUT)/tests/abi/test_abi: $(patsubst %,$(OUT)/tests/abi/%.o,test_abi abi_ours abi_xen)
$(OUT)/tests/abi/test_ring_pairs: $(patsubst %,$(OUT)/tests/abi/%.o,test_ring_pairs ring_ours ring_xen)
$(ABI_TESTS):
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

# A front end by Xen's macros against our back end, both in one program.
NETIF_PAIR := $(OUT)/tests/abi/test_netif_pair
$(NETIF_PAIR): $(patsubst %,$(OUT)/tests/abi/%.o,test_netif_pair xen_net) $(OUT)/libfakes.a $(LIBS)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcmocka $(LDLIBS)
ABI_TESTS += $(NETIF_PAIR)

# Disk specifications: xl's own parser beside ours, where it is installed.
ifeq ($(HAVE_XLUTIL),1)
XL_DISK := $(OUT)/tests/abi/test_xl_disk
$(XL_DISK): $(patsubst %,$(OUT)/tests/abi/%.o,test_xl_disk xl_disk) $(LIBS)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lxlutil -lxenlight -lcmocka $(LDLIBS)
ABI_TESTS += $(XL_DISK)
endif

.PHONY: abi
abi: ## layouts and rings against libxen's headers
	$(Q)tests/run.sh abi

# Front ends that know only Xen's headers, one that reads and one that writes; they need a running service.
XEN_FRONTS := $(OUT)/tests/abi/xen_front $(OUT)/tests/abi/xen_writer
$(XEN_FRONTS): $(OUT)/tests/abi/%: $(OUT)/tests/abi/%.o $(patsubst %,$(OUT)/tests/abi/%.o,xen_vbd xen_store xen_events domain)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

XEN_NETFRONT := $(OUT)/tests/abi/xen_netfront
$(XEN_NETFRONT): $(patsubst %,$(OUT)/tests/abi/%.o,xen_netfront xen_net xen_vif xen_vif_kind xen_store xen_events domain)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
XEN_FRONTS += $(XEN_NETFRONT)

.PHONY: xen_front
xen_front: $(XEN_FRONTS) ## front ends that know only Xen's headers

# Both ring halves at full speed, across the wrap, for STRESS_SECONDS.
STRESS_TESTS := $(OUT)/tests/stress/ring_threads $(OUT)/tests/stress/ring_procs
$(STRESS_TESTS): $(OUT)/tests/stress/%: $(OUT)/tests/stress/%.o $(OUT)/tests/stress/ring_stress.o $(OUT)/libring.a $(OUT)/libbase.a
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: stress
stress: ## both ring halves at full speed
	$(Q)tests/run.sh stress

# The barriers one by one: what orders them in the ring, and a twin of it without, which must fail.
$(OUT)/tests/stress/ring_litmus: $(OUT)/tests/stress/ring_litmus.o
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
stress-programs: $(OUT)/tests/stress/ring_litmus

.PHONY: barriers
barriers: ## each of the ring's barriers weakened in turn: the litmus must notice
	$(Q)tests/stress/barriers.sh

# The stand-in for cmocka, by itself.
$(OUT)/tests/aarch64/test_cmocka: $(OUT)/tests/aarch64/test_cmocka.o
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^

# Front ends that misbehave, each beside an honest client, and back ends; needs the programs.
HOSTILE := $(OUT)/tests/hostile/hostile_front $(OUT)/tests/hostile/hostile_back $(OUT)/tests/hostile/turns/turns $(OUT)/tests/hostile/net/hostile_net
$(OUT)/tests/hostile/net/hostile_net: $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/hostile/net/*.c)) $(OUT)/tests/hostile/peer.o $(LIBS)
$(OUT)/tests/hostile/turns/turns: $(OUT)/tests/hostile/turns/turns.o $(OUT)/libfakes.a $(LIBS)
$(OUT)/tests/hostile/hostile_front: $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/hostile/*.c)) $(LIBS)
$(OUT)/tests/hostile/hostile_back: $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/hostile/back/*.c)) $(OUT)/libfakes.a $(LIBS)
$(HOSTILE):
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

.PHONY: hostile-programs check-hostile
hostile-programs: $(HOSTILE)
check-hostile: all hostile-programs ## front ends and back ends that lie, flood and die
	$(Q)TEST_BIN=$(abspath $(OUT))/tests BIN=$(abspath $(BIN)) tests/hostile/run.sh
	$(Q)TEST_BIN=$(abspath $(OUT))/tests BIN=$(abspath $(BIN)) CASE_MS=1000 tests/hostile/net/run.sh

# Both halves, store, disk and clocks in one thread, on a seeded scheduler. What Dom0 lets go of passes by data.c.
SIM := $(OUT)/tests/sim/sim
$(SIM): $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/sim/*.c)) $(OUT)/libfakes.a $(LIBS)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -Wl,--wrap=grant_map_put -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

# A domain's clock through the lives of its Dom0, on fibers of one thread: the clock's own sources, cut
# into steps.
LIVES := $(OUT)/tests/sim/time/lives
LIVES_PRODUCT := $(patsubst %,$(OUT)/tests/sim/time/product/%.o,tdf/clock tdf/pvclock tdf/source domu/domain_clock)
$(OUT)/tests/sim/time/product/%.o: src/%.c tests/sim/time/steps.h $(OUT)/flags
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -include tests/sim/time/steps.h -MMD -MP -c -o $@ $<
$(LIVES): CFLAGS += -U_FORTIFY_SOURCE
$(LIVES): $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/sim/time/*.c)) $(LIVES_PRODUCT) $(LIBS_BASE)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

# Two network interfaces on a seeded scheduler.
FRAMES := $(OUT)/tests/sim/net/frames
$(FRAMES): $(FRAMES).o $(OUT)/libfakes.a $(LIBS)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

# Both halves of network interfaces with bridges, rules and links, on fibers of one thread: what works on
# rings is the product's own sources, cut into steps.
VIFS := $(OUT)/tests/sim/net/vifs
VIFS_STEPPED := $(patsubst %,$(OUT)/tests/sim/net/product/%.o,ring/evtchn domu/due \
	$(addprefix domu/netfront/netfront_,send receive side) $(addprefix service/back/vif/vif_,queue tx rx))
VIFS_PARTS := $(patsubst %.c,$(OUT)/%.o,$(filter-out tests/sim/net/frames.c,$(wildcard tests/sim/net/*.c))) \
	$(OUT)/tests/sim/time/fiber.o
VIFS_LDFLAGS := $(foreach call,net_port_input net_port_output net_port_drop net_port_drop_delivered net_pipe_clear,-Wl,--wrap=$(call))
$(OUT)/tests/sim/net/product/%.o: src/%.c tests/sim/net/vif_steps.h $(OUT)/flags
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -include tests/sim/net/vif_steps.h -MMD -MP -c -o $@ $<
$(VIFS): CFLAGS += -U_FORTIFY_SOURCE
$(VIFS_PARTS): CPPFLAGS += -Itests/sim/time
$(VIFS): $(VIFS_PARTS) $(VIFS_STEPPED) $(OUT)/libfakes.a $(LIBS)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) $(VIFS_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

.PHONY: sim-programs check-sim
sim-programs: $(SIM) $(LIVES) $(FRAMES) $(VIFS)
check-sim: $(SIM) $(FRAMES) $(VIFS) ## 100,000 seeds of the simulations, half an hour or so
	$(Q)$(SIM) --seeds 1:100000
	$(Q)$(FRAMES) --seeds 1:100000
	$(Q)$(VIFS) --seeds 1:100000

# Protocols as models, and twins of them that must fail.
.PHONY: check-model
check-model: ## the protocols of sleep and of the shared cache, proven with spin; their broken twins fail
	$(Q)tests/model/run.sh

# Programs whose calls for memory, descriptors and the like can be made to fail, one after the other:
# unit tests, tests/faults/test_*, and the programs under tests/faults in $(OUT) for programs.sh.
FAULT_CALLS := malloc calloc realloc aligned_alloc posix_memalign strdup asprintf free mmap mremap \
	open accept4 socket eventfd timerfd_create epoll_create1 signalfd memfd_create fchmod pipe2 dup \
	dup2 dup3 pidfd_open epoll_ctl fopen fdopen ftruncate mkdir fork posix_fallocate pthread_create \
	io_uring_queue_init_params io_uring_register_buffers io_uring_register_files \
	io_uring_register_files_update \
	io_uring_submit_and_wait getline __getdelim read write pread send recv sendmsg recvmsg connect poll epoll_wait \
	nanosleep waitpid syscall \
	fstat fstatfs stat statx ioctl timerfd_settime sigprocmask getrandom flock fcntl pwrite open_memstream fmemopen bind \
	listen getsockopt unlink chdir realpath io_uring_submit \
	pthread_mutex_unlock pthread_mutex_destroy pthread_cond_wait pthread_cond_timedwait
FAULT_LDFLAGS := $(foreach call,$(FAULT_CALLS),-Wl,--wrap=$(call))
FAULT_PARTS := $(patsubst %.c,$(OUT)/%.o,$(filter-out tests/faults/test_%,$(wildcard tests/faults/*.c)))
FAULT_TESTS := $(patsubst tests/faults/%.c,$(OUT)/tests/faults/%,$(wildcard tests/faults/test_*.c))
$(FAULT_TESTS): $(OUT)/tests/faults/%: $(OUT)/tests/faults/%.o $(FAULT_PARTS) $(LIBS)
	$(say) LD $@
	$(Q)$(call link_all,$(FAULT_LDFLAGS) $(FAULT_PARTS),-lcmocka)

$(OUT)/tests/faults/service: $(OUT)/src/service/cli/service.o $(OUT)/libservice.a
$(OUT)/tests/faults/client: $(OUT)/src/client/client.o $(OUT)/libclient.a $(OUT)/libdomu.a
$(OUT)/tests/faults/domu: $(OUT)/src/run/domu.o $(OUT)/librun.a $(OUT)/libbridge.a $(OUT)/libdomu.a
FAULT_PROGRAMS := $(OUT)/tests/faults/service $(OUT)/tests/faults/client $(OUT)/tests/faults/domu
$(FAULT_PROGRAMS): $(OUT)/libfault.a $(OUT)/libfault_thread.a $(LIBS_BASE)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) $(FAULT_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS) $(LDLIBS_SCREEN)

.PHONY: fault-programs list-faults faults
fault-programs: $(FAULT_TESTS) $(FAULT_PROGRAMS)
list-faults: ; @printf '%s\n' $(FAULT_TESTS)
faults: ## every call that can fail does, one after the other
	$(Q)tests/run.sh faults

# Every kind of reading, wait and timer, for what dilates unmodified programs; dynamic, static, and
# with musl where that is there. The judge is the dynamic one.
WAITS_SOURCES := $(wildcard tests/waits/*.c)
WAITS := $(OUT)/tests/waits/waits
ifeq ($(VARIANT),plain)
WAITS += $(OUT)/tests/waits/waits_static
WAITS += $(if $(shell command -v musl-gcc),$(OUT)/tests/waits/waits_musl)
endif
$(OUT)/tests/waits/waits: $(WAITS_SOURCES:%.c=$(OUT)/%.o)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lrt
$(OUT)/tests/waits/waits_static: $(WAITS_SOURCES:%.c=$(OUT)/%.o)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -static -o $@ $^ -lrt
# The kernel's headers are where the other C library has its own: behind them.
$(OUT)/tests/waits/waits_musl: $(WAITS_SOURCES) $(wildcard tests/waits/*.h) $(OUT)/flags
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu11 -O2 -D_GNU_SOURCE -I. -static -pthread -Wall -o $@ $(WAITS_SOURCES) \
		-idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -print-multiarch)

.PHONY: waits-programs
waits-programs: $(WAITS)
e2e-programs: $(WAITS)

# Helper programs that fail say so by their status, whatever they still hold.
$(XEN_FRONTS) $(STRESS_TESTS) $(OUT)/tests/stress/ring_litmus $(HOSTILE) $(SIM) $(LIVES) $(FRAMES) $(VIFS): $(FAILED_EXIT)
