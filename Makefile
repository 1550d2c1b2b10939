# SPDX-License-Identifier: MIT
# splitdom: GNU make, one file, no recursion. `make help` lists the targets.
#   V=1                              shows every command
#   SAN=address,undefined | thread   an instrumented build beside the plain one, under build/san-*/
#   VARIANT=name CC=... OPT=...      any other build of its own, under build/name/
#   VARIANT=aarch64                  cross-compiled by Debian's compiler, without liburing and ncurses
#   PREFIX=/usr/local DESTDIR=       where `make install` puts things; prefix= is PREFIX=
#   FUZZ_SECONDS=6 SIM_SECONDS=0     how long each fuzzer and the simulation's fresh seeds take
#   STRESS_REQUESTS=150000           how many requests the stress tests carry
#   JOBS=2 TEST_LONG=1               tests at a time; the long variants of tests
#   SEED=20261129 N=500 PART=1/1     which mutants, how many, and which part of them

ifeq ($(origin CC),default)
CC := gcc
endif
SAN     ?=
empty   :=
space   := $(empty) $(empty)
comma   := ,
VARIANT ?= $(if $(SAN),san-$(subst $(comma),-,$(SAN)),plain)
OUT     := build/$(VARIANT)
BIN     := $(if $(filter plain,$(VARIANT)),bin,$(OUT)/bin)

# Debian has cross compilers, but no cmocka and no liburing for them: tests/aarch64/cmocka.h stands in
# for the one, the engine and the poller of the other are left out.
ifeq ($(VARIANT),aarch64)
CC         := aarch64-linux-gnu-gcc
AR         := aarch64-linux-gnu-ar
OBJCOPY    := aarch64-linux-gnu-objcopy
PKG_CONFIG := false
CMOCKA     :=
endif
CMOCKA     ?= -lcmocka
OBJCOPY    ?= objcopy
PKG_CONFIG ?= pkg-config
HAVE_LIBURING := $(shell $(PKG_CONFIG) --exists liburing 2>/dev/null && echo 1)
HAVE_LIBNBD   := $(shell $(PKG_CONFIG) --exists libnbd 2>/dev/null && echo 1)
HAVE_NCURSES  := $(shell $(PKG_CONFIG) --exists ncurses 2>/dev/null && echo 1)
# A header without a description. (-include: how make takes a number sign depends on its version.)
HAVE_SDT      := $(shell $(CC) -E -x c -include sys/sdt.h /dev/null >/dev/null 2>&1 && echo 1)
HAVE_XLUTIL   := $(shell $(PKG_CONFIG) --exists xlutil 2>/dev/null && echo 1)
HAVE_NBDKIT   := $(shell $(PKG_CONFIG) --exists nbdkit 2>/dev/null && echo 1)

WARN    := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
OPT     ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Isrc
CFLAGS  += -std=gnu11 -pthread $(OPT) $(WARN)
LDFLAGS += -pthread
LDLIBS  += -lm
ifneq ($(SAN),)
CFLAGS  += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
LDFLAGS += -fsanitize=$(SAN)
endif
ifeq ($(VARIANT),fuzz)
CFLAGS  += -fsanitize=fuzzer-no-link
endif
ifeq ($(VARIANT),coverage)
CFLAGS  += --coverage
LDFLAGS += --coverage
endif
ifeq ($(HAVE_LIBURING),1)
CPPFLAGS += -DHAVE_LIBURING=1 $(shell $(PKG_CONFIG) --cflags liburing)
LDLIBS   += $(shell $(PKG_CONFIG) --libs liburing)
endif
ifeq ($(HAVE_LIBNBD),1)
CPPFLAGS += -DHAVE_LIBNBD=1 $(shell $(PKG_CONFIG) --cflags libnbd)
LDLIBS   += -ldl # what loads it: engine/libnbd_calls.c
endif
ifeq ($(HAVE_NCURSES),1)
CPPFLAGS += -DHAVE_NCURSES=1 $(shell $(PKG_CONFIG) --cflags-only-I ncurses)
LDLIBS_SCREEN := $(shell $(PKG_CONFIG) --libs ncurses)
endif

ifeq ($(HAVE_SDT),1)
CPPFLAGS += -DHAVE_SDT=1
endif
# Once: otherwise pkg-config is asked for each object.
CPPFLAGS := $(CPPFLAGS)
LDLIBS   := $(LDLIBS)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-5s %s\n'
endif

# The shim that runs programs on a domain's clock is x86-64 code on no libc. What of it is pure is compiled
# once more, for its tests.
MACHINE    := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
SHIM       := $(if $(filter x86_64,$(MACHINE)),$(BIN)/domu-shim)
SHIM_PURE  := $(if $(SHIM),$(patsubst %,src/run/shim/%.c,core/filter core/filter_rules core/lost_call loader_parse))
SHIM_PARTS := $(sort $(shell find src/run/shim -name '*.[cS]'))

# One archive per layer; the programs' main files stay outside the archives.
MAINS    := src/service/cli/service.c src/client/client.c src/run/domu.c $(filter-out $(SHIM_PURE),$(SHIM_PARTS))
# What is loaded into a foreign program is compiled apart, where that program's headers are.
SRC_DIRS := base ring trace tdf xenstore service domu client bridge run
FOREIGN  := src/bridge/nbdkit/% src/bridge/fio/%
SOURCES  := $(sort $(filter-out $(FOREIGN),$(shell find src -name '*.c')))
srcs_of   = $(filter-out $(MAINS),$(filter src/$(1)/%,$(SOURCES)))
LIBS     := $(foreach d,$(SRC_DIRS),$(OUT)/lib$(d).a)
LIBS_BASE := $(foreach d,xenstore tdf trace ring base,$(OUT)/lib$(d).a)

# What the library is made of, see below.
LIBRARY_DIRS    := base ring trace tdf xenstore domu
LIBRARY_SOURCES := $(filter-out src/xenstore/server/% src/xenstore/tree/% src/base/place_trial.c,$(foreach d,$(LIBRARY_DIRS),$(call srcs_of,$(d))))
SONAME          := libsplitdom.so.1
PUBLIC_HEADERS  := $(wildcard $(patsubst %,include/splitdom/%.h,blkfront domu netfront version))

UNIT_SOURCES := $(filter-out $(if $(SHIM),,tests/unit/run/shim/%),$(sort $(shell find tests/unit -name 'test_*.c')))
UNIT     := $(patsubst %.c,$(OUT)/tests/%,$(notdir $(UNIT_SOURCES)))
FUZZ     := $(patsubst tests/fuzz/%.c,$(OUT)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH    := $(patsubst bench/%.c,$(OUT)/bench/%,$(wildcard bench/*.c))

# Objects depend on the file that holds their flags and archives on the one that holds their members'
# names, so that another compiler, a library installed in between or a deleted source is noticed.
FLAGS_TEXT := $(strip $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS))
LISTS_TEXT := $(strip $(foreach d,$(SRC_DIRS),$(call srcs_of,$(d))) $(wildcard tests/fakes/fake_*.c))
define remember
ifneq ($$(strip $$(file <$(1))),$$($(2)))
$$(shell mkdir -p $(dir $(1)))
$$(file >$(1),$$($(2)))
endif
endef
BUILDS := $(filter-out clean help deps format lint check check-long coverage fuzz mutants demo,$(or $(MAKECMDGOALS),all))
ifneq ($(BUILDS),)
$(eval $(call remember,$(OUT)/flags,FLAGS_TEXT))
$(eval $(call remember,$(OUT)/lists,LISTS_TEXT))
endif

.SECONDARY:
.DELETE_ON_ERROR:

# What was left out for want of a library, said once. Sanitized builds have no plugin: nbdkit is not.
PLUGIN := $(if $(HAVE_NBDKIT),$(if $(SAN),,$(BIN)/nbdkit-splitdom-plugin.so))
.PHONY: all notes
all: $(BIN)/service $(BIN)/client $(BIN)/domu $(BIN)/tool_for_integrity $(BIN)/integrity $(SHIM) $(PLUGIN) notes
notes:
	$(if $(HAVE_LIBURING),,@echo "note: built without liburing (make deps installs it): Dom0 has only the threads engine")
	$(if $(HAVE_LIBNBD),,@echo "note: built without libnbd (make deps installs it): no image is an nbd:// URI")
	$(if $(HAVE_NCURSES),,@echo "note: built without ncurses (make deps installs it): service top has only -b")
	$(if $(HAVE_NBDKIT),,@echo "note: built without nbdkit's header (make deps installs it): domu nbd has no plugin")

$(OUT)/%.o: %.c $(OUT)/flags
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define layer_archive
$(OUT)/lib$(1).a: $(patsubst %.c,$(OUT)/%.o,$(call srcs_of,$(1))) $(OUT)/lists
	$$(say) AR $$@
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && $$(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(foreach d,$(SRC_DIRS),$(eval $(call layer_archive,$(d))))

$(BIN)/service: $(OUT)/src/service/cli/service.o $(OUT)/libservice.a $(LIBS_BASE)
$(BIN)/client: $(OUT)/src/client/client.o $(OUT)/libclient.a $(OUT)/libdomu.a $(LIBS_BASE)
$(BIN)/domu: $(OUT)/src/run/domu.o $(OUT)/librun.a $(OUT)/libbridge.a $(OUT)/libdomu.a $(LIBS_BASE)
$(BIN)/tool_for_integrity: $(patsubst %.c,$(OUT)/%.o,$(wildcard tools/integrity/*.c))
$(BIN)/service $(BIN)/client $(BIN)/domu $(BIN)/tool_for_integrity:
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(if $(filter %/service,$@),$(LDLIBS_SCREEN))

$(BIN)/integrity: $(BIN)/tool_for_integrity
	$(Q)ln -sf tool_for_integrity $@

# At a fixed address, and never instrumented: the shim lives in processes whose libc is another or none, on
# whatever stack they have, and leaves the vector registers alone. Relaxing would not reach that far.
SHIM_FLAGS := -std=gnu11 -O2 -g $(WARN) -ffreestanding -fpie -fno-stack-protector -fcf-protection=none \
	-mgeneral-regs-only -fvisibility=hidden -fno-asynchronous-unwind-tables
SHIM_LINK  := -nostdlib -static -Wl,-Ttext-segment=0x7e9000000000 -Wl,-z,noexecstack -Wl,--build-id=none \
	-Wl,-T,src/run/shim/shim.ld -Wl,--no-relax -Wl,-z,noseparate-code -Wl,-z,norelro
$(OUT)/shim/%.o: % $(OUT)/flags
	$(say) CC '$< (shim)'
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -Iinclude -Isrc $(SHIM_FLAGS) -MMD -MP -c -o $@ $<
$(BIN)/domu-shim: $(SHIM_PARTS:%=$(OUT)/shim/%.o) src/run/shim/shim.ld
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SHIM_LINK) -o $@ $(filter %.o,$^)

# Stand-ins that several tests share: only what a test uses is linked into it.
$(OUT)/libfakes.a: $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/fakes/fake_*.c)) $(OUT)/lists
	$(say) AR $@
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

# What makes calls fail, one after the other: linked whole, since the coverage build's own library calls it, too.
$(OUT)/libfault.a: $(patsubst %,$(OUT)/tests/faults/%.o,fault fault_calls fault_named fault_locks fault_left) $(OUT)/lists
$(OUT)/libfault_thread.a: $(OUT)/tests/faults/fault_thread.o $(OUT)/lists
$(OUT)/libfault.a $(OUT)/libfault_thread.a:
	$(say) AR $@
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

link_all = $(CC) $(LDFLAGS) $(1) -o $@ $(firstword $(filter %.o,$^)) -Wl,--start-group $(3) $(LIBS) -Wl,--end-group $(2) $(LDLIBS)

# Tests share stand-ins (fakes/) and compute with what the benchmarks compute with (bench/).
$(OUT)/tests/%.o: CPPFLAGS += -Itests -I. $(if $(CMOCKA),,-Itests/aarch64)

# Calls of the library that a unit test takes over (__wrap_NAME). Those of FAULT_CALLS can be made to fail in all
# the others: faults/fault_walk.h.
$(OUT)/tests/test_recorder_disk: WRAP := ftruncate close write
$(OUT)/tests/test_segment: WRAP := memfd_create fcntl
$(OUT)/tests/test_memory_file: WRAP := memfd_create
$(OUT)/tests/test_xs_client_time: WRAP := clock_gettime
$(OUT)/tests/test_domu_events: WRAP := xs_client_read
$(OUT)/tests/test_blkfront_view_start: WRAP := life_fetch
$(OUT)/tests/test_tap_pump: WRAP := tap_change_mac
$(OUT)/tests/test_xenbus_back $(OUT)/tests/test_xenbus_back_odd: WRAP := xs_local_write
$(OUT)/tests/test_operations $(OUT)/tests/test_operations_barrier $(OUT)/tests/test_operations_indirect \
$(OUT)/tests/test_operations_trace $(OUT)/tests/test_vbd_ring_linger: WRAP := block_submit block_cancel
$(OUT)/tests/test_dom0_attach $(OUT)/tests/test_dom0_attach_export: WRAP := control_answer
$(OUT)/tests/test_placement: WRAP := irq_count_now irq_count_cpu
$(OUT)/tests/test_dom0_domains_ops: WRAP := control_drop_domain
$(OUT)/tests/test_cpu_limit_unified $(OUT)/tests/test_cpu_limit_first: WRAP := fopen access rmdir

# tests/unit mirrors src; the programs lie side by side, so their names are unique.
$(foreach t,$(UNIT_SOURCES),$(eval $(OUT)/tests/$(basename $(notdir $(t))): $(OUT)/$(t:.c=.o)))
$(UNIT): $(OUT)/libfakes.a $(OUT)/libfault.a $(OUT)/libfault_thread.a $(LIBS)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(call link_all,$(foreach call,$(WRAP),-Wl$(comma)--wrap=$(call)) $(if $(filter $(FAULT_CALLS),$(WRAP)),,$(FAULT_LDFLAGS) -Wl$(comma)--whole-archive $(OUT)/libfault.a -Wl$(comma)--no-whole-archive),$(CMOCKA),$(OUT)/libfakes.a $(OUT)/libfault_thread.a)

$(OUT)/bench/%: $(OUT)/bench/%.o $(LIBS)
	$(say) LD $@
	$(Q)$(call link_all)

$(OUT)/fuzz/fuzz_integrity: $(patsubst %,$(OUT)/tools/integrity/%.o,compare input)
$(OUT)/fuzz/%: $(OUT)/tests/fuzz/%.o $(OUT)/libfakes.a $(LIBS)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(call link_all,-fsanitize=fuzzer $(filter-out $<,$(filter %.o,$^)),,$(OUT)/libfakes.a)

# A harness is called by libFuzzer, which declares nothing.
$(OUT)/tests/fuzz/%.o: CFLAGS += -Wno-missing-prototypes

# The programs of tests/abi and tests/stress are test_*.c, each linked with the directory's other files;
# tests.mk may name others (in ABI_TESTS, STRESS_TESTS) and give them rules of their own.
FAILED_EXIT := $(OUT)/tests/failed_exit.o
-include tests/tests.mk
parts_of = $(patsubst %.c,$(OUT)/%.o,$(filter-out tests/$(1)/test_%.c,$(wildcard tests/$(1)/*.c)))
tests_of = $(patsubst tests/$(1)/%.c,$(OUT)/tests/$(1)/%,$(wildcard tests/$(1)/test_*.c))
ABI_TESTS    ?= $(call tests_of,abi)
STRESS_TESTS ?= $(or $(STRESS),$(call tests_of,stress))
$(OUT)/tests/abi/%: $(OUT)/tests/abi/%.o $(call parts_of,abi) $(LIBS)
	$(say) LD $@
	$(Q)$(call link_all,$(call parts_of,abi),$(CMOCKA))
$(OUT)/tests/stress/%: $(OUT)/tests/stress/%.o $(call parts_of,stress) $(LIBS)
	$(say) LD $@
	$(Q)$(call link_all,$(call parts_of,stress),$(CMOCKA))

# What end-to-end scripts need beside the programs; xs_libxenstore is a client by Debian's library.
E2E     := $(patsubst tests/e2e/%.c,$(OUT)/tests/e2e/%,$(wildcard tests/e2e/*.c))
$(OUT)/tests/e2e/%: $(OUT)/tests/e2e/%.o $(FAILED_EXIT) $(LIBS)
	$(say) LD $@
	$(Q)$(call link_all,,$(FAILED_EXIT) $(if $(findstring libxenstore,$@),-lxenstore))

$(OUT)/tests/workloads/%: $(OUT)/tests/workloads/%.o $(LIBS)
	$(say) LD $@
	$(Q)$(call link_all)

##@ Build
.PHONY: unit-programs workload-programs e2e-programs abi-programs stress-programs bench-programs fuzz-programs list-abi list-stress lib
all: ## the programs: bin/service, bin/client, bin/domu, bin/tool_for_integrity
lib: $(OUT)/libsplitdom.a $(OUT)/$(SONAME) ## the library, as an archive and to be loaded
unit-programs: $(UNIT)
abi-programs: $(ABI_TESTS)
workload-programs: $(patsubst tests/workloads/%.c,$(OUT)/tests/workloads/%,$(wildcard tests/workloads/*.c)) $(OUT)/bench/vub
stress-programs: $(STRESS_TESTS)
e2e-programs: $(E2E) $(if $(wildcard tests/abi/xen_front.c),$(XEN_FRONTS))
list-abi: ; @$(if $(ABI_TESTS),printf '%s\n' $(ABI_TESTS),:)
list-stress: ; @$(if $(STRESS_TESTS),printf '%s\n' $(STRESS_TESTS),:)
bench-programs: $(BENCH) $(if $(HAVE_NBDKIT),$(if $(SAN),,$(OUT)/bench/nbdkit-direct-plugin.so))
fuzz-programs: $(FUZZ)

# The library: domu and what it stands on, showing the names of the installed headers alone, so that a
# program's own names can't clash with the layers below. The shared one is compiled once more, to be
# loaded anywhere.
$(OUT)/libsplitdom.a: $(LIBRARY_SOURCES:%.c=$(OUT)/%.o) $(PUBLIC_HEADERS) tools/public_names.sh
	$(say) AR $@
	$(Q)tools/public_names.sh >$(OUT)/public_names
	$(Q)$(CC) -r -nostdlib -o $(OUT)/splitdom.o $(filter %.o,$^)
	$(Q)$(OBJCOPY) --keep-global-symbols=$(OUT)/public_names $(OUT)/splitdom.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(OUT)/splitdom.o

$(OUT)/pic/%.o: %.c $(OUT)/flags
	$(say) CC '$< (shared)'
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -MMD -MP -c -o $@ $<

$(OUT)/$(SONAME): $(LIBRARY_SOURCES:%.c=$(OUT)/pic/%.o) $(PUBLIC_HEADERS) tools/public_names.sh
	$(say) LD $@
	$(Q)tools/public_names.sh --map >$(OUT)/public_names.map
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=$(OUT)/public_names.map \
		$(LDFLAGS) -o $@ $(filter %.o,$^)

# What a foreign program loads: the library's layers and the bridge's own files in one object that shows
# the one name which that program looks for. Nothing in it can clash with a name of the program.
PLUGIN_SOURCES := $(LIBRARY_SOURCES) src/base/place_trial.c src/bridge/exports.c src/bridge/export_spec.c src/bridge/process_place.c \
	src/bridge/nbdkit/plugin.c src/bridge/cache_fill.c
$(OUT)/pic/src/bridge/nbdkit/%.o: CPPFLAGS += $(shell $(PKG_CONFIG) --cflags nbdkit 2>/dev/null)
$(BIN)/nbdkit-splitdom-plugin.so: $(PLUGIN_SOURCES:%.c=$(OUT)/pic/%.o)
	$(say) LD $@
	$(Q)echo '{ global: plugin_init; local: *; };' >$(OUT)/plugin.map
	$(Q)$(CC) -shared -Wl,-z,nodelete -Wl,--version-script=$(OUT)/plugin.map $(LDFLAGS) -o $@ $(filter %.o,$^) -lm

# What the section bridges of the benchmarks compares the plugin with.
$(OUT)/pic/bench/nbdkit/%.o: CPPFLAGS += $(shell $(PKG_CONFIG) --cflags nbdkit 2>/dev/null)
$(OUT)/bench/nbdkit-direct-plugin.so: $(OUT)/pic/bench/nbdkit/direct.o
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -shared $(LDFLAGS) -o $@ $<

# fio's engine: against the source of the fio that is installed (tools/fio_source.sh), which is looked for
# by this target alone. fio's macros convert signs.
FIO_ENGINE_SOURCES := $(LIBRARY_SOURCES)
.PHONY: fio-engine
fio-engine: $(FIO_ENGINE_SOURCES:%.c=$(OUT)/pic/%.o) ## bin/fio-splitdom.so: an external engine for the installed fio
	$(say) FIO $(BIN)/fio-splitdom.so
	$(Q)mkdir -p $(BIN) && echo '{ global: ioengine; local: *; };' >$(OUT)/fio.map
	$(Q)source=$$(tools/fio_source.sh) && $(CC) $(CPPFLAGS) $(CFLAGS) -Wno-sign-conversion -fPIC -shared -isystem "$$source" \
		-Wl,--version-script=$(OUT)/fio.map $(LDFLAGS) -o $(BIN)/fio-splitdom.so src/bridge/fio/engine.c $(filter %.o,$^)

prefix  ?= /usr/local
PREFIX  ?= $(prefix)
DESTDIR ?=
.PHONY: install uninstall deps clean help
install: all lib ## programs, plugins, library, headers, man pages, completion to PREFIX (/usr/local)
	$(Q)tools/install.sh "$(DESTDIR)" "$(PREFIX)" "$(BIN)" "$(OUT)" $(SONAME)
uninstall: all lib ## removes what install with the same PREFIX and DESTDIR puts there
	$(Q)tools/uninstall.sh "$(DESTDIR)" "$(PREFIX)" "$(BIN)" "$(OUT)" $(SONAME)
deps: ## what tests and benchmarks need, from the distribution
	$(Q)tools/deps.sh
clean: ## removes build/ and bin/
	$(Q)rm -rf build bin

##@ Use
.PHONY: demo bench bench-tdf
demo: ## dependencies, build, image, service, clients, integrity check, stop
	$(Q)tools/demo.sh
bench-tdf: all bench-programs ## the time dilation experiment, about 15 minutes
	$(Q)bench/tdf/run.sh
bench: all bench-programs ## the benchmarks of bench/, tables and plots
	$(Q)if [ -x bench/run.sh ]; then bench/run.sh; else echo "bench/run.sh is not there" >&2; exit 1; fi

##@ Test
.PHONY: check check-long unit lint format coverage fuzz mutants profile
SEED ?= 20261129
N    ?= 500
check: ## dependencies, builds by gcc and clang, all tests, sanitizers, 6 s of fuzzing each, lint
	$(Q)tools/deps.sh || echo "going on with what is there"
	$(Q)tests/run.sh
check-long: ## check with valgrind, longer stress, 10 minutes of fuzzing each, an hour of simulation
	$(Q)tools/deps.sh || echo "going on with what is there"
	$(Q)TEST_LONG=1 STRESS_REQUESTS=10000000 SIM_SEEDS=5000 FUZZ_SECONDS=600 SIM_SECONDS=3600 tests/run.sh all valgrind
unit: ## the unit tests; SAN=address,undefined or SAN=thread: under sanitizers
	$(Q)tests/run.sh $(if $(SAN),$(if $(findstring thread,$(SAN)),tsan,asan),unit)
fuzz: ## the fuzzers alone (FUZZ_SECONDS=6)
	$(Q)tests/run.sh fuzz
coverage: ## lines of src/ that unit and end-to-end tests execute, per file
	$(Q)tests/run-coverage.sh
mutants: ## changes N=500 places of the sources, drawn by SEED: does the file's unit test notice?
	$(Q)tools/mutants.py --seed $(SEED) --count $(N) --part $(or $(PART),1/1)
profile: all ## where both processes' CPU goes, a table and a flame graph: WORKLOAD=hits, misses, found, async
	$(Q)BIN=$(abspath $(BIN)) tools/profile $(or $(WORKLOAD),hits)
lint: ## layers, limits, headers, globals, formatting, words
	$(Q)tests/run.sh lint
format: ## clang-format over the tree
	$(Q)tests/lint/format.sh --fix

help: ## this list
	@awk '/^##@ /{printf "\n%s\n", substr($$0, 5)} \
	      /^[a-z_-]+:.* ## /{n = $$1; sub(/:.*/, "", n); sub(/.* ## /, ""); printf "  %-16s %s\n", n, $$0} \
	      /^#   [A-Za-z_]+=/{v = v "\n " substr($$0, 4)} \
	      END{print "\nVariables" v}' Makefile tests/tests.mk

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
