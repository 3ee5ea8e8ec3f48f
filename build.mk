# SPDX-License-Identifier: GPL-2.0-or-later
#
# The recipes behind the names of the Makefile.
#
#   BUILD=dir      where everything goes (default build)
#   SANITIZE=1     AddressSanitizer and UBSan, in $(BUILD)/asan by default
#   V=1            show whole commands
#   PREFIX, DESTDIR  for install

PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(shell command -v bpftool 2>/dev/null) /usr/sbin/bpftool)
VERSION := $(shell cat VERSION)

ifdef SANITIZE
BUILD    ?= build/asan
SANFLAGS := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif
BUILD ?= build

BPF_ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
CFLAGS   ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-fvisibility=hidden \
	-D_GNU_SOURCE -DKSMSCOPE_VERSION='"$(VERSION)"' -Iuser -I. -I$(BUILD) $(SANFLAGS) $(NO_PATHS) $(CFLAGS)
# Where the tree lies is no part of what is made of it.
NO_PATHS := -ffile-prefix-map=$(CURDIR)=.
BPF_CFLAGS = -O2 -g $(NO_PATHS) -fdebug-compilation-dir=. -target bpf -mcpu=v3 -Wall -Werror -D__TARGET_ARCH_$(BPF_ARCH) -Ivmlinux -Ibpf
# Programs load only the libraries that they use.
LDFLAGS += -Wl,--as-needed
LDLIBS += -lbpf -lelf -lz -lzstd -lxxhash -lncursesw -lm -ljansson
# The metrics server: HTTP, TLS, confinement, its configuration, passwords.
LDLIBS += -lmicrohttpd -lgnutls -lseccomp -lcap-ng -lyaml -lcrypt

# A room is a folder: all its C files belong to it.
ROOMS    := base core out screen sys probe gather act measure cli term http advise top exporter policy
# The parts of core/ are folders in it.
ROOM_SRC := $(foreach room,$(ROOMS) core/*,$(wildcard user/$(room)/*.c))
ROOM_OBJ := $(ROOM_SRC:%.c=$(BUILD)/obj/%.o)
# user/prog/ksm_advise.c becomes the program ksm-advise.
PROG_SRC := $(wildcard user/prog/*.c)
PROGRAMS := $(foreach src,$(PROG_SRC),$(BUILD)/$(subst _,-,$(basename $(notdir $(src)))))
BPF_SRC  := $(wildcard bpf/*.bpf.c)
SKELETONS := $(BPF_SRC:bpf/%.bpf.c=$(BUILD)/bpf/%.skel.h)
# Unit tests: core/, base/ and out/ alone, no kernel behind them.
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT     := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
# Programs that the live tests and the demo run.
LIVE_SRC := $(wildcard tests/live/*.c)
LIVE     := $(LIVE_SRC:tests/live/%.c=$(BUILD)/tests/%)
BENCH_SRC := $(wildcard tests/bench/*.c)
BENCH    := $(BENCH_SRC:tests/bench/%.c=$(BUILD)/tests/%)
# Fuzzers of every parser, in one program: tests/fuzz/. clang has libFuzzer, so they are its objects throughout.
FUZZ      := $(BUILD)/fuzz/ksmscope-fuzz
FUZZ_OBJ  := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(wildcard tests/fuzz/*.c) $(ROOM_SRC))
FUZZFLAGS := -Wno-missing-field-initializers -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=undefined,float-cast-overflow -fno-omit-frame-pointer
# A library to preload that makes things fail: tests/faults/.
FAULTS   := $(BUILD)/tests/faults.so
# The study of the estimator: its table is in docs/model-sampling.md.
STUDY    := $(BUILD)/tests/study
# Manual pages from docs/man/, completions from the programs' own option tables.
MAN_SRC  := $(wildcard docs/man/*.scd)
MAN      := $(MAN_SRC:docs/man/%.scd=$(BUILD)/man/%)
NAMES    := $(notdir $(PROGRAMS))
COMPLETE_BASH := $(NAMES:%=$(BUILD)/completions/bash/%)
COMPLETE_ZSH  := $(NAMES:%=$(BUILD)/completions/zsh/_%)
# Programs whose operands are a command.
TAKE_COMMAND  := ksm-run
# What is made has the time of the sources, so that making it twice makes the same.
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),$(shell stat -c %Y VERSION))
export SOURCE_DATE_EPOCH

.PHONY: real-run fuzz-run metrics-doc programs check-vm-run manuals completions demo-run check-run bench-run bench-huge-run bench-policy-run study-run install-files uninstall-files clean-build deps-install tests deb-build faults-run lint-run soak-run valgrind-run services-run packages-run
.SECONDARY:
.DELETE_ON_ERROR:

# One short line per step; a step's own words are seen all the same.
run = $(if $(V),,@echo "  $(1)	$@" &&) $(2)

programs: $(PROGRAMS)
tests: $(UNIT) $(LIVE) $(BENCH) $(FAULTS)
manuals: $(MAN)
completions: $(COMPLETE_BASH) $(COMPLETE_ZSH)

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h vmlinux/*.h)
	@mkdir -p $(@D)
	$(call run,BPF,$(CLANG) $(BPF_CFLAGS) -c $< -o $@)

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(call run,SKEL,$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf > $@)

$(BUILD)/obj/%.o: %.c | $(SKELETONS)
	@mkdir -p $(@D)
	$(call run,CC,$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@)

$(BUILD)/libksmscope.a: $(ROOM_OBJ)
	@rm -f $@
	$(call run,AR,$(AR) rcs $@ $^)

.SECONDEXPANSION:
$(PROGRAMS): $(BUILD)/obj/user/prog/$$(subst -,_,$$(notdir $$@)).o $(BUILD)/libksmscope.a
	$(call run,LINK,$(CC) $(SANFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@)

$(UNIT): $(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libksmscope.a
	@mkdir -p $(@D)
	$(call run,LINK,$(CC) $(SANFLAGS) $(LDFLAGS) $^ $(LDLIBS) -lcmocka -o $@)

$(LIVE): $(BUILD)/tests/%: $(BUILD)/obj/tests/live/%.o $(BUILD)/libksmscope.a
	@mkdir -p $(@D)
	$(call run,LINK,$(CC) $(SANFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@)

$(BENCH): $(BUILD)/tests/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libksmscope.a
	@mkdir -p $(@D)
	$(call run,LINK,$(CC) $(SANFLAGS) $(LDFLAGS) $^ $(LDLIBS) -lxxhash -o $@)

$(BUILD)/fuzz/obj/%.o: %.c | $(SKELETONS)
	@mkdir -p $(@D)
	$(call run,CC,$(CLANG) $(ALL_CFLAGS) -O1 $(FUZZFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@)

$(FUZZ): $(FUZZ_OBJ)
	$(call run,LINK,$(CLANG) $(FUZZFLAGS) -fsanitize=fuzzer $(LDFLAGS) $^ $(LDLIBS) -ljansson -o $@)

$(FAULTS): tests/faults/shim.c
	@mkdir -p $(@D)
	$(call run,CC,$(CC) -std=gnu11 -Wall -Wextra -D_GNU_SOURCE -O2 -fPIC -shared $< -o $@)

$(STUDY): $(BUILD)/obj/tests/study/study.o $(BUILD)/libksmscope.a
	@mkdir -p $(@D)
	$(call run,LINK,$(CC) $(SANFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@)

# Both README commands install what is missing first; an ordinary `make` never does.
deps-install:
	@tests/deps.sh packages.txt

demo-run: deps-install
	$(MAKE) --no-print-directory programs $(BUILD)/tests/made_memory
	tests/demo.sh $(BUILD)

check-run: deps-install
	BUILD=$(BUILD) tests/check.sh

# Other kernels, under emulation. KERNELS="6.1 6.12-arm64": these alone; ARGS=--keep: keep what is measured.
check-vm-run: deps-install
	@tests/deps.sh tests/vm/packages.txt
	$(MAKE) --no-print-directory programs tests
	BUILD=$(BUILD) tests/vm/check_vm.sh $(ARGS) $(KERNELS)

bench-run: deps-install
	$(MAKE) --no-print-directory programs tests
	$(BUILD)/tests/bench_content
	$(BUILD)/tests/bench_probe
	$(BUILD)/tests/bench_sweep
	$(BUILD)/tests/bench_budget
	tests/bench/bench_ksmtop.sh $(BUILD)
	tests/bench/bench_huge.sh $(BUILD)

bench-huge-run: deps-install
	$(MAKE) --no-print-directory programs tests
	tests/bench/bench_huge.sh $(BUILD)

# docs/metrics.md is what the program says of itself; tests/check_tree.sh holds it against that.
metrics-doc: $(BUILD)/ksm-exporter
	$(BUILD)/ksm-exporter --list-metrics > docs/metrics.md

# SECONDS per target, all of them or TARGETS="a b"; what is found new and interesting stays in $(BUILD)/fuzz.
# Real programs, with load, before, while and after they are merged: docs/real.md.
real-run: deps-install
	@tests/deps.sh tests/real/packages.txt
	$(MAKE) --no-print-directory programs
	KSMSCOPE_BUILD=$(BUILD) tests/real/check.sh

fuzz-run: $(FUZZ)
	BUILD=$(BUILD) FUZZ_SECONDS=$(or $(SECONDS),60) tests/fuzz/fuzz.sh $(TARGETS)

bench-policy-run: deps-install
	$(MAKE) --no-print-directory programs tests
	tests/bench/bench_policy.sh $(BUILD) $(BUILD)/bench-policy.json

# Every point at which something can fail; tests/golden/faults.sh and tests/live/faults.sh are some seconds of it.
faults-run: programs tests
	KSMSCOPE_BUILD=$(BUILD) tests/faults/faults.py --all $(SCENARIOS)

lint-run: programs
	BUILD=$(BUILD) tests/lint.sh

# MINUTES of coming and going: nothing may grow.
soak-run: programs tests
	KSMSCOPE_BUILD=$(BUILD) tests/soak.py --minutes $(or $(MINUTES),30)

valgrind-run: programs tests
	BUILD=$(BUILD) tests/valgrind.sh

# Built twice, in different places, and compared.
packages-run: deps-install
	tests/packages.sh

# The packages and their services under a systemd of their own, in a container.
services-run:
	@tests/deps.sh tests/services/packages.txt
	$(MAKE) --no-print-directory programs tests deb
	KSMSCOPE_BUILD=$(BUILD) tests/services/services.sh $(BUILD)/deb

study-run: $(STUDY)
	tests/study/study.sh $(BUILD)

# What the pages are made of besides their sources; written anew only when it differs.
MADE_OF := $(VERSION) $(PREFIX) $(SOURCE_DATE_EPOCH)
.PHONY: made-of
$(BUILD)/man/.made-of: made-of
	@mkdir -p $(@D)
	@echo '$(MADE_OF)' | cmp -s - $@ || echo '$(MADE_OF)' > $@

# A step that fails within a pipe is a failure.
$(MAN) $(COMPLETE_BASH) $(COMPLETE_ZSH): private SHELL := /bin/bash
$(MAN) $(COMPLETE_BASH) $(COMPLETE_ZSH): private .SHELLFLAGS := -o pipefail -c

$(MAN): $(BUILD)/man/%: docs/man/%.scd tools/man.awk $(BUILD)/man/.made-of
	$(call run,MAN,sed 's|@VERSION@|$(VERSION)|; s|@DOCDIR@|$(PREFIX)/$(DOCDIR)|' $< | scdoc | awk -f tools/man.awk > $@)

# $(1): the shell; $(2): the program
complete = $(call run,COMP,$(BUILD)/$(2) --print-options | awk -v shell=$(1) -v program=$(2) \
	-v command=$(words $(filter $(2),$(TAKE_COMMAND))) -f tools/completion.awk > $@)

$(COMPLETE_BASH): $(BUILD)/completions/bash/%: $(BUILD)/% tools/completion.awk
	@mkdir -p $(@D)
	$(call complete,bash,$*)

$(COMPLETE_ZSH): $(BUILD)/completions/zsh/_%: $(BUILD)/% tools/completion.awk
	@mkdir -p $(@D)
	$(call complete,zsh,$*)

# Folders of an installation, below DESTDIR and PREFIX.
DOCDIR  := share/doc/ksmscope
BASHDIR := share/bash-completion/completions
ZSHDIR  := share/zsh/site-functions
DOCS    := LICENSE $(wildcard docs/*.md)
# share/man/man1/x.1.gz
PAGES   := $(foreach page,$(notdir $(MAN)),share/man/man$(patsubst .%,%,$(suffix $(page)))/$(page).gz)
# Services, and what a monitoring system and a cluster are configured with.
UNITS    := $(wildcard contrib/systemd/*.service)
SYSUSERS := $(wildcard contrib/systemd/*.sysusers)
TMPFILES := $(wildcard contrib/systemd/*.tmpfiles)
EXAMPLES := $(wildcard contrib/prometheus/* contrib/grafana/* contrib/kubernetes/*)
# Everything that is installed, and nothing else: what `make uninstall` removes.
INSTALLED := $(NAMES:%=bin/%) $(PAGES) $(NAMES:%=$(BASHDIR)/%) $(NAMES:%=$(ZSHDIR)/_%) \
	$(addprefix $(DOCDIR)/,README.md $(notdir $(DOCS))) $(UNITS:contrib/systemd/%=lib/systemd/system/%) \
	$(SYSUSERS:contrib/systemd/%.sysusers=lib/sysusers.d/%.conf) \
	$(TMPFILES:contrib/systemd/%.tmpfiles=lib/tmpfiles.d/%.conf) $(EXAMPLES:contrib/%=share/ksmscope/%)

# In services: where the programs are.
$(BUILD)/systemd/%: contrib/systemd/% $(BUILD)/man/.made-of
	@mkdir -p $(@D)
	$(call run,UNIT,sed 's|@BINDIR@|$(PREFIX)/bin|' $< > $@)

install-files: programs manuals completions $(UNITS:contrib/%=$(BUILD)/%)
	install -d $(patsubst %,"$(DESTDIR)$(PREFIX)/%",$(sort $(dir $(INSTALLED))))
	install -m 755 $(PROGRAMS) "$(DESTDIR)$(PREFIX)/bin"
	install -m 644 $(COMPLETE_BASH) "$(DESTDIR)$(PREFIX)/$(BASHDIR)"
	install -m 644 $(COMPLETE_ZSH) "$(DESTDIR)$(PREFIX)/$(ZSHDIR)"
	install -m 644 $(DOCS) README.md "$(DESTDIR)$(PREFIX)/$(DOCDIR)"
	sed -i 's|](docs/|](|g' "$(DESTDIR)$(PREFIX)/$(DOCDIR)/README.md"
	install -m 644 $(UNITS:contrib/%=$(BUILD)/%) "$(DESTDIR)$(PREFIX)/lib/systemd/system"
	for file in $(SYSUSERS) $(TMPFILES); do \
		name=$${file##*/} && \
		install -m 644 "$$file" "$(DESTDIR)$(PREFIX)/lib/$${name##*.}.d/$${name%.*}.conf" || exit 1; \
	done
	for file in $(EXAMPLES); do \
		install -m 644 "$$file" "$(DESTDIR)$(PREFIX)/share/ksmscope/$${file#contrib/}" || exit 1; \
	done
	for page in $(PAGES); do \
		name=$${page##*/} && gzip -9n < $(BUILD)/man/$${name%.gz} > "$(DESTDIR)$(PREFIX)/$$page" && \
		chmod 644 "$(DESTDIR)$(PREFIX)/$$page" || exit 1; \
	done
	cd "$(DESTDIR)$(PREFIX)" && touch -d @$(SOURCE_DATE_EPOCH) $(INSTALLED)

uninstall-files:
	if cd "$(DESTDIR)$(PREFIX)"; then rm -f $(INSTALLED); rmdir $(DOCDIR) share/ksmscope/* share/ksmscope 2>/dev/null || :; fi

# Who publishes packages puts his address into debian/control and debian/changelog.
DEB_TAGS := bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs
# Debian packages, without tests: those are this tree's, and need what a builder has not.
deb-build: deps-install
	dpkg-buildpackage -us -uc -b
	@mkdir -p $(BUILD)/deb
	mv ../ksmscope*_$(VERSION)*.deb ../ksmscope*_$(VERSION)*.buildinfo ../ksmscope*_$(VERSION)*.changes $(BUILD)/deb
	lintian --allow-root --fail-on error,warning --suppress-tags $(DEB_TAGS) $(BUILD)/deb/*.changes

clean-build:
	rm -rf build

-include $(shell find $(BUILD)/obj $(BUILD)/fuzz/obj -name '*.d' 2>/dev/null)
