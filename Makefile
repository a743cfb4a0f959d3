# Brisk's only build file. Sources are found by pattern: adding a file needs no edit here.
#
#   make                 build/brisk (release)
#   make debug|asan|tsan the same under build/<configuration>/
#   make test            everything that script/test runs
#   make test-unit CONFIG=asan   one configuration's unit tests; M=tokenizer for one room
#   make bench           measure against the peers; make help lists the rest
#   make quality         measure what bf16 and int8 cost in quality, on trained models
#
# A source's suffix names its instruction set: gemm_avx2.c is compiled with $(ISA_avx2).

CONFIG ?= release
ifeq ($(origin CC),default)
CC := gcc
endif
BUILD  := build/$(CONFIG)
include src/modules.mk

PACKAGES := libmicrohttpd oniguruma libutf8proc libxxhash yaml-0.1
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wundef -Wvla -Wno-unused-parameter
STD      := -std=c17 -D_GNU_SOURCE

CONFIG_release := -O3 -g -DNDEBUG -fno-math-errno -fno-trapping-math -ffp-contract=off
CONFIG_debug   := -O1 -g -DBRISK_ASSERT=1 -fno-math-errno -fno-trapping-math -ffp-contract=off
CONFIG_asan    := $(CONFIG_debug) -fsanitize=address,undefined -fno-sanitize-recover=all \
                  -fno-omit-frame-pointer
CONFIG_tsan    := $(CONFIG_debug) -fsanitize=thread
CONFIG_fuzz    := $(CONFIG_debug) -fsanitize=address,undefined,fuzzer-no-link

# clang's taste in warnings differs; it is gcc's build that must be clean.
ifeq ($(CONFIG),fuzz)
WARN := $(filter-out -Werror,$(WARN))
endif

ISA_avx2        := -mavx2 -mfma -mf16c -mbmi2
ISA_avx512      := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mf16c -mbmi2
ISA_avx512_vnni := $(ISA_avx512) -mavx512vnni
# Before registers are given out, gcc 12 would pull loads up until sums of a tile go to memory.
ISA_neon        := -fno-schedule-insns
ISA_neon_dot    := $(ISA_neon) -march=armv8.2-a+dotprod
ISA_neon_i8mm   := $(ISA_neon) -march=armv8.2-a+dotprod+i8mm

# Sources for another processor than the compiler's target are left out.
TARGET        := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
ISAS_x86_64   := avx2 avx512 avx512_vnni
ISAS_aarch64  := neon neon_dot neon_i8mm
ISAS          := $(ISAS_$(TARGET))
# ARM's plain char has no sign by itself.
STD           += $(if $(filter aarch64,$(TARGET)),-fsigned-char)
FOREIGN       := $(addprefix %_,$(addsuffix .c,$(filter-out $(ISAS),$(ISAS_x86_64) $(ISAS_aarch64))))

CPPFLAGS := -Isrc -Iinclude $(shell pkg-config --cflags $(PACKAGES))
CFLAGS   := $(STD) $(WARN) $(CONFIG_$(CONFIG)) -pthread
LDLIBS   := $(shell pkg-config --libs $(PACKAGES)) -pthread -lm

# ---- objects and rooms ---------------------------------------------------------------------
sources_of = $(sort $(filter-out $(FOREIGN),$(wildcard src/$(1)/*.c src/$(1)/*/*.c)))
objects_of = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(call sources_of,$(1)))
SOURCES   := $(foreach m,$(MODULES),$(call sources_of,$(m)))
OBJECTS   := $(foreach m,$(MODULES),$(call objects_of,$(m)))
LIBS      := $(foreach m,$(MODULES),$(BUILD)/lib$(m).a)
MAIN      := $(BUILD)/obj/cli/main.o

# All the rooms a room stands on, itself first.
closure = $(1) $(foreach u,$($(1)_uses),$(call closure,$(u)))
uniq    = $(if $(1),$(firstword $(1)) $(call uniq,$(filter-out $(firstword $(1)),$(1))))

# The instruction set is the suffix of the file name that has flags of its own.
suffix_isa = $(strip $(foreach isa,$(ISAS),$(if $(filter %_$(isa),$(1)),$(isa))))

.PHONY: all release debug asan tsan run test test-unit test-golden test-http test-mixed test-tsan test-threads \
        test-diff test-clients test-arm test-avx512 check format fuzz bench quality clean install help compile_commands.json
.SECONDARY:

all: release
release: build/brisk
debug asan tsan:
	@$(MAKE) --no-print-directory CONFIG=$@ build/$@/brisk

build/brisk: $(if $(filter release,$(CONFIG)),build/release/brisk,FORCE)
	@ln -sf release/brisk build/brisk
FORCE:

# Packed files name the build that wrote them by its id; not every linker makes one by itself.
$(BUILD)/brisk: $(LIBS)
	@echo "  link   $@"
	@$(CC) $(CFLAGS) -Wl,--build-id -o $@ $(MAIN) -Wl,--start-group $(LIBS) -Wl,--end-group $(LDLIBS)

define ROOM
$(BUILD)/lib$(1).a: $(filter-out $(MAIN),$(call objects_of,$(1))) $(if $(filter cli,$(1)),$(MAIN))
	@mkdir -p $$(@D)
	@rm -f $$@
	@$(AR) rcs $$@ $(filter-out $(MAIN),$(call objects_of,$(1)))
endef
$(foreach m,$(MODULES),$(eval $(call ROOM,$(m))))

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	@echo "  cc     $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(ISA_$(call suffix_isa,$(basename $<))) -MMD -MP -c $< -o $@

-include $(OBJECTS:.o=.d)

# ---- unit tests: tests/unit/<room>/<file>_test.c is one program linked with its room only -----
TEST_SOURCES := $(sort $(wildcard tests/unit/$(if $(M),$(M),*)/*_test.c))
test_programs = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(1))
TESTS        := $(call test_programs,$(TEST_SOURCES))

define ROOM_TESTS
$(BUILD)/tests/$(1)/%: tests/unit/$(1)/%.c $(foreach r,$(call uniq,$(call closure,$(1))),$(BUILD)/lib$(r).a)
	@mkdir -p $$(@D)
	@echo "  test   $$<"
	@$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -o $$@ $$< -Wl,--start-group \
	    $(foreach r,$(call uniq,$(call closure,$(1))),$(BUILD)/lib$(r).a) -Wl,--end-group $(LDLIBS) -lcmocka
endef
$(foreach m,$(MODULES),$(eval $(call ROOM_TESTS,$(m))))
-include $(TESTS:=.d)

test-unit: $(TESTS)
	@tools/run-tests $(TESTS)

unit-programs: $(TESTS)

test-golden: $(BUILD)/tests/runtime/golden_test
	@tools/run-tests $<

test-http: $(BUILD)/brisk
	@python3 tests/http/run.py $(BUILD)/brisk

# Ten thousand requests to many families within a memory limit; test-http has a small form of it.
test-mixed: $(BUILD)/brisk
	@python3 tests/mixed.py $(BUILD)/brisk

# ThreadSanitizer: the rooms that work in threads, and what starts threads in the others' tests.
test-tsan:
	@$(MAKE) --no-print-directory CONFIG=tsan test-threads
	@$(MAKE) --no-print-directory CONFIG=tsan test-http

test-threads: $(call test_programs,$(sort $(wildcard tests/unit/base/*_test.c tests/unit/ops/*_test.c \
              tests/unit/runtime/*_test.c) $(shell grep -lE 'thread_start|team_' tests/unit/*/*_test.c)))
	@tools/run-tests $^

run: ; @script/server
test: ; @script/test

test-diff test-clients: release
	@script/$@

# Built for 64-bit ARM, run under emulation.
test-arm: release
	@script/$@
# The AVX-512 kernels, under emulation where the processor lacks them.
test-avx512: ; @script/$@

# ---- fuzzing: fuzz/<target>.c, clang's libFuzzer ------------------------------------------------
FUZZ_TARGETS := $(patsubst fuzz/%.c,%,$(wildcard fuzz/*.c))
ROOM_LIBS    := $(filter-out $(BUILD)/libcli.a,$(LIBS))
.PHONY: rooms fuzz-rooms
rooms: $(ROOM_LIBS)
fuzz-rooms:
	@$(MAKE) --no-print-directory CC=clang CONFIG=fuzz rooms
build/fuzz/%: fuzz/%.c fuzz-rooms
	@clang $(CPPFLAGS) $(STD) $(CONFIG_fuzz) -fsanitize=fuzzer -o $@ $< -Wl,--start-group \
	    $(patsubst $(BUILD)/%,build/fuzz/%,$(ROOM_LIBS)) -Wl,--end-group $(LDLIBS)
FUZZ_SECONDS ?= 20
fuzz: $(FUZZ_TARGETS:%=build/fuzz/%)
	@for t in $(FUZZ_TARGETS); do mkdir -p build/fuzz/work/$$t; \
	    echo "fuzz $$t"; build/fuzz/$$t -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -verbosity=0 \
	    build/fuzz/work/$$t fuzz/corpus/$$t || exit 1; done

# ---- the rest --------------------------------------------------------------------------------
check:
	@tools/check

format:
	@clang-format -i $$(git ls-files 'src/**/*.[ch]' 'include/*.h' 'tests/**/*.[ch]' 'fuzz/*.c')

# bench/<name>.c: kernels and operations against the limits of the machine (kernels), and what the
# programs bench/<name>.py compare with others (tokenizing, quality, library).
$(BUILD)/bench-%: bench/%.c $(wildcard bench/machine_*.h) $(ROOM_LIBS)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< -Wl,--start-group $(ROOM_LIBS) -Wl,--end-group $(LDLIBS)

# tests/diff/tensors.c: what tests/diff/weights.py compares with torch.
$(BUILD)/tensors: tests/diff/tensors.c $(foreach r,base formats,$(BUILD)/lib$(r).a)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

# tests/diff/template_lines.c: templates a line each, for the comparison with jinja2.
$(BUILD)/template-lines: tests/diff/template_lines.c $(foreach r,template base,$(BUILD)/lib$(r).a)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(filter %.a,$^) $(LDLIBS)

bench: release
	@script/bench
quality: release
	@script/quality

compile_commands.json:
	@tools/compile-commands $(CC) -- $(CPPFLAGS) $(CFLAGS) -- $(SOURCES) > $@

install: release
	install -D -m 755 build/release/brisk $(DESTDIR)$(or $(PREFIX),/usr/local)/bin/brisk
	install -D -m 644 docs/brisk.1 $(DESTDIR)$(or $(PREFIX),/usr/local)/share/man/man1/brisk.1

clean: ; rm -rf build

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile
