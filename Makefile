# splitdom: GNU make, one file, no recursion. `make V=1` shows every command.
#   SAN=address,undefined | thread   an instrumented build beside the plain one, under build/san-*/

CC      ?= gcc
AR      ?= ar
SAN     ?=
empty   :=
space   := $(empty) $(empty)
comma   := ,
OUT     := build/$(if $(SAN),san-$(subst $(comma),-,$(SAN)),plain)
BIN     := $(if $(SAN),$(OUT)/bin,bin)

PKG_CONFIG ?= pkg-config
HAVE_LIBURING := $(shell $(PKG_CONFIG) --exists liburing 2>/dev/null && echo 1)

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
ifeq ($(HAVE_LIBURING),1)
CPPFLAGS += -DHAVE_LIBURING=1 $(shell $(PKG_CONFIG) --cflags liburing)
LDLIBS   += $(shell $(PKG_CONFIG) --libs liburing)
endif

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-5s %s\n'
endif

# One archive per layer; the programs' main files stay outside the archives.
MAINS    := src/service/service.c src/client/client.c
SRC_DIRS := ring tdf xenstore service client
srcs_of   = $(filter-out $(MAINS),$(wildcard src/$(1)/*.c))
LIBS     := $(foreach d,$(SRC_DIRS),$(OUT)/lib$(d).a)
LIBS_BASE := $(OUT)/libxenstore.a $(OUT)/libtdf.a $(OUT)/libring.a

UNIT     := $(patsubst tests/unit/%.c,$(OUT)/tests/%,$(wildcard tests/unit/test_*.c))

.PHONY: all clean
all: $(BIN)/service $(BIN)/client $(BIN)/tool_for_integrity $(BIN)/integrity

$(OUT)/%.o: %.c
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define layer_archive
$(OUT)/lib$(1).a: $(patsubst %.c,$(OUT)/%.o,$(call srcs_of,$(1)))
	$$(say) AR $$@
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach d,$(SRC_DIRS),$(eval $(call layer_archive,$(d))))

$(BIN)/service: $(OUT)/src/service/service.o $(OUT)/libservice.a $(LIBS_BASE)
$(BIN)/client: $(OUT)/src/client/client.o $(OUT)/libclient.a $(LIBS_BASE)
$(BIN)/tool_for_integrity: $(patsubst %.c,$(OUT)/%.o,$(wildcard tools/integrity/*.c))
$(BIN)/service $(BIN)/client $(BIN)/tool_for_integrity:
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BIN)/integrity: $(BIN)/tool_for_integrity
	$(Q)ln -sf tool_for_integrity $@

$(OUT)/tests/%: $(OUT)/tests/unit/%.o $(LIBS)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(LIBS) -Wl,--end-group -lcmocka $(LDLIBS)

.PHONY: unit
unit: $(UNIT)
	$(Q)for t in $^; do echo "== $$t"; "$$t" || exit 1; done

-include tests/tests.mk

clean:
	$(Q)rm -rf build bin

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
