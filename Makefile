# SPDX-License-Identifier: Apache-2.0
# Mailreeve. `make help` lists the targets; V=dev|rel|asan|tsan|cov|clang chooses a variant.

V ?= dev
B := build/$(V)
VERSION := $(shell cat VERSION)
.DEFAULT_GOAL := all

# ---- what is built: a folder is a program ----------------------------------
CORE     := $(wildcard common/core/*.c common/core/rules/*.c common/core/wire/*.c)
EDGE     := $(wildcard common/config/*.c common/journal/*.c common/edge/*.c)
POLICYD  := $(wildcard policyd/*.c)
MILTER   := $(wildcard milter/*.c)
TAP      := $(wildcard tap/*.c)
GATE     := $(wildcard gate/*.c)
AUDIT    := $(wildcard audit/*/*.c)
MTA      := $(wildcard mta/*.c mta/*/*.c)
DOCTOR   := $(wildcard doctor/*.c)
SETUP    := $(wildcard setup/*.c)
PROBE    := $(wildcard probe/*.c)
CLI      := $(wildcard cli/*.c)
UNIT     := $(wildcard tests/unit/*.c)
FUZZ     := $(wildcard tests/fuzz/fuzz_*.c)
BENCH    := $(addprefix tests/bench/,load.c slots.c)
PROGRAMS := $(addprefix $(B)/,mailreeve-policyd mailreeve-milter mailreeve \
              $(if $(TAP),mailreeve-tap) $(if $(GATE),mailreeve-gate))

# ---- how -------------------------------------------------------------------
CC_clang := clang
ifeq ($(origin CC),default)
CC := $(or $(CC_$(V)),gcc)
endif

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wvla -Wno-missing-field-initializers
FLAGS_dev   := -O1 -g3
FLAGS_rel   := -O3 -g -DNDEBUG -flto=auto -ffat-lto-objects
FLAGS_clang := -O2 -g
FLAGS_asan  := -O1 -g3 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FLAGS_tsan  := -O1 -g3 -fsanitize=thread
FLAGS_cov   := -O0 -g3 --coverage

# Hardening as far as this compiler has it; sanitizers bring their own.
probe = $(shell printf 'int main(void){return 0;}' | $(CC) -Werror $(1) -x c - -o /dev/null 2>/dev/null && echo '$(1)')
ifeq ($(filter asan tsan cov,$(V)),)
HARDEN_FILE := build/hardening-$(notdir $(CC)).mk
-include $(HARDEN_FILE)
HARDEN := $(HARDEN_C)
HARDEN_LINK := $(HARDEN_LD)
endif
$(HARDEN_FILE): Makefile
	@mkdir -p $(@D)
	@echo 'HARDEN_C := $(call probe,-fstack-protector-strong) $(call probe,-fstack-clash-protection) $(call probe,-fcf-protection) $(call probe,-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) -fPIE' | sed 's/-O2 //' >$@
	@echo 'HARDEN_LD := $(call probe,-pie) $(call probe,-Wl$(comma)-z$(comma)relro) $(call probe,-Wl$(comma)-z$(comma)now) $(call probe,-Wl$(comma)-z$(comma)noexecstack)' >>$@
comma := ,

ALL_CPPFLAGS := -Icommon -I. -D_GNU_SOURCE -DMAILREEVE_VERSION='"$(VERSION)"' $(CPPFLAGS)
ALL_CFLAGS    = -std=c11 $(WARNINGS) $(FLAGS_$(V)) $(HARDEN) $(CFLAGS)
ALL_LDFLAGS  := $(FLAGS_$(V)) $(HARDEN_LINK) -Wl,--as-needed $(LDFLAGS)

LIBS_EDGE   := -levent_core -lyaml -lssl -lcrypto -pthread
LIBS_MILTER := -lmilter $(LIBS_EDGE)
LIBS_TAP    := -lpcap -lcap $(LIBS_EDGE)
LIBS_AUDIT  := -lz -llzma $(LIBS_EDGE)
LIBS_CLI    := -lresolv $(LIBS_AUDIT)

object = $(patsubst %.c,$(B)/%.o,$(1))
Q := $(if $(VERBOSE),,@)
say = $(if $(VERBOSE),,@printf '  %-5s %s\n' $(1) $(2))

.PHONY: all help deps demo check check-full bench bench-programs fuzz lint manual install dist clean tests compdb
all: $(PROGRAMS)

help:
	@echo 'make            build into $(B)/'
	@echo 'make deps       install what building, testing and the demo need (as root, Debian 12)'
	@echo 'make demo       the main job on a real, private Postfix (MTA=sendmail: Sendmail); KEEP=1 leaves it up'
	@echo 'make check      all that must pass for a change'
	@echo 'make check-full the slow suites: mutation of the rules, sanitizers, faults'
	@echo 'make bench      ratios against a constant-answer server; QUICK=1 for a minute'
	@echo 'make fuzz       search for new inputs, FUZZ_S seconds for each target (clang)'
	@echo 'make compdb     compile_commands.json, for editors'
	@echo 'make lint       includes, headers, format, man pages, static analysis'
	@echo 'make manual     the tables in the manual pages, from the programs'
	@echo 'make install    DESTDIR= PREFIX=/usr/local'
	@echo 'make dist       mailreeve-$(VERSION).tar.gz'
	@echo 'V=dev|rel|asan|tsan|cov|clang chooses a variant; VERBOSE=1 shows commands.'

$(B)/%.o: %.c Makefile VERSION
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(B)/libcore.a: $(call object,$(CORE))
$(B)/libedge.a: $(call object,$(EDGE))
$(B)/libaudit.a: $(call object,$(AUDIT))
$(B)/libserver.a: $(call object,$(MTA) $(DOCTOR) $(SETUP) $(PROBE))
$(B)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

LINK = $(Q)$(CC) $(ALL_LDFLAGS) $(filter %.o,$^) $(filter %.a,$^) -o $@

$(B)/mailreeve-policyd: $(call object,$(POLICYD)) $(B)/libedge.a $(B)/libcore.a
	$(call say,LD,$@)
	$(LINK) $(LIBS_EDGE)

$(B)/mailreeve-milter: $(call object,$(MILTER)) $(B)/libedge.a $(B)/libcore.a
	$(call say,LD,$@)
	$(LINK) $(LIBS_MILTER)

$(B)/mailreeve-tap: $(call object,$(TAP)) $(B)/libedge.a $(B)/libcore.a
	$(call say,LD,$@)
	$(LINK) $(LIBS_TAP)

$(B)/mailreeve-gate: $(call object,$(GATE)) $(B)/libedge.a $(B)/libcore.a
	$(call say,LD,$@)
	$(LINK) $(LIBS_EDGE)

$(B)/mailreeve: $(call object,$(CLI)) $(B)/libaudit.a $(B)/libserver.a $(B)/libedge.a $(B)/libcore.a
	$(call say,LD,$@)
	$(LINK) $(LIBS_CLI)

# ---- tests -----------------------------------------------------------------
LIBS_TEST   := -lmilter -lpcap -lcap $(LIBS_CLI)
PROGRAM_LIB := $(filter-out %/main.c,$(POLICYD) $(MILTER) $(TAP) $(GATE))
UNIT_BIN    := $(patsubst tests/unit/%.c,$(B)/tests/%,$(filter tests/unit/test_%,$(UNIT)))
UNIT_HELP   := $(filter-out tests/unit/test_%,$(UNIT))
FUZZ_BIN    := $(patsubst tests/fuzz/%.c,$(B)/tests/%,$(FUZZ))

$(B)/tests/test_%: $(B)/tests/unit/test_%.o $(call object,$(UNIT_HELP) $(PROGRAM_LIB)) $(B)/libaudit.a $(B)/libserver.a $(B)/libedge.a $(B)/libcore.a
	$(call say,LD,$@)
	$(LINK) -lcmocka -ljansson $(LIBS_TEST)

$(B)/tests/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(call object,$(PROGRAM_LIB)) $(B)/libaudit.a $(B)/libserver.a $(B)/libedge.a $(B)/libcore.a
	$(call say,LD,$@)
	$(LINK) $(LIBS_TEST)

# libFuzzer calls the target without a header.
$(B)/tests/fuzz/%.o: WARNINGS += -Wno-missing-prototypes

tests: $(UNIT_BIN) $(FUZZ_BIN)

BENCH_BIN := $(addprefix $(B)/,polload pollimit milload millimit)
$(B)/polload: $(call object,$(BENCH) $(addprefix tests/bench/,polload.c polmix.c))
$(B)/milload: $(call object,$(BENCH) $(addprefix tests/bench/,milload.c milmix.c milterms.c))
$(B)/pollimit: $(call object,tests/bench/pollimit.c)
$(B)/millimit: $(call object,tests/bench/millimit.c)
$(B)/millimit: LIBS_BENCH := -lmilter -pthread
$(BENCH_BIN):
	$(call say,LD,$@)
	$(LINK) $(LIBS_BENCH)
bench-programs: $(BENCH_BIN)

check:
	python3 tests/run.py check

check-full:
	python3 tests/run.py check-full

demo: all
	python3 tests/mta/demo.py $(MTA)

bench:
	$(MAKE) V=rel all bench-programs
	python3 tests/bench/bench.py $(if $(QUICK),--quick)
	python3 tests/bench/bench_milter.py $(if $(QUICK),--quick)
	python3 tests/bench/bench_audit.py $(if $(QUICK),--quick)
	python3 tests/bench/bench_tap.py $(if $(QUICK),--quick)

# One libFuzzer process after the other; what they find goes into the corpus by hand.
FUZZ_S ?= 60
fuzz:
	@for f in $(basename $(notdir $(FUZZ))); do \
	    mkdir -p build/fuzz/found-$$f; \
	    clang $(ALL_CPPFLAGS) -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined tests/fuzz/$$f.c \
	        $(PROGRAM_LIB) $(AUDIT) $(MTA) $(DOCTOR) $(SETUP) $(PROBE) $(EDGE) $(CORE) $(LIBS_TEST) -o build/fuzz/$$f && \
	    build/fuzz/$$f -max_total_time=$(FUZZ_S) -rss_limit_mb=2048 -artifact_prefix=build/fuzz/ \
	        build/fuzz/found-$$f tests/fuzz/corpus/$${f#fuzz_} || exit 1; \
	done

lint:
	python3 tests/lint.py

manual:
	python3 docs/man/generate.py

compdb:
	@$(MAKE) -nB --no-print-directory VERBOSE=1 all tests | python3 tests/compdb.py >compile_commands.json

# ---- what it needs (Debian 12) ----------------------------------------------
PACKAGES := $(shell sed 's/\#.*//' etc/packages.debian)
deps:
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(PACKAGES)
	python3 tests/mta/tree.py
	python3 tests/mta/clients.py --fetch
	python3 tests/fail2ban/test_fail2ban.py --fetch

# ---- installing ---------------------------------------------------------------
PREFIX ?= /usr/local
DOC := $(DESTDIR)$(PREFIX)/share/doc/mailreeve
install:
	$(MAKE) V=rel all
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/sbin \
	    $(addprefix build/rel/mailreeve-,policyd milter tap gate)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin build/rel/mailreeve
	test -e $(DESTDIR)/etc/mailreeve/mailreeve.yaml || \
	    install -D -m 644 -t $(DESTDIR)/etc/mailreeve etc/mailreeve.yaml
	for n in 1 5 7 8; do install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$$n docs/man/*.$$n; done
	install -D -m 644 -t $(DOC) *.md
	install -D -m 644 -t $(DOC)/docs docs/*.md docs/*.json
	install -D -m 644 -t $(DOC)/docs/findings docs/findings/*.md
	install -D -m 644 -t $(DOC)/etc/postfix etc/postfix/*
	install -D -m 644 -t $(DOC)/etc/sendmail etc/sendmail/*
	install -D -m 644 -t $(DOC)/etc/fail2ban etc/fail2ban/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/sysusers.d etc/sysusers.d/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/tmpfiles.d etc/tmpfiles.d/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/bash-completion/completions etc/completions/*
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for u in etc/systemd/*; do \
	    sed 's|@PREFIX@|$(PREFIX)|' $$u >$(DESTDIR)$(PREFIX)/lib/systemd/system/$${u##*/}; done

dist:
	git archive --prefix=mailreeve-$(VERSION)/ -o mailreeve-$(VERSION).tar.gz HEAD

clean:
	rm -rf build/dev build/rel build/asan build/tsan build/cov build/clang build/fuzz build/hardening-*.mk compile_commands.json

-include $(shell test -d $(B) && find $(B) -name '*.d')
# Objects are kept: make would delete those that only a chain of rules named.
.SECONDARY:
