// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/process.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/search.h"
#include "base/units.h"
#include "sys/ksm_read.h"
#include "sys/proc.h"

#define SPARSE_PAGES (1ull << 26)
#define SPARSE_RATIO 8
#define MARGIN_PART 50			/* of the machine's memory stays free when something is unmerged */

static enum known look_task(struct task *ret, const struct sysroot *root, pid_t pid, uint64_t start_ticks,
			    struct sample *names)
{
	enum known known = proc_task(root, pid, ret, names);
	bool ended = ret->state == 'Z' || ret->state == 'X';
	if (known == KNOWN && (ended || (start_ticks && ret->start_ticks != start_ticks)))
		return GONE;
	return known;
}

/* A process that is ending has given up its memory before it is a zombie. */
static bool has_no_memory(const struct sysroot *root, const struct task *task)
{
	char first[2];
	return !task->kernel_thread && sysroot_read(root, first, sizeof(first), "proc/%d/maps", task->pid) == KNOWN &&
	       !first[0];
}

enum known process_look(struct process *ret, const struct sysroot *root, pid_t pid, uint64_t start_ticks)
{
	sample_init(&ret->sample);
	ret->sample.machine.page_bytes = sysconf(_SC_PAGESIZE);
	enum known known = look_task(&ret->task, root, pid, start_ticks, &ret->sample);
	if (known == KNOWN)
		known = proc_areas(root, pid, 0, &ret->sample);
	if (known == KNOWN && !ret->sample.areas_count && has_no_memory(root, &ret->task))
		known = GONE;
	if (known != KNOWN)
		process_free(ret);
	return known;
}

bool process_ended(const struct sysroot *root, pid_t pid, uint64_t start_ticks)
{
	struct task task;
	struct sample names;
	sample_init(&names);
	enum known known = look_task(&task, root, pid, start_ticks, &names);
	sample_free(&names);
	return known == GONE || (known == KNOWN && has_no_memory(root, &task));
}

void process_free(struct process *process)
{
	sample_free(&process->sample);
}

/* ---- ranges ---- */

void ranges_free(struct ranges *ranges)
{
	free(ranges->items);
	*ranges = (struct ranges){ 0 };
}

bool ranges_add(struct ranges *r, uint64_t start, uint64_t end)
{
	if (r->count && r->items[r->count - 1].end == start) {
		r->items[r->count - 1].end = end;
		return true;
	}
	if ((r->count & (r->count - 1)) == 0) {
		struct range *more = realloc(r->items, (r->count ? r->count * 2 : 1) * sizeof(*more));
		if (!more)
			return false;
		r->items = more;
	}
	r->items[r->count++] = (struct range){ start, end };
	return true;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

const char *process_not_mergeable(const struct process *p, uint64_t start, uint64_t end, struct ranges *ret)
{
	uint64_t at = start;
	*ret = (struct ranges){ 0 };
	for (size_t i = 0; i < p->sample.areas_count && at < end; i++) {
		const struct area *area = &p->sample.areas[i];
		if (area->end <= at)
			continue;
		if (area->start > at)
			break;
		if (area->class != AREA_CANDIDATE)
			return "something is mapped there now that KSM does not take";
		uint64_t stop = earlier(area->end, end);
		if (!(area->flags & AREA_MERGEABLE) && !ranges_add(ret, at, stop))
			return "out of memory";
		at = stop;
	}
	return at < end ? "it is not all mapped any more" : NULL;
}

bool process_too_sparse(const struct process *p, uint64_t start, uint64_t end)
{
	uint64_t span = 0, present = 0;
	for (size_t i = 0; i < p->sample.areas_count; i++) {
		const struct area *area = &p->sample.areas[i];
		if (area->class != AREA_CANDIDATE || area->end <= start || area->start >= end)
			continue;
		span += (earlier(area->end, end) - later(area->start, start)) / p->sample.machine.page_bytes;
		present += area->present_pages + area->swapped_pages;
	}
	return span > SPARSE_PAGES && span / SPARSE_RATIO > present;
}

bool process_mergeable(const struct process *p, uint64_t start, uint64_t end, struct ranges *ret)
{
	*ret = (struct ranges){ 0 };
	for (size_t i = 0; i < p->sample.areas_count; i++) {
		const struct area *area = &p->sample.areas[i];
		if (!(area->flags & AREA_MERGEABLE) || area->end <= start || area->start >= end)
			continue;
		if (!ranges_add(ret, later(area->start, start), earlier(area->end, end)))
			return false;
	}
	return true;
}

/* ---- memory for an unmerge ---- */

static struct value sum(struct value a, struct value b)
{
	if (!is_known(a))
		return a;
	return is_known(b) ? value_of(a.number + b.number) : b;
}

struct value process_unmerge_bytes(const struct process *p, const struct sysroot *root)
{
	struct value pages = p->task.ksm.merging_pages;
	if (!is_known(pages))
		pages = sysroot_number(root, "proc/%d/ksm_merging_pages", p->task.pid);
	if (!is_known(pages))
		pages = sum(ksm_knob_read(root, KNOB_PAGES_SHARING), ksm_knob_read(root, KNOB_PAGES_SHARED));
	if (!is_known(pages))
		return pages;
	/* mappings of the zero page get a frame each too; a kernel that does not count them (< 6.6) has none */
	return value_of((pages.number + value_or(p->task.ksm.zero_pages, 0)) * sysconf(_SC_PAGESIZE));
}

int process_can_unmerge(const struct process *p, const struct sysroot *root, struct error *err)
{
	struct machine machine;
	struct value need = process_unmerge_bytes(p, root);
	proc_machine(root, &machine);
	if (!is_known(need) || !is_known(machine.available_bytes) || !is_known(machine.total_bytes))
		return fail(err, EXIT_FAILED, "not unmerged: how much memory it needs, or how much there is, "
			    "can't be read");
	if (need.number == 0)
		return 0;
	int64_t margin = machine.total_bytes.number / MARGIN_PART;
	if (need.number + margin > machine.available_bytes.number)
		return fail(err, EXIT_FAILED, "not unmerged: it may need %s and keep %s free, and %s are available; "
			    "free memory and undo again", show_bytes(need.number).text, show_bytes(margin).text,
			    show_bytes(machine.available_bytes.number).text);
	return 0;
}

/* ---- families ---- */

int family_look(struct family *ret, const struct sysroot *root, struct error *err)
{
	struct sample names;
	pid_t *pids;
	size_t count;

	*ret = (struct family){ 0 };
	int rc = proc_pids(root, &pids, &count, err);
	if (rc)
		return rc;
	ret->members = calloc(count ? count : 1, sizeof(*ret->members));
	sample_init(&names);
	for (size_t i = 0; ret->members && i < count; i++)
		if (proc_task(root, pids[i], &ret->members[ret->count], &names) == KNOWN)
			ret->count++;
	sample_free(&names);
	free(pids);
	return ret->members ? 0 : fail(err, EXIT_FAILED, "out of memory listing processes");
}

void family_free(struct family *family)
{
	free(family->members);
	*family = (struct family){ 0 };
}

static const struct task *find_member(const struct family *family, pid_t pid)
{
	size_t at = partition_point(family->count, i, family->members[i].pid < pid);

	return at < family->count && family->members[at].pid == pid ? &family->members[at] : NULL;
}

bool family_descends(const struct family *family, const struct task *member, pid_t pid, uint64_t since_ticks)
{
	/* bounded: a line can't be longer than there are processes, whatever the racing reads made of it */
	for (size_t steps = 0; member && steps < family->count; steps++) {
		if (member->start_ticks < since_ticks)
			return false;
		if (member->parent == pid)
			return true;
		member = find_member(family, member->parent);
	}
	return false;
}

uint64_t ticks_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	uint64_t hz = sysconf(_SC_CLK_TCK);
	return (uint64_t)now.tv_sec * hz + (uint64_t)now.tv_nsec * hz / 1000000000u;
}
