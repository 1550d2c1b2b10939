# Tests beyond tests/unit: conformance with the installed Xen headers, and stress. Included by the
# Makefile. make abi | stress | xen_front | stress-weakened

# Xen's names are ours: a file sees either Xen's headers or include/splitdom, never both. Xen's
# macros were not written for -Wconversion.
XEN_FILES := abi_xen ring_xen xen_front xen_vbd xen_store xen_events
$(patsubst %,$(OUT)/tests/abi/%.o,$(XEN_FILES)): CPPFLAGS += -D__XEN_INTERFACE_VERSION__=0x00040e00
$(patsubst %,$(OUT)/tests/abi/%.o,$(XEN_FILES)): CFLAGS += -Wno-conversion -Wno-sign-conversion

ABI_TESTS := $(OUT)/tests/abi/test_abi $(OUT)/tests/abi/test_ring_pairs
$(OUT)/tests/abi/test_abi: $(patsubst %,$(OUT)/tests/abi/%.o,test_abi abi_ours abi_xen)
$(OUT)/tests/abi/test_ring_pairs: $(patsubst %,$(OUT)/tests/abi/%.o,test_ring_pairs ring_ours ring_xen)
$(ABI_TESTS):
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

.PHONY: abi
abi: $(ABI_TESTS)
	$(Q)for t in $^; do echo "== $$t"; "$$t" || exit 1; done

# A front end that knows only Xen's headers; needs a running service.
XEN_FRONT := xen_front xen_vbd xen_store xen_events domain
$(OUT)/tests/abi/xen_front: $(patsubst %,$(OUT)/tests/abi/%.o,$(XEN_FRONT))
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: xen_front
xen_front: $(OUT)/tests/abi/xen_front
