// SPDX-License-Identifier: GPL-2.0-or-later
#include "measure/pmu.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * DTLB_LOAD_MISSES.WALK_ACTIVE: umask 0x10, counter mask 1, of event 0x08 from
 * Skylake and of event 0x12 from Golden Cove on (Intel SDM, volume 3B, chapter
 * "Performance monitoring events").
 */
static const uint64_t walk_events[PMU_EVENTS] = { 0x01001008, 0x01001012 };

static int open_counter(uint32_t type, uint64_t config)
{
	struct perf_event_attr attr = { .type = type, .size = sizeof(attr), .config = config, .exclude_kernel = 1,
					.exclude_hv = 1 };
	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static const char *why_not(int os)
{
	if (os == EACCES || os == EPERM)
		return "the processor's counters may not be read (kernel.perf_event_paranoid)";
	return "this machine offers no processor counters (perf_event_open), as virtual machines often do not";
}

static bool is_intel(void)
{
#if defined(__x86_64__)
	uint32_t eax = 0, ebx, ecx, edx;
	__asm__("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	return ebx == 0x756e6547;	/* "Genu" */
#else
	return false;
#endif
}

bool pmu_open(struct pmu *ret)
{
	*ret = (struct pmu){ .walks = { -1, -1 } };
	ret->cycles = open_counter(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
	if (ret->cycles < 0) {
		ret->why = why_not(errno);
		return false;
	}
	for (size_t i = 0; i < PMU_EVENTS && is_intel(); i++)
		ret->walks[i] = open_counter(PERF_TYPE_RAW, walk_events[i]);
	if (ret->walks[0] >= 0 || ret->walks[1] >= 0)
		return true;
	ret->why = "this processor does not count the cycles of page walks";
	pmu_close(ret);
	return false;
}

void pmu_close(struct pmu *pmu)
{
	for (size_t i = 0; i < PMU_EVENTS; i++)
		if (pmu->walks[i] >= 0)
			close(pmu->walks[i]);
	if (pmu->cycles >= 0)
		close(pmu->cycles);
	pmu->cycles = pmu->walks[0] = pmu->walks[1] = -1;
}

static bool read_counter(int fd, uint64_t *ret)
{
	*ret = 0;
	return fd < 0 || read(fd, ret, sizeof(*ret)) == sizeof(*ret);
}

bool pmu_read(const struct pmu *pmu, struct pmu_reading *ret)
{
	bool good = pmu->cycles >= 0 && read_counter(pmu->cycles, &ret->cycles);
	for (size_t i = 0; good && i < PMU_EVENTS; i++)
		good = read_counter(pmu->walks[i], &ret->walks[i]);
	return good;
}

void pmu_add(struct pmu_reading *sum, const struct pmu_reading *before, const struct pmu_reading *after)
{
	sum->cycles += after->cycles - before->cycles;
	for (size_t i = 0; i < PMU_EVENTS; i++)
		sum->walks[i] += after->walks[i] - before->walks[i];
}

double pmu_walk_share(const struct pmu_reading *base, const struct pmu_reading *huge)
{
	for (size_t i = 0; i < PMU_EVENTS; i++) {
		double with_base = base->cycles ? (double)base->walks[i] / base->cycles : 0;
		double with_huge = huge->cycles ? (double)huge->walks[i] / huge->cycles : 0;
		if (with_base > 0 && with_base <= 1 && with_base >= PMU_PLAUSIBLE_WALKS * with_huge)
			return with_base;
	}
	return 0;
}
