// SPDX-License-Identifier: GPL-2.0-or-later
#include "measure/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25		/* 6.1 */
#endif

static double seconds_of(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

double bench_clock(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

double bench_cpu_ns(void)
{
	return seconds_of(CLOCK_THREAD_CPUTIME_ID) * 1e9;
}

double bench_over(const struct bench *b)
{
	return (bench_clock() - b->started) / b->seconds;
}

static void say_why(struct measured *ret, enum known known, const char *why, va_list args)
{
	*ret = (struct measured){ .known = known };
	vsnprintf(ret->why, sizeof(ret->why), why, args);
}

void bench_figure(struct measured *ret, struct values *v, const char *why, ...)
{
	va_list args;
	*ret = measured_of(v->of, v->count);
	if (ret->known == KNOWN)
		return;
	va_start(args, why);
	say_why(ret, ABSENT, why, args);
	va_end(args);
}

void bench_absent(struct measured *ret, enum known known, const char *why, ...)
{
	va_list args;
	va_start(args, why);
	say_why(ret, known, why, args);
	va_end(args);
}

char *bench_map(size_t bytes, size_t align)
{
	char *raw = mmap(NULL, bytes + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (raw == MAP_FAILED)
		return NULL;
	size_t before = (align - (uintptr_t)raw % align) % align;
	if (before)
		munmap(raw, before);
	munmap(raw + before + bytes, align - before);
	return raw + before;
}

void bench_fill(char *at, size_t bytes, uint64_t seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15u | 1;
	for (uint64_t *word = (uint64_t *)at, *end = (uint64_t *)(at + bytes); word < end; word++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		*word = x;
	}
}

bool bench_is_huge(struct bench *b, const char *at)
{
	return pagemap_is_huge(&b->map, b->kpageflags, (uintptr_t)at, b->found->pmd_bytes);
}

/* By the first write where the kernel gives huge pages at once, else by collapsing, which "never" does not forbid. */
bool bench_huge(struct bench *b, char *at, size_t bytes)
{
	size_t pmd = b->found->pmd_bytes, count = bytes / pmd, huge = 0;
	madvise(at, bytes, MADV_HUGEPAGE);
	for (size_t i = 0; i < count; i++) {
		volatile char *region = at + i * pmd;
		for (size_t page = 0; page < pmd; page += b->found->page_bytes)
			region[page] = 1;
		if (!bench_is_huge(b, at + i * pmd))
			madvise(at + i * pmd, pmd, MADV_COLLAPSE);
		huge += bench_is_huge(b, at + i * pmd);
	}
	return count && huge >= count - count / 50;
}
