# SPDX-License-Identifier: GPL-2.0-or-later
# ksmscope: what can be made. The recipes are in build.mk.
.PHONY: all demo check check-real check-vm fuzz bench bench-huge bench-policy study install uninstall clean deps check-faults check-valgrind lint soak deb check-services check-packages

all:        programs
demo:       demo-run
check:      check-run
check-real: real-run
check-faults: faults-run
check-valgrind: valgrind-run
fuzz:       fuzz-run
lint:       lint-run
soak:       soak-run
deb:        deb-build
check-services: services-run
check-packages: packages-run
check-vm:   check-vm-run
bench:      bench-run
bench-huge: bench-huge-run
study:      study-run
bench-policy: bench-policy-run
install:    install-files
uninstall:  uninstall-files
clean:      clean-build
deps:       deps-install

include build.mk
